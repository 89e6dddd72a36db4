/**
 * Knocks that are gossiped: whose one is, whether it is new, and sealing our own.
 *
 * Everybody in the mesh gets them, and anybody may have kept one to send it again. So the cheap questions come first: is
 * it under a name of one of our peers? did that peer seal it? is it newer than all before, and of our time? Only then it
 * costs a place among the knocks that are answered, and a signature to verify (knockDoor.ts).
 */

import { type Dropped, drop, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import type { UnixTime } from '../../base/time.js'
import { epochOf, type PairKeys } from '../../crypto/pair.js'
import { openKnock, sealKnock } from '../../crypto/sealedKnock.js'
import { decodeKnock, encodeKnock, type Knock } from '../../wire/knock.js'
import { RECORD_SKEW } from '../../wire/period.js'
import { type SealedKnockKind, sealedKnockName } from '../../wire/sealedKnock.js'
import { PairNames } from '../pairNames.js'
import { OwnSequence } from './ownSequence.js'

/** What a peer says by gossip. */
export interface GossipedKnock {
  readonly peer: PublicKey
  readonly kind: SealedKnockKind
  /** Its record is still to be verified. */
  readonly knock: Knock
}

interface Pair {
  readonly keys: PairKeys['knocks']
  /** The highest sequence of each kind that came in. Gossip may overtake gossip: a knock does not outdate an answer. */
  readonly seen: Record<SealedKnockKind, number>
}

export class SealedKnocks {
  readonly #random: Random
  readonly #names = new PairNames<PublicKey>()
  readonly #pairs = new Map<PublicKey, Pair>()
  readonly #sequence = new OwnSequence(0)

  constructor(random: Random) {
    this.#random = random
  }

  add(peer: PublicKey, { knocks: keys }: PairKeys): void {
    this.#pairs.set(peer, { keys, seen: { knock: 0, answer: 0 } })
    this.#names.add(peer, keys.incoming)
  }

  remove(peer: PublicKey): void {
    this.#pairs.delete(peer)
    this.#names.remove(peer)
  }

  /** A knock on a peer, or an answer to one, sealed to be gossiped; undefined where it is no peer. */
  seal(peer: PublicKey, kind: SealedKnockKind, knock: Knock, now: UnixTime): Uint8Array | undefined {
    const pair = this.#pairs.get(peer)
    if (pair === undefined) return undefined
    const content = { kind, sequence: this.#sequence.next(now), knock: encodeKnock(knock) }
    return sealKnock(pair.keys.outgoing, content, epochOf(now), this.#random)
  }

  /** What came in by gossip. Nothing is taken twice. */
  open(sealedKnock: Uint8Array, now: UnixTime): GossipedKnock | Dropped {
    const name = sealedKnockName(sealedKnock)
    if (name === undefined) return drop('knock-malformed')
    const peer = this.#names.find(name, now)
    const pair = peer === undefined ? undefined : this.#pairs.get(peer)
    if (peer === undefined || pair === undefined) return drop('knock-for-others')
    const content = openKnock(pair.keys.incoming, sealedKnock)
    if (isDropped(content)) return content
    const { kind, sequence } = content
    if (Math.abs(sequence - now) > RECORD_SKEW) return drop('knock-stale')
    const seen = pair.seen[kind]
    // One further ahead than that was taken while our clock was wrong, and would have us refuse all for as long.
    if (sequence <= seen && seen <= now + RECORD_SKEW) return drop('knock-replayed')
    pair.seen[kind] = sequence
    // An answer has the layout of a knock.
    const knock = decodeKnock(content.knock)
    return isDropped(knock) ? knock : { peer, kind, knock }
  }
}
