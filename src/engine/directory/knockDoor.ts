/**
 * Knocks that come in, over a stream, passed on by a relay or by gossip: whose they are, and when they are answered.
 *
 * A knock makes us check the sender's addresses, so it is believed only from the author of the record that it carries,
 * and only so often. Its answer waits until the reflectors have said where we are now; the checks do not wait.
 */

import { equals } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import type { Instant, Now } from '../../base/time.js'
import { decodeKnock, encodeKnockAnswer, type Knock, type RelayedSession } from '../../wire/knock.js'
import { decodeRecord, decodeSignedRecord } from '../../wire/record.js'
import type { Emit } from '../effects.js'
import type { Directory } from './directory.js'
import type { GossipedKnock, SealedKnocks } from './sealedKnocks.js'

/** Knocks that are answered for each peer, and for all, over streams and by gossip alike. One costs a signature to verify and a few checks. */
const KNOCKS = {
  each: { perSecond: 0.5, burst: 5 },
  all: { perSecond: 20, burst: 40 },
  maxSources: 1_024,
} as const

/** Knocks that wait for a fresh answer of the reflectors. */
const MAX_WAITING = 256

/** A knock that waits for its answer; without an id it came by gossip. */
interface Waiting {
  readonly id: number | undefined
  readonly peer: PublicKey
  /** True where the answer is to be sealed. */
  readonly isSealed: boolean
}

/** A knock that is believed: its record is the peer's. */
export interface ReceivedKnock {
  readonly peer: PublicKey
  readonly knock: Knock
}

export class KnockDoor {
  readonly #directory: Directory
  readonly #sealedKnocks: SealedKnocks
  readonly #emit: Emit
  readonly #limiter: SourceLimiter
  /** Only peers can seal a knock: what strangers bring over streams takes nothing from them. */
  readonly #gossipLimiter: SourceLimiter
  #waiting: Waiting[] = []

  constructor(directory: Directory, sealedKnocks: SealedKnocks, emit: Emit, now: Instant) {
    this.#directory = directory
    this.#sealedKnocks = sealedKnocks
    this.#emit = emit
    this.#limiter = new SourceLimiter(KNOCKS, now)
    this.#gossipLimiter = new SourceLimiter(KNOCKS, now)
  }

  /** A knock from the libp2p identity `from`. Returns whose it is and lets it wait; or ends it, and says why. */
  receive(
    id: number,
    from: Uint8Array,
    bytes: Uint8Array,
    isPeer: (key: PublicKey) => boolean,
    now: Now,
  ): ReceivedKnock | Dropped {
    const received = this.#identify(from, bytes, isPeer, now)
    if (isDropped(received)) this.#emit({ type: 'answer-knock', id, answer: undefined })
    else this.#waiting.push({ id, peer: received.peer, isSealed: false })
    return received
  }

  /**
   * A knock that a peer sealed, and gossiped or, with an id, had passed on. Returns undefined, and lets it wait; or says
   * why it is dropped.
   */
  receiveSealed(
    { peer, knock: { signedRecord } }: GossipedKnock,
    id: number | undefined,
    now: Now,
  ): Dropped | undefined {
    if (!this.#mayEnter(this.#gossipLimiter, peer, now.instant)) return drop('knock-rate-limited')
    const accepted = this.#directory.accept(signedRecord, (author) => author === peer, now)
    if (isDropped(accepted)) return accepted
    this.#waiting.push({ id, peer, isSealed: true })
    return undefined
  }

  /** True where somebody waits for an answer. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0
  }

  /** Answers all that wait, with our own record and what `relayedFor` gives; those for whom it is undefined wait on. */
  answer(
    signedRecord: Uint8Array,
    relayedFor: (peer: PublicKey) => readonly RelayedSession[] | undefined,
    now: Now,
  ): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      const { id, peer, isSealed } = each
      const relayed = relayedFor(peer)
      if (relayed === undefined) {
        this.#waiting.push(each)
        continue
      }
      const answer = { version: 1, signedRecord, relayed } as const
      if (isSealed) this.#answerSealed(id, peer, answer, now)
      else if (id !== undefined) this.#emit({ type: 'answer-knock', id, answer: encodeKnockAnswer(answer) })
    }
  }

  /** Ends the knocks of a peer that is no peer any more. */
  forget(peer: PublicKey): void {
    for (const { id } of this.#waiting.filter((waiting) => waiting.peer === peer)) {
      if (id !== undefined) this.#emit({ type: 'answer-knock', id, answer: undefined })
    }
    this.#waiting = this.#waiting.filter((waiting) => waiting.peer !== peer)
  }

  #answerSealed(id: number | undefined, peer: PublicKey, answer: Knock, now: Now): void {
    const sealedKnock = this.#sealedKnocks.seal(peer, 'answer', answer, now.unix)
    if (id !== undefined) this.#emit({ type: 'answer-knock', id, answer: sealedKnock })
    else if (sealedKnock !== undefined) this.#emit({ type: 'gossip-knock', sealedKnock })
  }

  #identify(
    from: Uint8Array,
    bytes: Uint8Array,
    isPeer: (key: PublicKey) => boolean,
    now: Now,
  ): ReceivedKnock | Dropped {
    const knock = decodeKnock(bytes)
    if (isDropped(knock)) return knock
    // What strangers send costs a look, and takes nothing of what those may take who know a peer's key.
    const author = namedAuthor(knock.signedRecord)
    if (isDropped(author)) return author
    if (!isPeer(author)) return drop('record-unknown-author')
    if (!this.#mayEnter(this.#limiter, String(from), now.instant)) return drop('knock-rate-limited')
    const accepted = this.#directory.accept(knock.signedRecord, isPeer, now)
    if (isDropped(accepted)) return accepted
    const { record } = accepted
    // A record is public to whoever knows the key: only its author may knock with it.
    return equals(record.identity, from) ? { peer: record.publicKey, knock } : drop('record-wrong-author')
  }

  /** Asked before a signature is verified. */
  #mayEnter(limiter: SourceLimiter, source: string, now: Instant): boolean {
    return this.#waiting.length < MAX_WAITING && limiter.admit(source, now)
  }
}

/** Whose a signed record says that it is; nothing is verified. */
function namedAuthor(signedRecord: Uint8Array): PublicKey | Dropped {
  const signed = decodeSignedRecord(signedRecord)
  if (isDropped(signed)) return signed
  const record = decodeRecord(signed.record)
  return isDropped(record) ? record : record.publicKey
}
