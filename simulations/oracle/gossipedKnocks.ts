/**
 * A gossiped knock that was heard before, is of another time, was made by nobody's peer, or answers what was not asked
 * causes no datagram. Who holds all keys can tell. A daemon that was started anew hears the newest for the first time.
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import { type Instant, SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { RECORD_SKEW } from '../../src/wire/period.js'
import type { SealedKnockContent, SealedKnockKind } from '../../src/wire/sealedKnock.js'
import { type Host, type Ledger, NEVER, type Side } from './ledger.js'
import type { WatchedNode } from './watched.js'

const NAME = 'no-replay'

/** An answer by gossip is waited for so long (src/engine/directory/knockFallback.ts). */
const ANSWER_MS = 10 * SECOND

interface Pair {
  readonly seen: Record<SealedKnockKind, number>
  /** When we last gossiped a knock that was not answered yet. */
  askedAt: number
}

interface Watched {
  readonly node: WatchedNode
  readonly pairs: Map<Side, Pair>
  /** When the engine wanted to be woken: what is due by then is sent whatever comes in. */
  nextWake: Instant | undefined
}

export class GossipedKnocks {
  readonly statistics = { heard: 0, refused: 0 }
  readonly #ledger: Ledger
  readonly #watched = new WeakMap<Host, Watched>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  handled(host: Host, input: Input, effects: readonly Effect[]): void {
    const { node } = host
    if (node === undefined) return
    let watched = this.#watched.get(host)
    const isNew = watched?.node !== node
    if (watched === undefined || isNew) {
      watched = { node, pairs: new Map(), nextWake: undefined }
      this.#watched.set(host, watched)
    }
    const { instant } = host.machine.clock.now
    const isDue = isNew || (watched.nextWake !== undefined && watched.nextWake <= instant)
    watched.nextWake = node.nextWake
    if (input.type === 'knock-gossiped' || input.type === 'knock-passed')
      this.#heard(host, watched, input.sealedKnock, isDue, effects)
    else if (input.type === 'knock-answered') this.#answered(host, watched, input.peer)
    else if (input.type === 'interface-read') {
      // A peer that is put back begins anew.
      for (const side of [...watched.pairs.keys()]) if (!side.isOnInterface) watched.pairs.delete(side)
    }
    for (const effect of effects)
      if (effect.type === 'gossip-knock') this.#asks(host, watched, effect.sealedKnock)
  }

  #heard(host: Host, watched: Watched, bytes: Uint8Array, isDue: boolean, effects: readonly Effect[]): void {
    this.statistics.heard += 1
    const why = this.#faultOf(host, watched, bytes)
    if (why === undefined) return
    this.statistics.refused += 1
    if (!isDue && effects.some(({ type }) => type === 'send'))
      this.#ledger.report(NAME, host.name, `a gossiped knock ${why}, and it sent a datagram`)
  }

  /** Takes note of it; what is wrong with it, if anything is. */
  #faultOf(host: Host, watched: Watched, bytes: Uint8Array): string | undefined {
    const found = this.#open(host, bytes, (own, peer) => [peer, own])
    if (found === undefined || !found.side.isOnInterface) return 'was for others'
    const { side, content } = found
    const { kind, sequence } = content
    const pair = pairOf(watched, side)
    if (Math.abs(sequence - host.machine.clock.now.unix) > RECORD_SKEW) return 'was of another time'
    if (sequence <= pair.seen[kind]) return 'was heard before'
    pair.seen[kind] = sequence
    if (kind === 'knock') return undefined
    const wasAsked = this.#ledger.now - pair.askedAt <= ANSWER_MS
    pair.askedAt = NEVER
    return wasAsked ? undefined : 'answered what was not asked'
  }

  #answered(host: Host, watched: Watched, peer: PublicKey): void {
    const side = host.sides.get(peer)
    if (side !== undefined) pairOf(watched, side).askedAt = NEVER
  }

  #asks(host: Host, watched: Watched, bytes: Uint8Array): void {
    const found = this.#open(host, bytes, (own, peer) => [own, peer])
    if (found?.content.kind === 'knock') pairOf(watched, found.side).askedAt = this.#ledger.now
  }

  /** Between the host and one of its peers, in the direction that `between` gives. */
  #open(
    host: Host,
    bytes: Uint8Array,
    between: (own: PublicKey, peer: PublicKey) => readonly [PublicKey, PublicKey],
  ): { readonly side: Side; readonly content: SealedKnockContent } | undefined {
    for (const side of host.sides.values()) {
      const [from, to] = between(host.machine.publicKey, side.peer.machine.publicKey)
      const content = this.#ledger.world.unsealKnock(bytes, from, to)
      if (content !== undefined) return { side, content }
    }
    return undefined
  }
}

function pairOf({ pairs }: Watched, side: Side): Pair {
  let pair = pairs.get(side)
  if (pair === undefined) {
    pair = { seen: { knock: 0, answer: 0 }, askedAt: NEVER }
    pairs.set(side, pair)
  }
  return pair
}
