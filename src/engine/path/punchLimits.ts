/** What punching may cost a node and its NAT, for all peers together. */

import { TokenBucket } from '../../base/rateLimit.js'
import type { Instant } from '../../base/time.js'

export interface PunchLimits {
  /** Checks in any second; a whole number, {@link MIN_PUNCH_RATE} at least. */
  readonly perSecond: number
  /** Sockets, and so mappings of our NAT, that efforts of birthday punching hold at a time; with 0 we open none. */
  readonly sockets: number
}

export const DEFAULT_PUNCH_LIMITS: PunchLimits = { perSecond: 100, sockets: 256 }

/** With fewer not even the first checks of one peer would leave in time. */
export const MIN_PUNCH_RATE = 10
export const MAX_PUNCH_RATE = 10_000
/** Each is a file descriptor. */
export const MAX_PUNCH_SOCKETS = 1_024

/** The part of a second's checks that may leave at once. */
const BURST = 0.2

/** Checks of all kinds. The burst is a part of what may leave in a second, not beyond it. */
export class PunchBudget {
  readonly #bucket: TokenBucket
  /** What birthday punching leaves to the checks of candidates, which go before it. */
  readonly #spare: number

  constructor({ perSecond }: PunchLimits, now: Instant) {
    const burst = Math.max(2, Math.floor(perSecond * BURST))
    this.#bucket = new TokenBucket(perSecond - burst, burst, now)
    this.#spare = burst - 2
  }

  /** For the check of a candidate; false where it has to wait. */
  take(now: Instant): boolean {
    return this.#bucket.take(now)
  }

  availableAt(now: Instant): Instant {
    return this.#bucket.availableAt(now)
  }

  /** For a check of birthday punching. */
  takeSpare(now: Instant): boolean {
    return this.#bucket.take(now, 1, this.#spare)
  }

  spareAvailableAt(now: Instant): Instant {
    return this.#bucket.availableAt(now, this.#spare)
  }
}
