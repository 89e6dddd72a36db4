/** A token bucket: `perSecond` on average, `burst` at once. */

import { after, elapsed, type Instant, SECOND } from './time.js'

export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #filledAt: Instant

  constructor(perSecond: number, burst: number, now: Instant) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#filledAt = now
  }

  /** Takes `count` tokens if there are as many, and `spare` more that are left; false, and nothing taken, if not. */
  take(now: Instant, count = 1, spare = 0): boolean {
    this.#fill(now)
    if (this.#tokens < count + spare) return false
    this.#tokens -= count
    return true
  }

  /** The first moment at which one token can be taken so that `spare` are left. */
  availableAt(now: Instant, spare = 0): Instant {
    this.#fill(now)
    const missing = 1 + spare - this.#tokens
    return missing <= 0 ? now : after(now, Math.ceil((missing * SECOND) / this.#perSecond))
  }

  #fill(now: Instant): void {
    const ms = elapsed(this.#filledAt, now)
    if (ms <= 0) return
    this.#tokens = Math.min(this.#burst, this.#tokens + (ms * this.#perSecond) / SECOND)
    this.#filledAt = now
  }
}

/**
 * One bucket a source, and one for all where it is given, in bounded memory. When the table is full, the source that was heard of
 * longest ago is forgotten (a flood of forged sources can thus reset a source's own limit, never the one for all).
 */
export class SourceLimiter {
  readonly #each: { readonly perSecond: number; readonly burst: number }
  readonly #sources = new Map<string, TokenBucket>()
  readonly #all: TokenBucket | undefined
  readonly #maxSources: number

  constructor(
    limits: {
      readonly each: { readonly perSecond: number; readonly burst: number }
      readonly all?: { readonly perSecond: number; readonly burst: number }
      readonly maxSources: number
    },
    now: Instant,
  ) {
    this.#each = limits.each
    this.#all = limits.all && new TokenBucket(limits.all.perSecond, limits.all.burst, now)
    this.#maxSources = limits.maxSources
  }

  /** True where one more from `source` is within its limit and the limit for all. */
  admit(source: string, now: Instant): boolean {
    let bucket = this.#sources.get(source)
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#each.perSecond, this.#each.burst, now)
      if (this.#sources.size >= this.#maxSources) {
        const oldest = this.#sources.keys().next()
        if (!oldest.done) this.#sources.delete(oldest.value)
      }
    } else {
      this.#sources.delete(source)
    }
    this.#sources.set(source, bucket)
    return bucket.take(now) && (this.#all?.take(now) ?? true)
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#sources.size
  }
}
