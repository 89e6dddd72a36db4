/** The system's clocks. */

import { asInstant, asUnixTime, type Instant, type Now } from '../base/time.js'

/** What both clocks show. */
export function now(): Now {
  return { instant: monotonicNow(), unix: asUnixTime(Date.now()) }
}

/** What the monotonic clock shows (CLOCK_MONOTONIC), which stands still while the machine is suspended. */
export function monotonicNow(): Instant {
  return asInstant(performance.now())
}
