/**
 * The numbers of what we sign: one for each record, and one for each time that it is sealed. Gossiped knocks have a series
 * of their own.
 *
 * A number is max(last + 1, the time in ms), so an author who lost his disk is mostly ahead of his own old records by
 * himself. One further ahead of the time than readers admit was believed by nobody, and does not count as the last.
 */

import type { UnixTime } from '../../base/time.js'
import { RECORD_SKEW } from '../../wire/period.js'

export class OwnSequence {
  #last: number

  /** `last` is the highest of an earlier run; 0 for none. */
  constructor(last: number) {
    this.#last = last
  }

  /** A number that we never used. */
  next(now: UnixTime): number {
    const next = this.#last + 1
    this.#last = Math.max(isBelievable(next, now) ? next : 0, Math.floor(now))
    return this.#last
  }

  /** We used `seen`, and may have forgotten. True where that is news, and so what we say is refused as older. */
  lift(seen: number, now: UnixTime): boolean {
    if (seen <= this.#last || !isBelievable(seen, now)) return false
    this.#last = seen
    return true
  }
}

function isBelievable(sequence: number, now: UnixTime): boolean {
  return sequence <= now + RECORD_SKEW
}
