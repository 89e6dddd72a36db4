/**
 * When our record of one period is published: at once if it is today's, and a random while later if it is another day's, so
 * that nobody sees the two arrive together.
 *
 *   offline ─ joined ─► due ─► under way ─► done ─ 10 min, or a change ─► due …
 *                        ▲         │ nobody acknowledged it
 *                        └─ later ─┘
 */

import { backoffMs } from '../../base/backoff.js'
import { type Random, randomBelow } from '../../base/random.js'
import { TokenBucket } from '../../base/rateLimit.js'
import { after, earliest, type Instant, MINUTE, SECOND } from '../../base/time.js'

/** Changes that come together, as at start, are published together. */
const DEBOUNCE_MS = 100

/** How long another day's record waits, at least, and at random besides. */
const LATER_MS = { least: MINUTE, besides: 9 * MINUTE } as const

/** Storers come and go, and kad-dht never republishes. At random, so that periods are not told by their rhythm. */
const REFRESH_MS = { least: 8 * MINUTE, besides: 4 * MINUTE } as const

const RETRY_MS = { first: 500, longest: 30 * SECOND } as const

/** An address that comes and goes must not flood the mesh: news at once a few times, then every ten seconds. */
const NEWS = { perSecond: 0.1, burst: 5 } as const

type State =
  /** Nobody to publish to. */
  | { readonly name: 'offline' }
  | { readonly name: 'due'; readonly at: Instant; readonly failures: number; readonly isNews: boolean }
  | { readonly name: 'under-way'; readonly failures: number; readonly changed: boolean }
  | { readonly name: 'done'; readonly refreshAt: Instant }

export class Publication {
  readonly #random: Random
  readonly #news: TokenBucket
  /** True where it is today's. */
  isUrgent: boolean
  #state: State = { name: 'offline' }

  constructor(isUrgent: boolean, random: Random, now: Instant) {
    this.isUrgent = isUrgent
    this.#random = random
    this.#news = new TokenBucket(NEWS.perSecond, NEWS.burst, now)
  }

  /** There is somebody to publish to. Whoever has just joined a mesh publishes. */
  join(now: Instant): void {
    if (this.#state.name !== 'offline') return
    const at = this.isUrgent ? now : this.#later(now)
    this.#state = { name: 'due', at, failures: 0, isNews: true }
  }

  leave(): void {
    this.#state = { name: 'offline' }
  }

  /** The record says something else. */
  change(now: Instant): void {
    const former = this.#state
    if (former.name === 'under-way') this.#state = { ...former, changed: true }
    else if (former.name === 'done') this.#becomeDue(now)
    else if (former.name === 'due' && this.isUrgent) {
      const at = earliest(former.at, after(now, DEBOUNCE_MS)) ?? former.at
      this.#state = { ...former, at, isNews: true }
    }
  }

  /** True where it is time, and then it is under way. */
  begin(now: Instant): boolean {
    const { dueAt } = this
    if (dueAt === undefined || dueAt > now) return false
    const former = this.#state
    if (former.name === 'due' && former.isNews && !this.#news.take(now)) {
      this.#state = { ...former, at: this.#news.availableAt(now) }
      return false
    }
    const failures = former.name === 'due' ? former.failures : 0
    this.#state = { name: 'under-way', failures, changed: false }
    return true
  }

  /** It ended. Returns how many times in a row nobody has acknowledged it. */
  ended(acknowledgements: number, now: Instant): number {
    const former = this.#state
    if (former.name !== 'under-way') return 0
    if (acknowledgements === 0) {
      const at = after(now, backoffMs(RETRY_MS, former.failures))
      this.#state = { name: 'due', at, failures: former.failures + 1, isNews: false }
      return former.failures + 1
    }
    if (former.changed) this.#becomeDue(now)
    else this.#state = { name: 'done', refreshAt: this.#at(now, REFRESH_MS) }
    return 0
  }

  get dueAt(): Instant | undefined {
    switch (this.#state.name) {
      case 'due':
        return this.#state.at
      case 'done':
        return this.#state.refreshAt
      default:
        return undefined
    }
  }

  #becomeDue(now: Instant): void {
    const at = this.isUrgent ? after(now, DEBOUNCE_MS) : this.#later(now)
    this.#state = { name: 'due', at, failures: 0, isNews: true }
  }

  #later(now: Instant): Instant {
    return this.#at(now, LATER_MS)
  }

  #at(now: Instant, { least, besides }: { readonly least: number; readonly besides: number }): Instant {
    return after(now, least + randomBelow(this.#random, besides))
  }
}
