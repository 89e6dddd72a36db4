/** Series of checks over one pair: how often, and how long to wait after each. */

import type { Instant } from '../../base/time.js'

/** Milliseconds to wait after each check of a series; after the last wait the series has failed. */
export type Series = readonly number[]

/** A hole is bored: often at first, because the peer begins when the knock arrives, then ever more rarely. */
export const PUNCH: Series = [100, 150, 250, 500, 1_000, 2_000, 3_000]

/** The whole of {@link PUNCH}: how long an effort lasts. */
export const PUNCH_MS = PUNCH.reduce((sum, gap) => sum + gap, 0)

/** A path in use is asked whether it still carries; the waits grow with its round trip. */
export const PROBE: Series = [250, 250, 250]
export const PROBE_ROUND_TRIPS = 2

/** The same where there is a sign that it does not: what goes over it meanwhile is lost. */
export const QUICK_PROBE: Series = [50, 50, 100]

/** The same where traffic goes over another path as well: nothing is lost meanwhile, so a verdict may take its time. */
export const THOROUGH_PROBE: Series = [50, 100, 200, 400, 500]

/** One that is under way. */
export interface SeriesState {
  readonly waits: Series
  readonly isQuick?: boolean
  sent: number
  nextAt: Instant
  /** When its first check was sent. */
  begunAt?: Instant
}

/** A hole is to be bored from now on. */
export function punching(now: Instant): SeriesState {
  return { waits: PUNCH, sent: 0, nextAt: now }
}
