/**
 * Which periods our node reads and publishes in, and when that changes. What a period is stands in wire/period.ts.
 *
 * ```
 *    yesterday        │             today              │        tomorrow
 *                  22:00      2:00                  22:00      2:00
 *    read             today, yesterday │     today     │ today, tomorrow │
 * ```
 *
 * Clocks differ, so a reader looks under every period that overlaps its time ± {@link RECORD_SKEW}, and an author
 * publishes in those and in the next one. Each off by as much, the two still share the period that it really is.
 */

import { asUnixTime, type UnixTime } from '../../base/time.js'
import * as wire from '../../wire/period.js'

/** The periods under which a record may be found now, the most likely first: one, or two around midnight. */
export function periodsToRead(now: UnixTime): readonly number[] {
  return likelyFirst(wire.periodsToRead(now), now)
}

/** The periods that an author publishes in now: those to read, the most likely first, and at last the next one. */
export function periodsToPublish(now: UnixTime): readonly number[] {
  const [next, ...read] = [...wire.periodsToPublish(now)].reverse()
  return next === undefined ? [] : [...likelyFirst(read, now), next]
}

/** After how many milliseconds, above zero, these answers will be others, or in another order. */
export function periodsChangeIn(now: UnixTime): number {
  const left = [now - wire.RECORD_SKEW, now, now + wire.RECORD_SKEW].map(
    (time) => wire.periodStart(wire.periodOf(asUnixTime(time)) + 1) - time,
  )
  return Math.min(...left)
}

function likelyFirst(periods: readonly number[], now: UnixTime): readonly number[] {
  const likely = wire.periodOf(now)
  return [likely, ...periods.filter((period) => period !== likely)]
}
