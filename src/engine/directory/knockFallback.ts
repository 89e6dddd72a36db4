/**
 * When a knock is gossiped because no stream got it to the peer, or not soon: once for each knock at most, and with a
 * pause, for the whole mesh gets it.
 */

import { after, earliest, type Instant, SECOND } from '../../base/time.js'

/** A stream that takes longer than this is not waited for. */
const PATIENCE_MS = SECOND

/** Two knocks on a peer that is not there must not be gossiped closer than this. */
const PAUSE_MS = 5 * SECOND

/** How long an answer to a gossiped knock is waited for. */
const ANSWER_MS = 10 * SECOND

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class KnockFallback {
  #dueAt: Instant | undefined = undefined
  #gossipedAt = LONG_AGO

  /** A knock is under way over a stream. */
  knocked(now: Instant): void {
    this.#dueAt = earliest(this.#dueAt, after(now, PATIENCE_MS))
  }

  /** No stream can be had for now: there is nothing to wait for. */
  failed(now: Instant): void {
    if (this.#dueAt !== undefined) this.#dueAt = now
  }

  /** There is nobody to knock on, or nothing to knock with, but there is gossip. */
  wanted(now: Instant): void {
    this.#dueAt = now
  }

  /** The peer answered, or need not any more. */
  settle(): void {
    this.#dueAt = undefined
  }

  /** True where the knock is to be gossiped now. */
  wake(now: Instant): boolean {
    if (this.#dueAt === undefined || this.#dueAt > now) return false
    this.#dueAt = undefined
    if (now < after(this.#gossipedAt, PAUSE_MS)) return false
    this.#gossipedAt = now
    return true
  }

  get nextWake(): Instant | undefined {
    return this.#dueAt
  }

  /** True where an answer by gossip is the answer to a knock of ours. */
  awaitsAnswer(now: Instant): boolean {
    return now <= after(this.#gossipedAt, ANSWER_MS)
  }

  /** The answer is there: a second one answers nothing. */
  answered(): void {
    this.#gossipedAt = LONG_AGO
  }
}
