/**
 * The clocks of one host, over the time of the world. As on Linux (clock_gettime(2)):
 *
 *   CLOCK_MONOTONIC   stands still while the host is suspended; so do its timers, and the kernel's jiffies
 *   CLOCK_BOOTTIME    goes on; the kernel's WireGuard takes the ages of sessions and handshakes from it
 *   CLOCK_REALTIME    goes on, may be wrong, and may be set to another time
 */

import {
  after,
  asInstant,
  asUnixTime,
  elapsed,
  type Instant,
  type Now,
  type UnixTime,
} from '../../src/base/time.js'
import type { EventQueue } from '../network/eventQueue.js'

/** Sums of milliseconds are exact to less than this, so earlier by this is not early. */
const ROUNDING_MS = 1e-6

/** True where it is `ms` milliseconds or more from `start` to `now`. */
export function hasPassed(start: Instant, ms: number, now: Instant): boolean {
  return elapsed(start, now) > ms - ROUNDING_MS
}

interface Waiting {
  readonly at: Instant
  readonly action: () => void
}

export class HostClock {
  readonly #queue: EventQueue
  #aheadMs: number
  /** How long the host has slept in all, until it last woke up. */
  #sleptMs = 0
  #fellAsleepAt: Instant | undefined = undefined
  /** What the world came to while the host slept. */
  #waiting: Waiting[] = []

  /** `aheadMs` is how far the wall clock is ahead of the world's. */
  constructor(queue: EventQueue, aheadMs = 0) {
    this.#queue = queue
    this.#aheadMs = aheadMs
  }

  /** CLOCK_MONOTONIC. */
  get instant(): Instant {
    return asInstant((this.#fellAsleepAt ?? this.#queue.instant) - this.#sleptMs)
  }

  /** CLOCK_REALTIME, in whole milliseconds. */
  get unix(): UnixTime {
    return asUnixTime(Math.floor(this.#queue.now.unix + this.#aheadMs))
  }

  /** What a process reads. */
  get now(): Now {
    return { instant: this.instant, unix: this.unix }
  }

  /** CLOCK_BOOTTIME. */
  get bootTime(): Instant {
    return this.#queue.instant
  }

  /** Milliseconds since the world began: what a measurement takes, and no host can read. */
  get elapsed(): number {
    return this.#queue.elapsed
  }

  /** Has `action` happen right after what is happening now: see {@link EventQueue.soon}. */
  soon(action: () => void): void {
    this.#queue.soon(action)
  }

  get asleep(): boolean {
    return this.#fellAsleepAt !== undefined
  }

  /** Has `action` happen after `ms` milliseconds in which the host was awake. */
  in(ms: number, action: () => void): void {
    this.at(after(this.instant, ms), action)
  }

  /** Has `action` happen when the monotonic clock shows `instant`. */
  at(instant: Instant, action: () => void): void {
    this.#queue.at(after(instant, this.#sleptMs), () => this.#reached(instant, action))
  }

  sleep(): void {
    this.#fellAsleepAt ??= this.#queue.instant
  }

  /** What is due by now happens after this, in the order in which it was due. */
  wake(): void {
    if (this.#fellAsleepAt === undefined) return
    this.#sleptMs += this.#queue.instant - this.#fellAsleepAt
    this.#fellAsleepAt = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const { at, action } of waiting) this.at(at, action)
  }

  /** Sets the wall clock forward by `ms` milliseconds, or back. */
  jump(ms: number): void {
    this.#aheadMs += ms
  }

  #reached(at: Instant, action: () => void): void {
    if (this.asleep) this.#waiting.push({ at, action })
    else if (this.instant < at - ROUNDING_MS) this.at(at, action)
    else action()
  }
}

/**
 * Something that is done once, after a time, unless the time is set anew or cleared. What is mostly cleared before it is
 * due costs next to nothing: one event at a time waits, and looks when it comes what it was set to since.
 */
export class Timer {
  readonly #clock: HostClock
  readonly #action: () => void
  readonly #look: () => void
  #due: Instant | undefined = undefined
  /** When the next look is. */
  #lookAt = Number.POSITIVE_INFINITY

  constructor(clock: HostClock, action: () => void) {
    this.#clock = clock
    this.#action = action
    this.#look = () => this.#looked()
  }

  get pending(): boolean {
    return this.#due !== undefined
  }

  set(ms: number): void {
    const due = after(this.#clock.instant, ms)
    this.#due = due
    if (due < this.#lookAt) this.#lookAtInstant(due)
  }

  clear(): void {
    this.#due = undefined
  }

  #lookAtInstant(instant: Instant): void {
    this.#lookAt = instant
    this.#clock.at(instant, this.#look)
  }

  #looked(): void {
    // One that was asked for before an earlier one took its place.
    if (this.#clock.instant < this.#lookAt - ROUNDING_MS) return
    this.#lookAt = Number.POSITIVE_INFINITY
    const due = this.#due
    if (due === undefined) return
    if (this.#clock.instant < due - ROUNDING_MS) {
      this.#lookAtInstant(due)
      return
    }
    this.#due = undefined
    this.#action()
  }
}
