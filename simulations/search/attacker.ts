/**
 * The attacker: somewhere on the internet, able to send from any address, and to hear what is on the wire. It knows all
 * public keys and what every host publishes. It holds no private key but its own, and loses no datagram of others.
 */

import {
  type AddressFamily,
  familyOf,
  isGlobal,
  type SocketAddress,
  sameSocketAddress,
} from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { type Random, randomBelow } from '../../src/base/random.js'
import { asUnixTime, SECOND } from '../../src/base/time.js'
import { tai64n } from '../../src/crypto/tai64n.js'
import type { Effect } from '../../src/engine/effects.js'
import { encodeKnock } from '../../src/wire/knock.js'
import { encodeRecord, encodeSignedRecord, type PeerRecord } from '../../src/wire/record.js'
import { type DecodedStun, decodeStun, isStun } from '../../src/wire/stun/message.js'
import { receiverIndex, senderIndex, wireguardType } from '../../src/wire/wireguard.js'
import type { WireGuardKeys } from '../crypto/cryptography.js'
import { withOneBitChanged } from '../discovery/forgery.js'
import type { Datagram } from '../network/datagram.js'
import type { Eavesdropper, Gossiped, Overheard } from './eavesdropper.js'
import { ATTACK_MS } from './fault.js'
import {
  forgedAnswer,
  forgedCheck,
  forgedData,
  forgedFirstMessage,
  forgedSecondMessage,
  junk,
} from './forgery.js'

/** One of two peers that are to be deceived. */
export interface Victim {
  readonly name: string
  readonly publicKey: PublicKey
}

export interface AttackerOptions {
  readonly random: Random
  readonly heard: Eavesdropper
  /** Its own. */
  readonly keys: WireGuardKeys
  readonly identity: Uint8Array
  /** An address of its own. */
  readonly address: SocketAddress
  /** Sends from whatever address. */
  readonly send: (from: SocketAddress, to: SocketAddress, bytes: Uint8Array) => void
  readonly knock: (effect: Extract<Effect, { readonly type: 'knock' }>) => void
  /** Gossips, and where engines are told everything tells the victim directly. */
  readonly gossip: (victim: Victim, gossiped: Gossiped) => void
  readonly in: (ms: number, action: () => void) => void
  /** The wall clock. */
  readonly unix: () => number
}

/** Between two datagrams of one attack. */
const PACE_MS = 40

/** How soon after a check left it is answered by somebody near. */
const RACE_MS = 1

const SIGNATURE_LENGTH = 64

export class Attacker {
  readonly #options: AttackerOptions
  #isMirror = false

  constructor(options: AttackerOptions) {
    this.#options = options
  }

