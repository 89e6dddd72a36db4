/** After a false alarm the next one is not believed at once: for a second, and ever longer while they are false. */

import { after, asInstant, elapsed, type Instant, SECOND } from '../../base/time.js'

export const FIRST_CAUTION_MS = 1 * SECOND
export const LONGEST_CAUTION_MS = 60 * SECOND

/** After so many times the pause without a false alarm, all is as it was at first. */
const FORGOTTEN_AFTER = 4

export class Caution {
  #until: Instant = asInstant(Number.NEGATIVE_INFINITY)
  #nextMs: number = FIRST_CAUTION_MS

  /** When alarms are believed again. */
  get until(): Instant {
    return this.#until
  }

  /** True while an alarm is to be doubted. */
  holds(now: Instant): boolean {
    return now < this.#until
  }

  wasFalse(now: Instant): void {
    if (elapsed(this.#until, now) > FORGOTTEN_AFTER * this.#nextMs) this.#nextMs = FIRST_CAUTION_MS
    this.#until = after(now, this.#nextMs)
    this.#nextMs = Math.min(2 * this.#nextMs, LONGEST_CAUTION_MS)
  }

  wasTrue(): void {
    this.#until = asInstant(Number.NEGATIVE_INFINITY)
    this.#nextMs = FIRST_CAUTION_MS
  }
}
