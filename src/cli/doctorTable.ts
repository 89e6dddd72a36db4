/** `tunnelbore doctor` for people: a block for the machine, and one for each node that runs. */

import type { Diagnosis, Finding, Severity } from '../daemon/finding.js'
import { type Colour, type Paint, plain } from './colours.js'

const COLOURS: Readonly<Record<Severity, Colour>> = {
  ok: 'green',
  note: 'cyan',
  warning: 'yellow',
  failure: 'red',
}

/** Ends in a line feed. */
export function renderDiagnosis({ machine, nodes }: Diagnosis, paint: Paint = plain): string {
  const blocks = [
    block('this machine', machine, paint),
    ...nodes.map(({ node, findings }) => block(`the node of ${node}`, findings, paint)),
  ]
  if (nodes.length === 0) blocks.push('no node runs here; one that does tells of this network as well\n')
  return blocks.join('\n')
}

function block(heading: string, findings: readonly Finding[], paint: Paint): string {
  const lines = findings.map(({ about, severity, says, mend }) => {
    const told = `  ${paint(severity.padEnd(8), COLOURS[severity])}${paint(about, 'bold')}: ${says}`
    return mend === null ? told : `${told}\n          → ${mend}`
  })
  return `${[paint(heading, 'bold'), ...lines].join('\n')}\n`
}
