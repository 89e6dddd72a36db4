/** The arguments of `npm run sim:search`. */

import { availableParallelism } from 'node:os'
import { Command, CommanderError } from 'commander'
import { UserError } from '../../src/base/userError.js'
import { CRYPTOGRAPHIES, type CryptographyName } from './outcome.js'

/** fast-check makes a case from 32 bits of a seed, of which one is the sign. */
export const MAX_SEED = 2 ** 31 - 1
const MAX_MINUTES = 7 * 24 * 60
const MAX_WORKERS = 256

/** What is searched. */
export type Quarry =
  /** New seeds, for a time. */
  | { readonly type: 'minutes'; readonly minutes: number }
  | { readonly type: 'seeds'; readonly from: number; readonly to: number }
  | { readonly type: 'case'; readonly file: string }

export interface SearchOrder {
  readonly quarry: Quarry
  readonly workers: number
  readonly cryptography: CryptographyName
  /** Where the smallest case is written. */
  readonly write: string | undefined
  readonly json: boolean
}

const QUARRIES = '--minutes N, --seeds FROM-TO, --seed N or --case FILE'

/**
 * Reads the arguments. Undefined where help was asked for and has been written by `write`; a UserError of one line for
 * what is wrong.
 */
export function readOrder(argv: readonly string[], write: (text: string) => void): SearchOrder | undefined {
  const program = new Command('sim:search')
    .usage('(--minutes N | --seeds FROM-TO | --seed N | --case FILE) [options]')
    .description('Looks for networks, hosts and faults with which the engine breaks a promise')
    .option('--minutes <n>', 'runs new seeds for so long', (text) => readMinutes(text))
    .option('--seeds <from-to>', 'runs these', (text) => readSeeds(text))
    .option('--seed <n>', 'runs this one', (text) => readSeed('--seed', text))
    .option('--case <file>', 'runs the case in a file, as it is')
    .option('--write <file>', 'writes the smallest case found to a file, for --case')
    .option('--workers <n>', 'runs so many at once', readWorkers, availableParallelism())
    .option('--cryptography <which>', CRYPTOGRAPHIES.join(' or '), readCryptography, CRYPTOGRAPHIES[0])
    .option('--json', 'for programs', false)
    .addHelpText(
      'after',
      '\nThe exit code is 0 where nothing was found, 1 where something was, 2 for wrong use, 130 after Ctrl-C.',
    )
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => undefined })
  try {
    program.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    const said = error.message.replace(/^error: /, '').replace(/\.?\s*\n[\s\S]*$/, '')
    const options = program.options.map(({ long }) => long)
    throw new UserError(`${said}; it takes ${options.join(', ')}`, 2)
  }
  const flags = program.opts<Flags>()
  return {
    quarry: quarryOf(flags),
    workers: flags.workers,
    cryptography: flags.cryptography,
    write: flags.write,
    json: flags.json,
  }
}

/** The command that runs a seed again, and shrinks it. */
export function replayCommand(seed: number, cryptography: CryptographyName): string {
  return `npm run sim:search -- --seed ${seed}${cryptography === 'stand-in' ? '' : ` --cryptography ${cryptography}`}`
}

interface Flags {
  readonly minutes?: number
  readonly seeds?: { readonly from: number; readonly to: number }
  readonly seed?: number
  readonly case?: string
  readonly write?: string
  readonly workers: number
  readonly cryptography: CryptographyName
  readonly json: boolean
}

function quarryOf({ minutes, seeds, seed, case: file }: Flags): Quarry {
  const quarries: Quarry[] = []
  if (minutes !== undefined) quarries.push({ type: 'minutes', minutes })
  if (seeds !== undefined) quarries.push({ type: 'seeds', ...seeds })
  if (seed !== undefined) quarries.push({ type: 'seeds', from: seed, to: seed })
  if (file !== undefined) quarries.push({ type: 'case', file })
  const [quarry] = quarries
  if (quarry === undefined) throw new UserError(`what to search is missing: one of ${QUARRIES}`, 2)
  if (quarries.length > 1) throw new UserError(`only one of ${QUARRIES} can be given`, 2)
  return quarry
}

function readMinutes(text: string): number {
  const minutes = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (minutes > 0 && minutes <= MAX_MINUTES) return minutes
  throw new UserError(`--minutes is ${quoted(text)} and must be a number above 0, up to ${MAX_MINUTES}`, 2)
}

function readSeeds(text: string): { readonly from: number; readonly to: number } {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? []
  const from = Number(first)
  const to = Number(last)
  if (from <= to && to <= MAX_SEED) return { from, to }
  throw new UserError(
    `--seeds is ${quoted(text)} and must be FROM-TO, two whole numbers from 0 to ${MAX_SEED} of which the second is not the lower`,
    2,
  )
}

function readSeed(name: string, text: string): number {
  const seed = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (seed <= MAX_SEED) return seed
  throw new UserError(`${name} is ${quoted(text)} and must be a whole number from 0 to ${MAX_SEED}`, 2)
}

function readWorkers(text: string): number {
  const workers = /^\d+$/.test(text) ? Number(text) : 0
  if (workers >= 1 && workers <= MAX_WORKERS) return workers
  throw new UserError(`--workers is ${quoted(text)} and must be a whole number from 1 to ${MAX_WORKERS}`, 2)
}

function readCryptography(text: string): CryptographyName {
  const name = CRYPTOGRAPHIES.find((known) => known === text)
  if (name !== undefined) return name
  throw new UserError(`--cryptography is ${quoted(text)} and must be ${CRYPTOGRAPHIES.join(' or ')}`, 2)
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
