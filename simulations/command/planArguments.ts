/** The arguments of `npm run sim -- plan`. */

import { Command, InvalidArgumentError } from 'commander'
import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import type { Wish } from '../fleet/plan.js'
import { parseOwn, wholeFrom } from './ownCommand.js'

export interface PlanOrder {
  readonly wish: Wish
  readonly seed: number
  readonly json: boolean
}

const DAY = 24 * HOUR
const UNITS: Readonly<Record<string, number>> = { s: SECOND, m: MINUTE, min: MINUTE, h: HOUR, d: DAY }
const MAX_NODES = 1_000_000

/**
 * Reads them; `argv` begins after `plan`. Undefined where help was asked for and has been written by `write`; a UserError
 * of one line for what is wrong.
 */
export function readPlanArguments(
  argv: readonly string[],
  write: (text: string) => void,
): PlanOrder | undefined {
  const command = new Command()
    .description('What a fleet should expect, and how many bootstrap nodes and relays it wants.')
    .requiredOption(
      '--nodes <number>',
      `machines that are there at a time: 2 to ${MAX_NODES}`,
      wholeFrom(2, MAX_NODES),
    )
    .option(
      '--median-session <time>',
      'half of the sessions are over after this: 90s, 10m, 2h, 1d',
      readTime,
      2 * HOUR,
    )
    .option(
      '--relay-share <percent>',
      'of the machines others can reach, and which serve and relay: 5%',
      readShare,
      0.2,
    )
    .option(
      '--seed <number>',
      'what everything random is made from',
      wholeFrom(0, Number.MAX_SAFE_INTEGER),
      1,
    )
    .option('--json', 'for programs', false)
  if (!parseOwn(command, 'plan', argv, write)) return undefined
  const { nodes, medianSession, relayShare, seed, json } = command.opts<{
    nodes: number
    medianSession: number
    relayShare: number
    seed: number
    json: boolean
  }>()
  return { wish: { nodes, medianSessionMs: medianSession, relayShare }, seed, json }
}

function readTime(text: string): number {
  const [, figure, unit = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? []
  const ms = Number(figure) * (UNITS[unit] ?? Number.NaN)
  if (ms >= MINUTE && ms <= 60 * DAY) return ms
  throw new InvalidArgumentError('It must be a time from 1m to 60d, such as 90s, 10m, 2h or 1d.')
}

function readShare(text: string): number {
  const [, figure] = /^(\d+(?:\.\d+)?)%?$/.exec(text) ?? []
  const percent = Number(figure)
  if (percent >= 1 && percent <= 100) return percent / 100
  throw new InvalidArgumentError('It must be a share from 1% to 100%.')
}
