/**
 * WireGuard as seen from outside: its messages at the right times, after the whitepaper and wireguard-go.
 *
 * First messages are real. A second message and data are authenticated by a hash that only the two can compute, which
 * stands in for the encryption. What it faithfully does:
 * - it takes a second message only for its newest first message, and forgets that when it takes the peer's first message;
 * - it refuses a first message that is not newer than the peer's last, or that comes within 20 ms of it;
 * - the responder sends data only after it has received some;
 * - it repeats a first message after 5 s, rekeys after 120 s, ends a session after 180 s, answers data after 10 s with a
 *   keepalive, and begins anew when data went unanswered for 15 s;
 * - its endpoint for a peer is where the last authentic message came from.
 */

import { createHash } from 'node:crypto'
import { equals } from 'uint8arrays'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { type Random, randomBelow } from '../../../src/base/random.js'
import { elapsed, type Instant, SECOND, type UnixTime } from '../../../src/base/time.js'
import { createInitiation, openInitiation } from '../../../src/crypto/initiation.js'
import { computeMac1, mac1Key, mac1Matches } from '../../../src/crypto/mac1.js'
import { compareTai64n, tai64n } from '../../../src/crypto/tai64n.js'
import { type X25519KeyPair, x25519, x25519KeyPair } from '../../../src/crypto/x25519.js'
import type { InterfacePeer } from '../../../src/engine/inputs.js'
import {
  decodeResponse,
  decodeTransport,
  encodeResponse,
  encodeTransport,
  MAC_LENGTH,
  mac1Of,
  receiverIndex,
  senderIndex,
  wireguardType,
} from '../../../src/wire/wireguard.js'
import { type EventQueue, Timer } from './eventQueue.js'

const REKEY_AFTER_MS = 120 * SECOND
const REJECT_AFTER_MS = 180 * SECOND
const REKEY_TIMEOUT_MS = 5 * SECOND
const KEEPALIVE_MS = 10 * SECOND
const MAX_ATTEMPTS = 18
const JITTER_MS = 334
const FLOOD_MS = 20
const MAX_QUEUED = 128
const TAG_LENGTH = 16

interface Session {
  readonly ours: number
  readonly theirs: number
  readonly secret: Uint8Array
  readonly isInitiator: boolean
  readonly madeAt: Instant
  sent: bigint
  readonly received: Set<bigint>
}

export interface WireGuardOptions {
  readonly privateKey: Uint8Array
  readonly queue: EventQueue
  readonly random: Random
  readonly send: (datagram: Uint8Array, to: SocketAddress) => void
  /** A packet came out of the tunnel. */
  readonly onPacket: (peer: PublicKey, packet: Uint8Array) => void
}

export class WireGuard {
  readonly publicKey: PublicKey
  readonly #own: X25519KeyPair
  readonly #mac1Key: Uint8Array
  readonly #options: WireGuardOptions
  readonly #peers = new Map<PublicKey, Peer>()

