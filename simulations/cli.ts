#!/usr/bin/env node
/**
 * The command line of the simulated internet: `npm run sim -- <scenario> …`, `plan …` or `report …`. What was found goes to the standard output,
 * how it goes to standard error. Exit codes: 0 all that is expected held, 1 something did not, 2 wrong use, 128 and its
 * number after a signal.
 */

import { constants } from 'node:os'
import { causeOf, UserError } from '../src/base/userError.js'
import { readArguments } from './command/arguments.js'
import { readPlanArguments } from './command/planArguments.js'
import { readReportArguments } from './command/reportArguments.js'
import { runOrder, type Surroundings, type Verdict } from './command/runOrder.js'
import { runPlan } from './command/runPlan.js'
import { runReport } from './command/runReport.js'
import { SCENARIOS } from './scenarios/all.js'

async function main(argv: readonly string[]): Promise<number> {
  try {
    const job = readJob(argv, (text) => process.stdout.write(text))
    return job === undefined ? 0 : await runUntilSignal(job)
  } catch (error) {
    if (error instanceof UserError) return complain(error.message, error.exitCode)
    return complain(`unexpected: ${causeOf(error)}`, 1)
  }
}

/** What is to be done; undefined where help was asked for, and has been written. */
type Job = (surroundings: Surroundings) => Promise<Verdict>

function readJob(argv: readonly string[], write: (text: string) => void): Job | undefined {
  const [name, ...rest] = argv
  if (name === 'plan') return jobOf(readPlanArguments(rest, write), runPlan)
  if (name === 'report') return jobOf(readReportArguments(rest, write), runReport)
  return jobOf(readArguments(argv, SCENARIOS, write), runOrder)
}

function jobOf<Order>(
  order: Order | undefined,
  run: (order: Order, surroundings: Surroundings) => Promise<Verdict>,
): Job | undefined {
  return order === undefined ? undefined : (surroundings) => run(order, surroundings)
}

/** A terminal and npm may both pass on one Ctrl-C: what comes sooner after it, in milliseconds, is the same wish. */
const SAME_WISH_MS = 500

/** The first signal ends the run with what was measured, a second one at once. */
async function runUntilSignal(job: Job): Promise<number> {
  let received: number | undefined
  let receivedAt = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    const code = 128 + constants.signals[signal]
    const now = performance.now()
    if (received !== undefined && now - receivedAt < SAME_WISH_MS) return
    if (received !== undefined) process.exit(code)
    received = code
    receivedAt = now
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  const verdict = await job({
    terminal: process.stderr,
    write: (text) => process.stdout.write(text),
    clock: () => performance.now(),
    isInterrupted: () => received !== undefined,
  })
  return verdict === 'interrupted' ? (received ?? 1) : verdict === 'held' ? 0 : 1
}

function complain(message: string, code: number): number {
  process.stderr.write(`sim: ${message.replace(/\s*\n\s*/g, ' ')}\n`)
  return code
}

// Who reads us may have enough (`| head`).
process.stdout.on('error', () => process.exit(0))
process.exitCode = await main(process.argv.slice(2))
