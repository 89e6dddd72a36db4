/**
 * Knocks that come in: whose they are, and when they are answered.
 *
 * A knock makes us check the sender's addresses, so it is believed only from the author of the record that it carries,
 * and only so often. Its answer waits until the reflectors have said where we are now; the checks do not wait.
 */

import { equals } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import type { Instant, Now } from '../../base/time.js'
import { decodeKnock } from '../../wire/knock.js'
import type { Emit } from '../effects.js'
import type { Directory } from './directory.js'

/** Knocks that are answered for each peer, and for all. One costs a signature to verify and a few checks. */
const KNOCKS = {
  each: { perSecond: 0.5, burst: 5 },
  all: { perSecond: 20, burst: 40 },
  maxSources: 1_024,
} as const

/** Knocks that wait for a fresh answer of the reflectors. */
const MAX_WAITING = 256

export class KnockDoor {
  readonly #directory: Directory
  readonly #emit: Emit
  readonly #limiter: SourceLimiter
  #waiting: { readonly id: number; readonly peer: PublicKey }[] = []

  constructor(directory: Directory, emit: Emit, now: Instant) {
    this.#directory = directory
    this.#emit = emit
    this.#limiter = new SourceLimiter(KNOCKS, now)
  }

  /** A knock from the libp2p identity `from`. Returns whose it is, and lets it wait; or ends it, and says why. */
  receive(
    id: number,
    from: Uint8Array,
    bytes: Uint8Array,
    isPeer: (key: PublicKey) => boolean,
    now: Now,
  ): PublicKey | Dropped {
    const peer = this.#identify(from, bytes, isPeer, now)
    if (isDropped(peer)) this.#emit({ type: 'answer-knock', id, answer: undefined })
    else this.#waiting.push({ id, peer })
    return peer
  }

  /** True where somebody waits for an answer. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0
  }

  /** Answers all that wait. */
  answer(answer: Uint8Array): void {
    for (const { id } of this.#waiting) this.#emit({ type: 'answer-knock', id, answer })
    this.#waiting = []
  }

  /** Ends the knocks of a peer that is no peer any more. */
  forget(peer: PublicKey): void {
    for (const { id } of this.#waiting.filter((waiting) => waiting.peer === peer)) {
      this.#emit({ type: 'answer-knock', id, answer: undefined })
    }
    this.#waiting = this.#waiting.filter((waiting) => waiting.peer !== peer)
  }

  /** The cheap tests come first. */
  #identify(
    from: Uint8Array,
    bytes: Uint8Array,
    isPeer: (key: PublicKey) => boolean,
    now: Now,
  ): PublicKey | Dropped {
    if (this.#waiting.length >= MAX_WAITING) return drop('knock-rate-limited')
    if (!this.#limiter.admit(String(from), now.instant)) return drop('knock-rate-limited')
    const knock = decodeKnock(bytes)
    if (isDropped(knock)) return knock
    const accepted = this.#directory.accept(knock.signedRecord, isPeer, now)
    if (isDropped(accepted)) return accepted
    const { record } = accepted
    // A record is public to whoever knows the key: only its author may knock with it.
    return equals(record.identity, from) ? record.publicKey : drop('record-wrong-author')
  }
}
