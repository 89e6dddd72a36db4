/** The arguments of `npm run sim -- report`. */

import { Command } from 'commander'
import { UserError } from '../../src/base/userError.js'
import { parseOwn, wholeFrom } from './ownCommand.js'

export interface ReportOrder {
  /** Where the page goes; its JSON twin stands beside it. */
  readonly html: string
  readonly json: string
  readonly seed: number
  /** The fleet that is struck. */
  readonly nodes: number
  /** The largest fleet of the growth curves. */
  readonly largest: number
}

const MIN_NODES = 50
const MAX_NODES = 100_000

/** As `readPlanArguments`. */
export function readReportArguments(
  argv: readonly string[],
  write: (text: string) => void,
): ReportOrder | undefined {
  const size = wholeFrom(MIN_NODES, MAX_NODES)
  const seedOf = wholeFrom(0, Number.MAX_SAFE_INTEGER)
  const command = new Command()
    .description(
      'Plays fleets that are struck, fleets of several sizes and all pairs of networks, and draws what came of it.',
    )
    .option(
      '--html <file>',
      'where the page goes; the same for programs goes beside it, as .json',
      'report.html',
    )
    .option('--seed <number>', 'what everything random is made from', seedOf, 1)
    .option('--nodes <number>', 'machines of the fleet that is struck', size, 1_000)
    .option('--largest <number>', 'machines of the largest fleet of the growth curves', size, 4_000)
  if (!parseOwn(command, 'report', argv, write)) return undefined
  const { html, seed, nodes, largest } = command.opts<{
    html: string
    seed: number
    nodes: number
    largest: number
  }>()
  if (!html.endsWith('.html')) throw new UserError('report: --html must end in .html', 2)
  return { html, json: html.replace(/html$/, 'json'), seed, nodes, largest }
}
