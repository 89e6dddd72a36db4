/** Time as engines see it: handed to them, and jumped over where nothing happens. */

import assert from 'node:assert/strict'
import { after, asInstant, asUnixTime, elapsed, type Instant, type Now } from '../../src/base/time.js'

export const START = asInstant(1_000_000)
export const UNIX_START = asUnixTime(1_800_000_000_000)

/** `ms` after {@link START}. */
export function at(ms: number): Instant {
  return after(START, ms)
}

/** `ms` after {@link START}, on both clocks. */
export function nowAt(ms: number): Now {
  return { instant: at(ms), unix: after(UNIX_START, ms) }
}

/** What time alone changes. */
export interface Sleeper {
  readonly nextWake: Instant | undefined
}

/**
 * Jumps from wake-up to wake-up, from `fromMs` until `untilMs` after {@link START}, and returns when those were. Holds
 * two laws: whoever was woken in time is never to be woken in the past, nor again and again at one moment.
 */
export function sleepUntil(
  sleeper: Sleeper,
  fromMs: number,
  untilMs: number,
  wake: (ms: number) => void,
): readonly number[] {
  const wakes: number[] = []
  let now = fromMs
  for (;;) {
    const { nextWake } = sleeper
    if (nextWake === undefined) return wakes
    const next = elapsed(START, nextWake)
    assert.ok(next >= now, `woken for ${next} ms, at ${now} ms`)
    assert.ok(wakes.at(-1) !== next, `woken twice at ${next} ms`)
    if (next > untilMs) return wakes
    wakes.push(next)
    now = next
    wake(now)
  }
}
