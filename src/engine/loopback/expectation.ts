/**
 * How long something is awaited before its absence is remarkable: RFC 6298's smoothed mean and deviation.
 *
 * RFC 6298 (section 3) measures once in a round trip. Here every message may be measured, and those of a burst say
 * nothing of the pause after it; so of each {@link WINDOW_MS} only the longest wait counts.
 */

import { after, type Instant } from '../../base/time.js'

/** The windows of which the longest wait is taken. */
export const WINDOW_MS = 100

/** The clock granularity G of RFC 6298, with what schedulers add: a wait this much longer than the mean is still none. */
export const MARGIN_MS = 40

/** So many windows make an expectation that may be relied upon. */
const KNOWN_AFTER = 8

const MEAN_GAIN = 1 / 8
const DEVIATION_GAIN = 1 / 4
const DEVIATIONS = 4

export class Expectation {
  #mean = 0
  #deviation = 0
  #samples = 0
  /** Of the window that runs. */
  #longest = -1
  #windowEnds: Instant | number = 0

  /** Forgets what was measured. */
  forget(): void {
    this.#samples = 0
    this.#longest = -1
  }

  /** Forgets what was measured; it is expected to take `ms`, give or take `deviationMs`. */
  assume(ms: number, deviationMs: number): void {
    this.forget()
    this.#mean = ms
    this.#deviation = deviationMs
    this.#samples = 1
  }

  /** Something came after `ms` of waiting. Called for every message: nothing is allocated. */
  note(ms: number, now: Instant): void {
    if (ms > this.#longest) this.#longest = ms
    if (now < this.#windowEnds) return
    this.#windowEnds = after(now, WINDOW_MS)
    this.measured(this.#longest)
    this.#longest = -1
  }

  /** A wait of `ms`, whatever the window. */
  measured(ms: number): void {
    if (this.#samples === 0) {
      this.#mean = ms
      this.#deviation = ms / 2
    } else {
      this.#deviation += (Math.abs(ms - this.#mean) - this.#deviation) * DEVIATION_GAIN
      this.#mean += (ms - this.#mean) * MEAN_GAIN
    }
    this.#samples += 1
  }

  /** After so many milliseconds the wait is remarkable (RTO of RFC 6298 section 2, without its minimum of a second). */
  get waitMs(): number {
    return this.#mean + Math.max(MARGIN_MS, DEVIATIONS * this.#deviation)
  }

  get isMeasured(): boolean {
    return this.#samples > 0
  }

  /** True where enough was measured to rely on. */
  get isKnown(): boolean {
    return this.#samples >= KNOWN_AFTER
  }
}