  constructor(options: WireGuardOptions) {
    this.#options = options
    this.#own = x25519KeyPair(options.privateKey)
    this.#mac1Key = mac1Key(this.#own.publicKey)
    this.publicKey = publicKeyFromBytes(this.#own.publicKey)
  }

  addPeer(key: PublicKey, endpoint?: SocketAddress): void {
    this.#peers.set(key, new Peer(key, endpoint, this.#own, this.#options))
  }

  removePeer(key: PublicKey): void {
    this.#peers.get(key)?.stop()
    this.#peers.delete(key)
  }

  setEndpoint(key: PublicKey, endpoint: SocketAddress): void {
    const peer = this.#peers.get(key)
    if (peer !== undefined) peer.endpoint = endpoint
  }

  /** What `wg show … dump` says. */
  get peers(): readonly InterfacePeer[] {
    return [...this.#peers.values()].map(({ key, endpoint, latestHandshake }) => ({
      publicKey: key,
      endpoint,
      isLinkLocal: false,
      latestHandshake,
    }))
  }

  /** Sends a packet through the tunnel, or keeps it until there is a session. */
  sendPacket(key: PublicKey, packet: Uint8Array): void {
    this.#peers.get(key)?.queuePacket(packet)
  }

  /** A message came to WireGuard's own port, from the network or from a loopback endpoint. */
  receive(datagram: Uint8Array, from: SocketAddress): void {
    const type = wireguardType(datagram)
    if ((type === 1 || type === 2) && !mac1Matches(this.#mac1Key, datagram)) return
    if (type === 1) {
      const opened = openInitiation(this.#own, datagram)
      if (!isDropped(opened)) this.#peers.get(opened.peer)?.firstMessage(datagram, opened.timestamp, from)
      return
    }
    if (type !== 2 && type !== 4) return
    for (const peer of this.#peers.values()) {
      if (type === 2 ? peer.secondMessage(datagram, from) : peer.data(datagram, from)) return
    }
  }
}

class Peer {
  readonly key: PublicKey
  endpoint: SocketAddress | undefined
  latestHandshake: UnixTime | undefined = undefined
  readonly #own: X25519KeyPair
  readonly #options: WireGuardOptions
  readonly #shared: Uint8Array
  readonly #mac1Key: Uint8Array
  readonly #queued: Uint8Array[] = []
  /** Our first message that waits for its second. */
  #handshake: { readonly index: number; readonly firstMessage: Uint8Array } | undefined = undefined
  #handshakeSentAt = Number.NEGATIVE_INFINITY as Instant
  #heardFirstAt = Number.NEGATIVE_INFINITY as Instant
  #attempts = 0
  #ownTimestamp: Uint8Array | undefined = undefined
  #theirTimestamp: Uint8Array | undefined = undefined
  #previous: Session | undefined = undefined
  #current: Session | undefined = undefined
  /** Made by our second message; not confirmed by data yet. */
  #next: Session | undefined = undefined
  #oweAnotherKeepalive = false
  readonly #repeat: Timer
  readonly #keepalive: Timer
  readonly #renew: Timer

  constructor(
    key: PublicKey,
    endpoint: SocketAddress | undefined,
    own: X25519KeyPair,
    options: WireGuardOptions,
  ) {
    this.key = key
    this.endpoint = endpoint
    this.#own = own
    this.#options = options
    this.#mac1Key = mac1Key(publicKeyBytes(key))
    this.#shared = x25519(own.privateKey, publicKeyBytes(key)) ?? new Uint8Array(32)
    const { queue } = options
    this.#repeat = new Timer(queue, () => this.#repeatFirstMessage())
    this.#keepalive = new Timer(queue, () => this.#keepaliveDue())
    this.#renew = new Timer(queue, () => this.#begin(false))
  }

  stop(): void {
    for (const timer of [this.#repeat, this.#keepalive, this.#renew]) timer.clear()
  }

  queuePacket(packet: Uint8Array): void {
    if (this.#queued.length >= MAX_QUEUED) this.#queued.shift()
    this.#queued.push(packet)
    this.#sendQueued()
  }

  /** The peer's first message, opened. */
  firstMessage(datagram: Uint8Array, timestamp: Uint8Array, from: SocketAddress): void {
    const { queue, random } = this.#options
    if (this.#theirTimestamp !== undefined && compareTai64n(timestamp, this.#theirTimestamp) <= 0) return
    if (elapsed(this.#heardFirstAt, this.#instant) <= FLOOD_MS) return
    this.#heardFirstAt = this.#instant
    this.#theirTimestamp = timestamp
    this.#handshake = undefined
    this.endpoint = from
    this.#renew.clear()

    const ephemeral = random.bytes(32)
    const ours = this.#newIndex()
    const second = encodeResponse({
      senderIndex: ours,
      receiverIndex: senderIndex(datagram),
      ephemeral,
      encryptedNothing: this.#secret(datagram, ephemeral).slice(0, TAG_LENGTH),
      mac1: new Uint8Array(MAC_LENGTH),
      mac2: new Uint8Array(MAC_LENGTH),
    })
    mac1Of(second).set(computeMac1(this.#mac1Key, second))
    this.#previous = undefined
    this.#next = {
      ours,
      theirs: senderIndex(datagram),
      secret: this.#secret(datagram, ephemeral),
      isInitiator: false,
      madeAt: queue.now.instant,
      sent: 0n,
      received: new Set(),
    }
    this.#handshakeSentAt = this.#instant
    this.#transmit(second)
  }

  /** True where it answers our first message. */
  secondMessage(datagram: Uint8Array, from: SocketAddress): boolean {
    const begun = this.#handshake
    const second = decodeResponse(datagram)
    if (begun === undefined || isDropped(second) || begun.index !== second.receiverIndex) return false
    const secret = this.#secret(begun.firstMessage, second.ephemeral)
    if (!equals(second.encryptedNothing, secret.subarray(0, TAG_LENGTH))) return false
    this.#handshake = undefined
    this.endpoint = from
    this.#previous = this.#next ?? this.#current
    this.#next = undefined
    this.#current = {
      ours: begun.index,
      theirs: second.senderIndex,
      secret,
      isInitiator: true,
      madeAt: this.#instant,
      sent: 0n,
      received: new Set(),
    }
    this.#renew.clear()
    this.#handshakeComplete()
    if (this.#queued.length === 0) this.#queued.push(new Uint8Array(0))
    this.#sendQueued()
    return true
  }

  /** True where it is authentic data of a session of ours. */
  data(datagram: Uint8Array, from: SocketAddress): boolean {
    const session = [this.#current, this.#previous, this.#next].find(
      (known) => known?.ours === receiverIndex(datagram),
    )
    const message = decodeTransport(datagram)
    if (session === undefined || isDropped(message) || this.#isDead(session)) return false
    const packet = message.encryptedPacket.slice(0, -TAG_LENGTH)
    const tag = message.encryptedPacket.subarray(packet.length)
    if (!equals(tag, tagOf(session.secret, !session.isInitiator, message.counter, packet))) return false
    if (session.received.has(message.counter)) return false
    session.received.add(message.counter)

    this.endpoint = from
    this.#renew.clear()
    if (session === this.#next) {
      this.#previous = this.#current
      this.#current = session
      this.#next = undefined
      this.#handshakeComplete()
      this.#sendQueued()
    }
    const age = elapsed(session.madeAt, this.#instant)
    if (session.isInitiator && age > REJECT_AFTER_MS - KEEPALIVE_MS - REKEY_TIMEOUT_MS) this.#begin(false)
    if (packet.length > 0) {
      if (this.#keepalive.pending) this.#oweAnotherKeepalive = true
      else this.#keepalive.set(KEEPALIVE_MS)
      this.#options.onPacket(this.key, packet)
    }
    return true
  }

  get #instant(): Instant {
    return this.#options.queue.now.instant
  }

  #sendQueued(): void {
    if (this.#queued.length === 0) return
    const session = this.#current
    if (session === undefined || this.#isDead(session)) {
      this.#begin(false)
      return
    }
    for (const packet of this.#queued.splice(0)) this.#sendData(session, packet)
    if (session.isInitiator && elapsed(session.madeAt, this.#instant) > REKEY_AFTER_MS) this.#begin(false)
  }

  #sendData(session: Session, packet: Uint8Array): void {
    const counter = session.sent++
    const tag = tagOf(session.secret, session.isInitiator, counter, packet)
    const encryptedPacket = new Uint8Array(packet.length + TAG_LENGTH)
    encryptedPacket.set(packet)
    encryptedPacket.set(tag, packet.length)
    this.#transmit(encodeTransport({ receiverIndex: session.theirs, counter, encryptedPacket }))
    if (packet.length > 0 && !this.#renew.pending)
      this.#renew.set(KEEPALIVE_MS + REKEY_TIMEOUT_MS + this.#jitter())
  }

  #begin(again: boolean): void {
    if (!again) this.#attempts = 0
    if (this.endpoint === undefined) return
    if (elapsed(this.#handshakeSentAt, this.#instant) < REKEY_TIMEOUT_MS) return
    this.#handshakeSentAt = this.#instant
    const index = this.#newIndex()
    const firstMessage = createInitiation(
      { initiator: this.#own, responder: this.key, senderIndex: index, timestamp: this.#timestamp() },
      this.#options.random,
    )
    this.#handshake = { index, firstMessage }
    this.#transmit(firstMessage)
    this.#repeat.set(REKEY_TIMEOUT_MS + this.#jitter())
  }

  #repeatFirstMessage(): void {
    if (this.#attempts > MAX_ATTEMPTS) {
      this.#keepalive.clear()
      this.#queued.length = 0
      return
    }
    this.#attempts += 1
    this.#begin(true)
  }

  #handshakeComplete(): void {
    this.#repeat.clear()
    this.#attempts = 0
    this.latestHandshake = (Math.floor(this.#options.queue.now.unix / SECOND) * SECOND) as UnixTime
  }

  #keepaliveDue(): void {
    this.#sendKeepalive()
    if (!this.#oweAnotherKeepalive) return
    this.#oweAnotherKeepalive = false
    this.#keepalive.set(KEEPALIVE_MS)
  }

  #sendKeepalive(): void {
    if (this.#queued.length === 0) this.#queued.push(new Uint8Array(0))
    this.#sendQueued()
  }

  #transmit(datagram: Uint8Array): void {
    if (this.endpoint === undefined) return
    this.#keepalive.clear()
    this.#options.send(datagram, this.endpoint)
  }

  #isDead(session: Session): boolean {
    return elapsed(session.madeAt, this.#instant) >= REJECT_AFTER_MS
  }

  /** Newer than the last, also within one millisecond. */
  #timestamp(): Uint8Array {
    const fresh = tai64n(this.#options.queue.now.unix)
    const last = this.#ownTimestamp
    if (last !== undefined && compareTai64n(fresh, last) <= 0) {
      fresh.set(last)
      const view = new DataView(fresh.buffer)
      view.setUint32(8, view.getUint32(8) + 1)
    }
    this.#ownTimestamp = fresh
    return fresh
  }

  /** Known to the two ends of a handshake only. */
  #secret(firstMessage: Uint8Array, ephemeral: Uint8Array): Uint8Array {
    return createHash('sha256').update(this.#shared).update(firstMessage).update(ephemeral).digest()
  }

  #newIndex(): number {
    return randomBelow(this.#options.random, 2 ** 32)
  }

  #jitter(): number {
    return randomBelow(this.#options.random, JITTER_MS)
  }
}

function tagOf(secret: Uint8Array, byInitiator: boolean, counter: bigint, packet: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(secret)
    .update(`${byInitiator} ${counter}`)
    .update(packet)
    .digest()
    .subarray(0, TAG_LENGTH)
}
