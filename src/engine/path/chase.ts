/**
 * Addresses that nobody named but the peer's checks: how many are tried at once, and how often.
 *
 * Where each check bears another address, as from behind a NAT that maps by destination and lets everybody in, the checks
 * that answer checks (RFC 8445 section 7.3.1.4) would have no end. While there is a sound path, one address is tried at a
 * time; and after those that came to nothing ever more rarely.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, type Instant, SECOND } from '../../base/time.js'

const MOST = { sound: 1, otherwise: 8 } as const
/** In an effort to find a path the first failures are free: what comes after them may be the way. */
const FREE_FAILURES = 2
const AGAIN_MS: Backoff = { first: 1 * SECOND, longest: 60 * SECOND }

export class Chase {
  #failures = 0
  #notBefore = Number.NEGATIVE_INFINITY as Instant

  /** Whether one more may be tried while `underWay` are; `isSound` where there is a path that answers. */
  admits(underWay: number, isSound: boolean, now: Instant): boolean {
    const isRested = now >= this.#notBefore
    if (isSound) return underWay < MOST.sound && isRested
    return underWay < MOST.otherwise && (this.#failures < FREE_FAILURES || isRested)
  }

  /** One came to nothing. Of several that fail together only the first counts. */
  failed(now: Instant): void {
    if (now < this.#notBefore) return
    this.#notBefore = after(now, backoffMs(AGAIN_MS, this.#failures))
    this.#failures += 1
  }

  /** One led to the peer. */
  succeeded(): void {
    this.#failures = 0
  }

  /** An effort to find a path begins. */
  begin(now: Instant): void {
    this.#failures = 0
    this.#notBefore = now
  }
}
