/** Virtual time: what is to happen, in the order in which it happens. Equal times keep the order of asking. */

import { after, asInstant, asUnixTime, type Instant, type Now } from '../../../src/base/time.js'

/** More events than this without time passing are a livelock. */
const MAX_EVENTS_AT_ONCE = 20_000

interface Event {
  readonly at: Instant
  readonly order: number
  readonly action: () => void
}

export class EventQueue {
  readonly #startedAt: Instant
  readonly #unixStart: number
  /** A binary heap, the earliest first. */
  readonly #heap: Event[] = []
  #instant: Instant
  #order = 0
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

  /** Milliseconds since the world began. */
  get elapsed(): number {
    return this.#instant - this.#startedAt
  }

  /** Has `action` happen after `ms` milliseconds; after everything that is asked for at the same time already. */
  in(ms: number, action: () => void): void {
    this.at(after(this.#instant, ms), action)
  }

  at(instant: Instant, action: () => void): void {
    this.#push({ at: instant > this.#instant ? instant : this.#instant, order: this.#order++, action })
  }

  /** Lets `ms` milliseconds pass. */
  run(ms: number): void {
    this.runUntil(() => false, ms)
  }

  /** Lets time pass until `done`, for `ms` milliseconds at most. Returns whether it was done. */
  runUntil(done: () => boolean, ms: number): boolean {
    const end = after(this.#instant, ms)
    for (;;) {
      if (done()) return true
      const next = this.#heap[0]
      if (next === undefined || next.at > end) break
      this.#pop()
      this.#atOnce = next.at === this.#instant ? this.#atOnce + 1 : 0
      if (this.#atOnce > MAX_EVENTS_AT_ONCE) throw new Error(`time stands still at ${this.elapsed} ms`)
      this.#instant = next.at
      next.action()
    }
    this.#instant = end
    return false
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || precedes(above, event)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      const left = heap[child]
      const right = heap[child + 1]
      if (left === undefined) break
      if (right !== undefined && precedes(right, left)) child += 1
      const smaller = heap[child] ?? left
      if (precedes(last, smaller)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
  }
}

/** Something that is done once, after a time, unless the time is set anew or cleared. */
export class Timer {
  readonly #queue: EventQueue
  readonly #action: () => void
  #setting = 0
  #pending = false

  constructor(queue: EventQueue, action: () => void) {
    this.#queue = queue
    this.#action = action
  }

  get pending(): boolean {
    return this.#pending
  }

  set(ms: number): void {
    this.#pending = true
    const setting = ++this.#setting
    this.#queue.in(ms, () => {
      if (setting !== this.#setting) return
      this.#pending = false
      this.#action()
    })
  }

  clear(): void {
    this.#setting += 1
    this.#pending = false
  }
}

function precedes(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
