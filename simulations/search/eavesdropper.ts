/**
 * What an attacker on the wire knows: the latest datagrams of each host, its knocks and its record. Sealed records keep
 * nothing from it, because it knows its victims' keys.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { decodeRecord, decodeSignedRecord, type PeerRecord } from '../../src/wire/record.js'
import { decodeStun } from '../../src/wire/stun/message.js'
import type { Unseal } from '../crypto/unsealing.js'
import type { GossipTopic } from '../discovery/gossipIntake.js'
import type { Datagram } from '../network/datagram.js'
import type { Observer } from '../observer.js'

/** A datagram that came in at a host. */
export interface Overheard {
  /** Where it seemed to come from. */
  readonly from: SocketAddress
  /** Where its author sent it: the host's address as seen from there. */
  readonly to: SocketAddress
  readonly bytes: Uint8Array
  readonly author: string
}

/** What a host gossiped. */
export interface Gossiped {
  readonly topic: GossipTopic
  readonly bytes: Uint8Array
}

type Watch = (to: SocketAddress, transactionId: Uint8Array) => void

const MOST_DATAGRAMS = 64
const MOST_KNOCKS = 8
const MOST_GOSSIPED = 16
/** Datagrams on their way at once of which it is remembered where they were sent to. */
const MOST_UNDER_WAY = 512

export interface KnownToEavesdroppers {
  readonly unseal: Unseal
  readonly machines: readonly { readonly name: string; readonly publicKey: PublicKey }[]
}

export class Eavesdropper implements Observer {
  readonly #known: KnownToEavesdroppers
  /** By the bytes, which are the same object on the whole way. */
  readonly #sentTo = new Map<Uint8Array, SocketAddress>()
  readonly #arrived = new Map<string, Overheard[]>()
  readonly #knocks = new Map<string, Uint8Array[]>()
  readonly #gossiped = new Map<string, Gossiped[]>()
  readonly #records = new Map<string, Uint8Array>()
  readonly #watches = new Map<string, Watch>()

  constructor(known: KnownToEavesdroppers) {
    this.#known = known
  }

  sent(host: string, { to, bytes }: Datagram): void {
    this.#watched(host, to, bytes)
    if (this.#sentTo.size >= MOST_UNDER_WAY) {
      const oldest = this.#sentTo.keys().next()
      if (!oldest.done) this.#sentTo.delete(oldest.value)
    }
    this.#sentTo.set(bytes, to)
  }

  arrived(host: string, { from, bytes, author }: Datagram): void {
    const to = this.#sentTo.get(bytes)
    if (to !== undefined)
      latest(this.#arrived, host, { from, to, bytes: bytes.slice(), author }, MOST_DATAGRAMS)
  }

  handled(host: string, _input: Input, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'publish') this.#published(host, effect.sealedRecord)
      else if (effect.type === 'knock') latest(this.#knocks, host, effect.knock.slice(), MOST_KNOCKS)
      const gossiped = gossipOf(effect)
      if (gossiped !== undefined) latest(this.#gossiped, host, gossiped, MOST_GOSSIPED)
    }
  }

  /** Tells of each check that a host sends, as it leaves; undefined for no more. */
  watchChecks(host: string, seen: Watch | undefined): void {
    if (seen === undefined) this.#watches.delete(host)
    else this.#watches.set(host, seen)
  }

  /** What came in at a host, of one author or of all, the latest first. */
  heardAt(host: string, author?: string): readonly Overheard[] {
    const all = this.#arrived.get(host) ?? []
    return all.filter((heard) => author === undefined || heard.author === author).reverse()
  }

  /** Knocks of a host, the latest first. */
  knocksOf(host: string): readonly Uint8Array[] {
    return [...(this.#knocks.get(host) ?? [])].reverse()
  }

  /** What a host gossiped, the oldest first. */
  gossipedBy(host: string): readonly Gossiped[] {
    return [...(this.#gossiped.get(host) ?? [])]
  }

  /** What a host last published, as it was signed. */
  signedRecordOf(host: string): Uint8Array | undefined {
    return this.#records.get(host)
  }

  recordOf(host: string): PeerRecord | undefined {
    const bytes = this.#records.get(host)
    const signed = bytes === undefined ? undefined : decodeSignedRecord(bytes)
    if (signed === undefined || isDropped(signed)) return undefined
    const record = decodeRecord(signed.record)
    return isDropped(record) ? undefined : record
  }

  #published(host: string, sealedRecord: Uint8Array): void {
    const author = this.#known.machines.find(({ name }) => name === host)?.publicKey
    const signedRecord = author === undefined ? undefined : this.#known.unseal(sealedRecord, author)
    if (signedRecord !== undefined) this.#records.set(host, signedRecord)
  }

  #watched(host: string, to: SocketAddress, bytes: Uint8Array): void {
    const seen = this.#watches.get(host)
    if (seen === undefined) return
    const message = decodeStun(bytes)
    if (isDropped(message) || message.messageClass !== 'request' || message.username === undefined) return
    seen(to, message.transactionId.slice())
  }
}

function gossipOf(effect: Effect): Gossiped | undefined {
  if (effect.type === 'publish' && effect.gossip)
    return { topic: 'records', bytes: effect.sealedRecord.slice() }
  if (effect.type === 'gossip-knock') return { topic: 'knocks', bytes: effect.sealedKnock.slice() }
  return undefined
}

function latest<Item>(lists: Map<string, Item[]>, name: string, item: Item, most: number): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else {
    list.push(item)
    if (list.length > most) list.shift()
  }
}