  /** Sends again what the victim received, from an address of the attacker's. */
  replayDatagrams(victim: Victim, count: number): void {
    const heard = this.#options.heard.heardAt(victim.name).slice(0, count)
    this.#paced(heard.length, (index) => {
      const { to, bytes } = heard[index] ?? {}
      if (to !== undefined && bytes !== undefined) this.#send(this.#address(index), to, bytes)
    })
  }

  /** Checks of `peer` under a user name that was seen, and for a while an answer to each check of the victim's, before the real one. */
  spoofChecks(victim: Victim, peer: Victim, count: number): void {
    const { heard, random } = this.#options
    const [at] = this.#whereIs(victim, peer)
    if (at !== undefined) {
      const username = this.#whereIs(victim, peer)
        .map(({ bytes }) => decodeStun(bytes))
        .find(
          (message): message is DecodedStun => !isDropped(message) && message.username !== undefined,
        )?.username
      this.#paced(count, (turn) =>
        this.#send(this.#spoofed(at.from, turn), at.to, forgedCheck(random, username)),
      )
    }
    heard.watchChecks(victim.name, (to, transactionId) => {
      for (const address of this.#addressesOf(victim, familyOf(to.ip)))
        this.#options.in(RACE_MS, () => this.#send(to, address, forgedAnswer(random, transactionId)))
    })
    this.#options.in(ATTACK_MS, () => heard.watchChecks(victim.name, undefined))
  }

  /** Sends the victim checks that it sent to the peer, and sends back what comes of it. */
  mirrorChecks(victim: Victim, peer: Victim, count: number): void {
    const [at] = this.#whereIs(victim, peer)
    if (at === undefined) return
    const own = this.#options.heard.heardAt(peer.name, victim.name).filter(({ bytes }) => isStun(bytes))
    this.#paced(Math.min(count, own.length), (turn) => {
      const check = own[turn]
      if (check !== undefined) this.#send(this.#address(turn), at.to, check.bytes)
    })
    this.#isMirror = true
    this.#options.in(ATTACK_MS, () => {
      this.#isMirror = false
    })
  }

  /** What comes to an address of the attacker's. */
  received({ from, to, bytes }: Datagram): void {
    if (this.#isMirror) this.#send(to, from, bytes.slice())
  }

  /** Whatever, from anywhere. */
  flood(victim: Victim, perSecond: number, forMs: number): void {
    const { heard, random } = this.#options
    const to = heard.heardAt(victim.name)[0]?.to
    if (to === undefined) return
    const gapMs = SECOND / perSecond
    for (let atMs = 0; atMs < forMs; atMs += gapMs) {
      this.#options.in(atMs, () => {
        const from = { ip: `198.18.${randomBelow(random, 256)}.${1 + randomBelow(random, 254)}`, port: 7 }
        this.#send(randomBelow(random, 2) === 0 ? from : this.#address(0), to, junk(random))
      })
    }
  }

  /** First messages of nobody's and of its own, and second messages for handshakes that the victim began. */
  forgeHandshakes(victim: Victim, peer: Victim, count: number): void {
    const { random, keys, heard } = this.#options
    const [at] = this.#whereIs(victim, peer)
    if (at === undefined) return
    const begun = heard.heardAt(peer.name, victim.name).find(({ bytes }) => wireguardType(bytes) === 1)
    this.#paced(count, (index) => {
      const from = this.#spoofed(at.from, index)
      if (index % 3 === 0) this.#send(from, at.to, forgedFirstMessage(random, victim.publicKey))
      else if (index % 3 === 1) {
        const timestamp = tai64n(asUnixTime(this.#options.unix()))
        const own = keys.createInitiation(victim.publicKey, randomBelow(random, 2 ** 32), timestamp, random)
        this.#send(from, at.to, own)
      } else if (begun !== undefined)
        this.#send(from, at.to, forgedSecondMessage(random, victim.publicKey, senderIndex(begun.bytes)))
    })
  }

  /** Data for the victim's session with the peer, from the peer's address and from another. */
  spoofData(victim: Victim, peer: Victim, count: number): void {
    const { random, heard } = this.#options
    const [at] = this.#whereIs(victim, peer)
    if (at === undefined) return
    const used = heard.heardAt(victim.name, peer.name).find(({ bytes }) => wireguardType(bytes) === 4)
    const index = used === undefined ? undefined : receiverIndex(used.bytes)
    this.#paced(count, (turn) => this.#send(this.#spoofed(at.from, turn), at.to, forgedData(random, index)))
  }

  /** Knocks with knocks of the peer's that were heard; they come from the attacker's own identity. */
  replayKnocks(victim: Victim, peer: Victim, count: number): void {
    const knocks = this.#options.heard.knocksOf(peer.name)
    this.#knockAt(victim, count, (turn) => knocks[turn % Math.max(1, knocks.length)])
  }

  /** What the peer gossiped, the oldest first, in turns as it was and with one bit changed. */
  replayGossip(victim: Victim, peer: Victim, count: number): void {
    const { heard, random, gossip } = this.#options
    const all = heard.gossipedBy(peer.name)
    this.#paced(count, (turn) => {
      const gossiped = all[Math.floor(turn / 2) % Math.max(1, all.length)]
      if (gossiped === undefined) return
      const { topic, bytes } = gossiped
      gossip(victim, { topic, bytes: turn % 2 === 0 ? bytes.slice() : withOneBitChanged(bytes, random) })
    })
  }

  /** Knocks as the peer, at an address of the attacker's: with a record that nobody signed, or signed for another. */
  forgeKnocks(victim: Victim, peer: Victim, count: number): void {
    const { heard, random } = this.#options
    const signed = heard.signedRecordOf(peer.name)
    const record = heard.recordOf(peer.name)
    if (signed === undefined || record === undefined) return
    this.#knockAt(victim, count, (turn) =>
      encodeKnock({ version: 1, signedRecord: turn % 2 === 0 ? this.#forged(record, random) : signed }),
    )
  }

  #knockAt(victim: Victim, count: number, knockOf: (turn: number) => Uint8Array | undefined): void {
    const record = this.#options.heard.recordOf(victim.name)
    if (record === undefined) return
    const { identity, multiaddrs } = record
    this.#paced(count, (turn) => {
      const knock = knockOf(turn)
      if (knock !== undefined)
        this.#options.knock({ type: 'knock', peer: victim.publicKey, identity, multiaddrs, knock })
    })
  }

  /** The peer's record, newer, with the attacker's address and identity. */
  #forged(record: PeerRecord, random: Random): Uint8Array {
    const { identity, address } = this.#options
    const changed: PeerRecord = {
      ...record,
      sequence: record.sequence + 1,
      identity,
      candidates: [{ type: 'server-reflexive', address }],
    }
    return encodeSignedRecord({ record: encodeRecord(changed), signature: random.bytes(SIGNATURE_LENGTH) })
  }

  /** How the peer is seen by the victim, and the victim by the peer. */
  #whereIs(victim: Victim, peer: Victim): readonly Overheard[] {
    return this.#options.heard.heardAt(victim.name, peer.name)
  }

  /** Where the victim may be reached, by what was last sent to it and by what it says of itself. */
  #addressesOf(victim: Victim, family: AddressFamily): readonly SocketAddress[] {
    const { heard } = this.#options
    const known = [
      ...heard
        .heardAt(victim.name)
        .map(({ to }) => to)
        .slice(0, 1),
      ...(heard.recordOf(victim.name)?.candidates ?? []).map(({ address }) => address),
    ].filter(({ ip }) => familyOf(ip) === family && isGlobal(ip))
    return known.filter(
      (address, index) => known.findIndex((other) => sameSocketAddress(other, address)) === index,
    )
  }

  /** In turns an address that is another's, and one of the attacker's. */
  #spoofed(other: SocketAddress, turn: number): SocketAddress {
    return turn % 2 === 0 ? other : this.#address(turn)
  }

  #address(turn: number): SocketAddress {
    const { ip, port } = this.#options.address
    return { ip, port: port + (turn % 4) }
  }

  #send(from: SocketAddress, to: SocketAddress, bytes: Uint8Array): void {
    this.#options.send(from, to, bytes)
  }

  #paced(count: number, act: (index: number) => void): void {
    for (let index = 0; index < count; index++) this.#options.in(index * PACE_MS, () => act(index))
  }
}
