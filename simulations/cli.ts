#!/usr/bin/env node
/**
 * The command line of the simulated internet: `npm run sim -- <scenario> …`. What was found goes to the standard output,
 * how it goes to standard error. Exit codes: 0 all that is expected held, 1 something did not, 2 wrong use, 128 and its
 * number after a signal.
 */

import { constants } from 'node:os'
import { causeOf, UserError } from '../src/base/userError.js'
import { readArguments } from './command/arguments.js'
import { runOrder } from './command/runOrder.js'
import { SCENARIOS } from './scenarios/all.js'

async function main(argv: readonly string[]): Promise<number> {
  try {
    const order = readArguments(argv, SCENARIOS, (text) => process.stdout.write(text))
    return order === undefined ? 0 : await runUntilSignal(order)
  } catch (error) {
    if (error instanceof UserError) return complain(error.message, error.exitCode)
    return complain(`unexpected: ${causeOf(error)}`, 1)
  }
}

/** A terminal and npm may both pass on one Ctrl-C: what comes sooner after it, in milliseconds, is the same wish. */
const SAME_WISH_MS = 500

/** The first signal ends the run with what was measured, a second one at once. */
async function runUntilSignal(order: Parameters<typeof runOrder>[0]): Promise<number> {
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
  const verdict = await runOrder(order, {
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
