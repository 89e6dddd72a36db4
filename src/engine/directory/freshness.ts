/**
 * Keeps the records of peers fresh before they are needed, so that whoever is called is known already: one that is missing
 * is looked up soon after joining the mesh, one that is known when less than half its life is left.
 *
 * It is done gently, a few a second for all peers, and ever more rarely for a peer of whom there is no news. Nothing else
 * is sent for a peer that nobody sends to.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import type { PublicKey } from '../../base/publicKey.js'
import { type Random, randomBelow } from '../../base/random.js'
import {
  after,
  earliest,
  elapsed,
  HOUR,
  type Instant,
  later,
  MINUTE,
  type Now,
  SECOND,
} from '../../base/time.js'
import type { PeerRecord } from '../../wire/record.js'

/** Between two look-ups, of whichever peers. */
const PACE_MS = SECOND / 4

const AGAIN_MS: Backoff = { first: MINUTE, longest: HOUR }

/** Many readers of one record do not ask together: each takes off up to so much of its wait. */
const JITTER = 0.2

interface Care {
  dueAt: Instant
  failures: number
  /** The sequence of the record that `dueAt` is for; undefined without one. */
  sequence: number | undefined
}

export class Freshness {
  readonly #random: Random
  /** The record of a peer that is valid now. */
  readonly #recordOf: (peer: PublicKey, now: Now) => PeerRecord | undefined
  readonly #peers = new Map<PublicKey, Care>()
  #isOnline = false
  #notBefore: Instant
  /** When the first peer is due; undefined without peers. */
  #earliest: Instant | undefined = undefined

  constructor(random: Random, recordOf: (peer: PublicKey, now: Now) => PeerRecord | undefined, now: Instant) {
    this.#random = random
    this.#recordOf = recordOf
    this.#notBefore = now
  }

  /** A peer whose record is to be kept fresh from now on. */
  add(peer: PublicKey, now: Now): void {
    if (this.#peers.has(peer)) return
    const care: Care = { dueAt: now.instant, failures: 0, sequence: undefined }
    this.#peers.set(peer, care)
    this.#plan(peer, care, now)
    this.#earliest = earliest(this.#earliest, care.dueAt)
  }

  /** A peer that is none any more, or has others who look after it. */
  remove(peer: PublicKey): void {
    if (this.#peers.delete(peer)) this.#recount()
  }

  /** Whether there is anybody to ask. On joining, what failed before is worth another try. */
  setOnline(isOnline: boolean, now: Now): void {
    const hasJoined = isOnline && !this.#isOnline
    this.#isOnline = isOnline
    if (!hasJoined) return
    for (const [peer, care] of this.#peers) this.#plan(peer, care, now)
    this.#recount()
  }

  /** A record of the peer came in. */
  recordKnown(peer: PublicKey, now: Now): void {
    const care = this.#peers.get(peer)
    if (care === undefined || care.sequence === this.#recordOf(peer, now)?.sequence) return
    this.#plan(peer, care, now)
    this.#recount()
  }

  /** The peer whose record is to be looked up now, if there is one. Unless there is news of it, it has its next turn later. */
  next(now: Instant): PublicKey | undefined {
    const { nextWake } = this
    if (nextWake === undefined || nextWake > now) return undefined
    const due = [...this.#peers].filter(([, { dueAt }]) => dueAt <= now)
    // Not in their order, which whoever is asked would know again under other blinded keys.
    const [peer, care] = due[randomBelow(this.#random, due.length)] ?? []
    if (care === undefined) return undefined
    care.dueAt = after(now, this.#jittered(backoffMs(AGAIN_MS, care.failures)))
    care.failures += 1
    this.#notBefore = after(now, PACE_MS)
    this.#recount()
    return peer
  }

  get nextWake(): Instant | undefined {
    if (!this.#isOnline || this.#earliest === undefined) return undefined
    return later(this.#earliest, this.#notBefore)
  }

  /** A record has half its life to be replaced. */
  #plan(peer: PublicKey, care: Care, now: Now): void {
    const record = this.#recordOf(peer, now)
    care.failures = 0
    care.sequence = record?.sequence
    care.dueAt = now.instant
    if (record === undefined) return
    const left = elapsed(now.unix, record.expiresAt) - elapsed(record.issuedAt, record.expiresAt) / 2
    if (left > 0) care.dueAt = after(now.instant, this.#jittered(left))
  }

  #jittered(ms: number): number {
    const most = Math.floor(ms * JITTER)
    return Math.ceil(ms) - (most > 0 ? randomBelow(this.#random, most) : 0)
  }

  #recount(): void {
    this.#earliest = undefined
    for (const { dueAt } of this.#peers.values()) this.#earliest = earliest(this.#earliest, dueAt)
  }
}
