#!/usr/bin/env node
/** `npm run sim:plants`: plants a bug in each engine, and shows how the search finds it. */

import { availableParallelism } from 'node:os'
import { Command, CommanderError } from 'commander'
import { UserError } from '../src/base/userError.js'
import { huntForAll } from './search/plants/plantHunt.js'
import { PLANTS } from './search/plants/plants.js'
import { renderPlants } from './search/plants/plantTable.js'

const DEFAULTS = { seeds: 40, shrinkRuns: 400 } as const
const MOST = { seeds: 100_000, shrinkRuns: 100_000 } as const

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UserError)) throw error
  process.stderr.write(`sim:plants: ${error.message}\n`)
  process.exitCode = error.exitCode
}

async function main(): Promise<number> {
  const program = new Command('sim:plants')
    .description('Plants a bug in each engine, one after the other, and shows how the search finds it')
    .argument('[names...]', `of the bugs: ${PLANTS.map(({ name }) => name).join(', ')}; all unless given`)
    .option('--seeds <n>', 'runs so many for each', wholeNumber('--seeds', MOST.seeds), DEFAULTS.seeds)
    .option(
      '--shrink-runs <n>',
      'runs so many to make what is found small',
      wholeNumber('--shrink-runs', MOST.shrinkRuns),
      DEFAULTS.shrinkRuns,
    )
    .option(
      '--from <seed>',
      'begins here, not where each is known to be found',
      wholeNumber('--from', MOST.seeds),
    )
    .option('--json', 'for programs', false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  try {
    program.parse()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    throw new UserError(error.message.replace(/^error: /, ''), 2)
  }
  const { seeds, shrinkRuns, from, json } = program.opts<Flags>()
  const named = program.args.length === 0 ? PLANTS : program.args.map(plantNamed)
  const plants = named.map((plant) => ({ ...plant, from: from ?? plant.from }))
  const all = await huntForAll(
    plants,
    availableParallelism(),
    { seeds, shrinkRuns, firstOnly: false },
    (caught) =>
      process.stderr.write(
        `${caught.plant.name}: ${caught.smallest === undefined ? 'not found' : 'found'}\n`,
      ),
  )
  process.stdout.write(json ? `${JSON.stringify(all, undefined, 2)}\n` : renderPlants(all))
  return all.every(({ smallest }) => smallest !== undefined) ? 0 : 1
}

interface Flags {
  readonly seeds: number
  readonly shrinkRuns: number
  readonly from?: number
  readonly json: boolean
}

function plantNamed(name: string) {
  const plant = PLANTS.find((known) => known.name === name)
  if (plant !== undefined) return plant
  const names = PLANTS.map((known) => known.name).join(', ')
  throw new UserError(`there is no plant ${JSON.stringify(name)}: one of ${names}`, 2)
}

function wholeNumber(option: string, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : 0
    if (value >= 1 && value <= most) return value
    throw new UserError(
      `${option} is ${JSON.stringify(text)} and must be a whole number from 1 to ${most}`,
      2,
    )
  }
}
