/** The system's clocks. */

import { asInstant, asUnixTime, type Now } from '../base/time.js'

/** What both clocks show. The monotonic one (CLOCK_MONOTONIC) stands still while the machine is suspended. */
export function now(): Now {
  return { instant: asInstant(performance.now()), unix: asUnixTime(Date.now()) }
}
