/** How each planted bug was found, as a table. */

import Table from 'cli-table3'
import type { Caught } from './plantHunt.js'

export function renderPlants(all: readonly Caught[]): string {
  const table = new Table({
    head: ['engine', 'bug', 'what is wrong', 'found by', 'in seeds', 'shrunk to'],
    // cli-table3 colours headings and borders unless told not to.
    style: { head: [], border: [], compact: true },
    colWidths: [null, null, 46, null, null, null],
    wordWrap: true,
  })
  for (const { plant, seeds, failed, smallest } of all) {
    table.push([
      plant.engine,
      plant.name,
      plant.what,
      smallest?.invariant ?? 'nobody',
      `${failed} of ${seeds}`,
      smallest === undefined
        ? ''
        : `${smallest.faults} ${smallest.faults === 1 ? 'fault' : 'faults'}, ${smallest.hosts} hosts${smallest.isSmallest ? '' : ' or less'}`,
    ])
  }
  const found = all.filter(({ smallest }) => smallest !== undefined).length
  return `${table.toString()}\n${found} of ${all.length} planted bugs were found\n`
}
