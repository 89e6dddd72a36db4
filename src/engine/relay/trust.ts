/**
 * Addresses that a peer names as a relay's: how many are tried where no relay answers. A peer may name anybody's, so after
 * a few the next ones are tried one at a time, and ever more rarely; that it also names good ones does not help it.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, elapsed, type Instant, MINUTE, SECOND } from '../../base/time.js'

/** Two relays may die at once, each with an address in both families. */
const FREE_FAILURES = 4
const AGAIN_MS: Backoff = { first: 20 * SECOND, longest: 10 * MINUTE }
const FORGIVEN_MS = 15 * MINUTE

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class Trust {
  #failures = 0
  #failedAt = LONG_AGO
  #notBefore = LONG_AGO

  /** Whether one more may be tried while `underWay` are. */
  admits(underWay: number, now: Instant): boolean {
    if (elapsed(this.#failedAt, now) >= FORGIVEN_MS) this.#failures = 0
    if (this.#failures + underWay < FREE_FAILURES) return true
    return underWay === 0 && now >= this.#notBefore
  }

  /** Nobody answered at one, or it was no relay. */
  failed(now: Instant): void {
    this.#failures += 1
    this.#failedAt = now
    this.#notBefore = after(now, backoffMs(AGAIN_MS, Math.max(0, this.#failures - FREE_FAILURES)))
  }
}
