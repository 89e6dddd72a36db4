/** Virtual time: what is to happen, in the order in which it happens. Equal times keep the order of asking. */

import { after, asInstant, asUnixTime, type Instant, later, type Now } from '../../src/base/time.js'
import { EventHeap } from './eventHeap.js'

/** More events than this without time passing are a livelock. */
const MAX_EVENTS_AT_ONCE = 1_000_000

export class EventQueue {
  readonly #startedAt: Instant
  readonly #unixStart: number
  readonly #heap = new EventHeap()
  #instant: Instant
  /** What is to be done before time goes on. */
  readonly #soon: (() => void)[] = []
  #atOnce = 0

  /** `start` is what the monotonic clock shows at first; the wall clock does not depend on it. */
  constructor(start: number, unixStart: number) {
    this.#startedAt = asInstant(start)
    this.#unixStart = unixStart
    this.#instant = this.#startedAt
  }

  get now(): Now {
    // The wall clock shows whole milliseconds.
    return { instant: this.#instant, unix: asUnixTime(Math.floor(this.#unixStart + this.elapsed)) }
  }

  /** The monotonic half of {@link now}. */
  get instant(): Instant {
    return this.#instant
  }

  /** Milliseconds since the world began. */
  get elapsed(): number {
    return this.#instant - this.#startedAt
  }

  /** Has `action` happen after `ms` milliseconds; after everything that is asked for at the same time already. */
  in(ms: number, action: () => void): void {
    this.at(after(this.#instant, ms), action)
  }

  at(instant: Instant, action: () => void): void {
    this.#heap.add(later(instant, this.#instant), action)
  }

  /**
   * Has `action` happen at this instant, after what is happening now and before anything else: for what goes through a
   * socket of the same machine, and so never happens on the caller's stack.
   */
  soon(action: () => void): void {
    this.#soon.push(action)
  }

  /** Lets `ms` milliseconds pass. */
  run(ms: number): void {
    this.runUntil(() => false, ms)
  }

  /** Lets time pass until `done`, for `ms` milliseconds at most. Returns whether it was done. */
  runUntil(done: () => boolean, ms: number): boolean {
    const end = after(this.#instant, ms)
    this.#doSoon()
    for (;;) {
      if (done()) return true
      const next = asInstant(this.#heap.firstAt)
      if (next > end) break
      this.#atOnce = next === this.#instant ? this.#atOnce + 1 : 0
      if (this.#atOnce > MAX_EVENTS_AT_ONCE) throw new Error(`time stands still at ${this.elapsed} ms`)
      this.#instant = next
      this.#heap.take()?.()
      this.#doSoon()
    }
    this.#instant = end
    return false
  }

  #doSoon(): void {
    const soon = this.#soon
    if (soon.length === 0) return
    for (let at = 0; at < soon.length; at++) {
      if (at > MAX_EVENTS_AT_ONCE) throw new Error(`time stands still at ${this.elapsed} ms`)
      soon[at]?.()
    }
    soon.length = 0
  }
}
