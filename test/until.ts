/** Waiting for a condition, in place of sleeping. */

import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/** Asks `condition` until it gives something other than undefined or false; an Error names `what` after `deadlineMs`. */
export async function until<Value>(
  what: string,
  condition: () => Value | undefined | false | Promise<Value | undefined | false>,
  deadlineMs = 30_000,
): Promise<Value> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`)
    await sleep(POLL_MS)
  }
}
