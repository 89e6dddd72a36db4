/**
 * When a knock is gossiped because no stream got it to the peer, or not soon: once for each knock at most. The whole mesh
 * gets it, so for a peer that stays away it is done ever more rarely, until there is news of it.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, earliest, type Instant, MINUTE, SECOND } from '../../base/time.js'

/** A stream that takes longer than this is not waited for. */
const PATIENCE_MS = SECOND

/** Between two that are gossiped and bring no path. */
const AGAIN_MS: Backoff = { first: 5 * SECOND, longest: 15 * MINUTE }

/** How long an answer to a gossiped knock is waited for. */
const ANSWER_MS = 10 * SECOND

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class KnockFallback {
  #dueAt: Instant | undefined = undefined
  #gossipedAt = LONG_AGO
  /** True where one was gossiped, and not answered yet. */
  #isAwaited = false
  #notBefore = LONG_AGO
  /** How many were gossiped since there was a path, or news. */
  #count = 0

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

  /** There is a path, or news of the peer: what was to no avail before may be worth it now. */
  encourage(): void {
    this.#count = 0
    this.#notBefore = earliest(this.#notBefore, after(this.#gossipedAt, AGAIN_MS.first)) ?? LONG_AGO
  }

  /** The peer is not looked for any more. */
  settle(): void {
    this.#dueAt = undefined
  }

  /** True where the knock is to be gossiped now. */
  wake(now: Instant): boolean {
    if (this.#dueAt === undefined || this.#dueAt > now) return false
    this.#dueAt = undefined
    if (now < this.#notBefore) return false
    this.#gossipedAt = now
    this.#isAwaited = true
    this.#notBefore = after(now, backoffMs(AGAIN_MS, this.#count))
    this.#count += 1
    return true
  }

  get nextWake(): Instant | undefined {
    return this.#dueAt
  }

  /** True where an answer by gossip is the answer to a knock of ours. */
  awaitsAnswer(now: Instant): boolean {
    return this.#isAwaited && now <= after(this.#gossipedAt, ANSWER_MS)
  }

  /** The answer is there, whichever way it came: a second one answers nothing, and nothing need be gossiped. */
  answered(): void {
    this.#dueAt = undefined
    this.#isAwaited = false
  }
}
