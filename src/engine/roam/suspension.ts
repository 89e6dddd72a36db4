/**
 * Whether the machine was suspended: the monotonic clock stands still meanwhile, and the wall clock goes on. Who sets the
 * wall clock forward looks alike; then a path is asked in vain, which costs a packet or two.
 */

import { elapsed, type Now, SECOND } from '../../base/time.js'

/** Daemons that keep the time set it right by less, as a rule. */
const LEAST_MS = 2 * SECOND

export class Suspension {
  #last: Now | undefined = undefined

  /** True where the machine was suspended since this was asked last. */
  isOver(now: Now): boolean {
    const last = this.#last
    this.#last = now
    return last !== undefined && elapsed(last.unix, now.unix) - elapsed(last.instant, now.instant) >= LEAST_MS
  }
}
