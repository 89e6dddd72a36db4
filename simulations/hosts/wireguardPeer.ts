/**
 * One peer of a WireGuard interface: its handshakes, its sessions and its timers, after the kernel's driver
 * (drivers/net/wireguard: timers.c, send.c, receive.c, noise.c) and sections 5 and 6 of the whitepaper.
 *
 *   packet ─► queued ─► current session ─► data
 *                └─ none ─► first message, again after 5 s for 90 s ─► second message ─► session, and data at once
 *
 * - A responder sends nothing under a session before data has confirmed it (keypairs.ts).
 * - The initiator of a session renews it when it sends after 120 s, or receives after 165 s; it ends after 180 s.
 * - Data that was received is answered within 10 s, if with nothing else with a keepalive. Data that was sent and is
 *   answered by nothing for 15 s begins a handshake.
 * - All keys are forgotten 540 s after the last session was made.
 * - Ages are taken from CLOCK_BOOTTIME, timers from jiffies, which stand still while the host sleeps.
 *
 * Left out: load and cookies, and that the kernel's timers of seconds fire up to an eighth late (its timer wheel).
 */

import { type SocketAddress, sameSocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import { type Random, randomBelow } from '../../src/base/random.js'
import { asUnixTime, type Instant, SECOND, type UnixTime } from '../../src/base/time.js'
import { computeMac1, mac1Key } from '../../src/crypto/mac1.js'
import { compareTai64n, tai64n } from '../../src/crypto/tai64n.js'
import {
  decodeResponse,
  encodeResponse,
  MAC_LENGTH,
  mac1Of,
  receiverIndex,
  senderIndex,
} from '../../src/wire/wireguard.js'
import { TAG_LENGTH, type WireGuardKeys } from '../crypto/cryptography.js'
import { type HostClock, hasPassed, Timer } from './clock.js'
import { Keypairs } from './keypairs.js'
import { Liveness } from './liveness.js'
import {
  drawJitterMs,
  FLOOD_MS,
  FORGET_AFTER_MS,
  KEEPALIVE_TIMEOUT_MS,
  REJECT_AFTER_MS,
  REKEY_AFTER_MS,
  REKEY_ATTEMPT_MS,
  REKEY_TIMEOUT_MS,
} from './protocolTimes.js'
import { Session } from './session.js'

/** How often a first message is repeated, at the least; then comes one more (MAX_TIMER_HANDSHAKES). */
const MAX_REPEATS = REKEY_ATTEMPT_MS / REKEY_TIMEOUT_MS

/** The initiator renews a session when it receives at this age: later it may have no occasion. */
const LAST_MINUTE_MS = REJECT_AFTER_MS - KEEPALIVE_TIMEOUT_MS - REKEY_TIMEOUT_MS

/** Timestamps are whole multiples of so many nanoseconds: who made them is not told more exactly (noise.c, tai64n_now). */
const TIMESTAMP_STEP_NS = 2 ** 24

/** MAX_STAGED_PACKETS. */
const MAX_QUEUED = 128

const NEVER = Number.NEGATIVE_INFINITY as Instant
const KEEPALIVE = new Uint8Array(0)

/** What the peers of one interface share. */
export interface PeerContext {
  readonly keys: WireGuardKeys
  readonly clock: HostClock
  readonly random: Random
  /** Our indices of handshakes that wait for a second message, and of sessions. */
  readonly handshakes: Map<number, WireGuardPeer>
  readonly sessions: Map<number, WireGuardPeer>
  /** `source` is the address of ours at which the peer last spoke to us, if that is known. */
  readonly send: (datagram: Uint8Array, to: SocketAddress, source: string | undefined) => void
  /** A packet came out of the tunnel: a view. */
  readonly onPacket: (peer: PublicKey, packet: Uint8Array) => void
  /** What `wg show` prints of a peer is another now. */
  readonly onChange: () => void
}

export class WireGuardPeer {
  readonly key: PublicKey
  /** When the last handshake was complete, in whole seconds as `wg` prints it. */
  latestHandshake: UnixTime | undefined = undefined
  readonly #context: PeerContext
  readonly #keepaliveMs: number
  readonly #mac1Key: Uint8Array
  readonly #queued: Uint8Array[] = []
  readonly #keypairs: Keypairs<WireGuardPeer>
  #endpoint: SocketAddress | undefined
  #source: string | undefined = undefined
  /** Our first message that waits for its second. */
  #begun: { readonly index: number; readonly firstMessage: Uint8Array } | undefined = undefined
  #handshakeSentAt = NEVER
  #heardFirstAt = NEVER
  #peerTimestamp: Uint8Array | undefined = undefined
  #repeats = 0
  #askedLastMinute = false
  readonly #liveness: Liveness
  readonly #repeat: Timer
  readonly #forget: Timer

  constructor(
    key: PublicKey,
    endpoint: SocketAddress | undefined,
    keepaliveMs: number,
    context: PeerContext,
  ) {
    this.key = key
    this.#endpoint = endpoint
    this.#keepaliveMs = keepaliveMs
    this.#context = context
    this.#mac1Key = mac1Key(publicKeyBytes(key))
    const { clock, random, sessions } = context
    this.#keypairs = new Keypairs<WireGuardPeer>(this, sessions)
    this.#liveness = new Liveness({
      clock,
      random,
      persistentMs: keepaliveMs,
      sendKeepalive: () => this.#sendKeepalive(),
      nothingHeard: () => this.#nothingHeard(),
    })
    this.#repeat = new Timer(clock, () => this.#repeatFirstMessage())
    this.#forget = new Timer(clock, () => this.#forgetKeys())
  }

  /** It is a peer from now on. */
  start(): void {
    if (this.#keepaliveMs > 0) this.#sendKeepalive()
  }

  get endpoint(): SocketAddress | undefined {
    return this.#endpoint
  }

  /** As `wg set` does it. */
  setEndpoint(endpoint: SocketAddress): void {
    this.#heardFrom(endpoint, undefined)
  }

  /** It is a peer no longer. */
  stop(): void {
    this.#liveness.stop()
    this.#repeat.clear()
    this.#forget.clear()
    this.#forgetKeys()
  }

  /** The host is about to be suspended (device.c, wg_pm_notification). */
  suspend(): void {
    this.#forget.clear()
    this.#forgetKeys()
  }

  /** The application sends a packet: at once, or when there is a session. Without an endpoint it is refused. */
  sendPacket(packet: Uint8Array): void {
    if (this.#endpoint === undefined) return
    while (this.#queued.length > MAX_QUEUED) this.#queued.shift()
    this.#queued.push(packet)
    this.#sendQueued()
  }

  /** The peer's first message came, and was opened. */
  firstMessageReceived(
    datagram: Uint8Array,
    timestamp: Uint8Array,
    from: SocketAddress,
    source: string | undefined,
  ): void {
    const now = this.#context.clock.bootTime
    if (this.#peerTimestamp !== undefined && compareTai64n(timestamp, this.#peerTimestamp) <= 0) return
    if (!hasPassed(this.#heardFirstAt, FLOOD_MS, now)) return
    this.#heardFirstAt = now
    this.#peerTimestamp = timestamp
    this.#heardFrom(from, source)
    this.#answer(datagram, now)
    this.#liveness.authenticReceived()
  }

  /** A second message came for an index of ours. */
  secondMessageReceived(datagram: Uint8Array, from: SocketAddress, source: string | undefined): void {
    const begun = this.#begun
    const second = decodeResponse(datagram)
    if (begun === undefined || isDropped(second) || begun.index !== second.receiverIndex) return
    const secret = this.#context.keys.sessionSecret(this.key, begun.firstMessage, second.ephemeral)
    for (let at = 0; at < TAG_LENGTH; at++) if (second.encryptedNothing[at] !== secret[at]) return
    this.#heardFrom(from, source)
    this.#forgetHandshake()
    this.#addSession(begun.index, second.senderIndex, secret, true)
    this.#handshakeComplete()
    // What waits, or a keepalive, confirms the session to the peer.
    this.#sendKeepalive()
    this.#liveness.authenticReceived()
  }

  /** Data came for the index of a session of ours. */
  dataReceived(datagram: Uint8Array, from: SocketAddress, source: string | undefined): void {
    const { clock, keys } = this.#context
    const session = this.#keypairs.find(receiverIndex(datagram))
    if (session === undefined || hasPassed(session.madeAt, REJECT_AFTER_MS, clock.bootTime)) return
    const packet = session.open(keys, datagram)
    if (packet === undefined) return
    this.#heardFrom(from, source)
    if (this.#keypairs.confirm(session)) {
      this.#handshakeComplete()
      this.#sendQueued()
    }
    this.#renewAtLastMinute()
    this.#liveness.authenticReceived()
    if (packet.length === 0) return
    this.#liveness.dataReceived()
    this.#context.onPacket(this.key, packet)
  }

  // Sending

  #sendQueued(): void {
    if (this.#queued.length === 0) return
    const { clock, keys } = this.#context
    const session = this.#keypairs.current
    if (session === undefined || hasPassed(session.madeAt, REJECT_AFTER_MS, clock.bootTime)) {
      this.#begin(false)
      return
    }
    let sentData = false
    for (let packet = this.#queued.shift(); packet !== undefined; packet = this.#queued.shift()) {
      this.#send(session.seal(keys, packet))
      if (packet.length > 0) sentData = true
    }
    if (sentData) this.#liveness.dataSent()
    if (session.isInitiator && hasPassed(session.madeAt, REKEY_AFTER_MS, clock.bootTime)) this.#begin(false)
  }

  #sendKeepalive(): void {
    if (this.#queued.length === 0) this.#queued.push(KEEPALIVE)
    this.#sendQueued()
  }

  #send(datagram: Uint8Array): void {
    this.#liveness.authenticSent()
    if (this.#endpoint !== undefined) this.#context.send(datagram, this.#endpoint, this.#source)
  }

  // Handshakes

  #begin(isRepeat: boolean): void {
    if (!isRepeat) this.#repeats = 0
    const { clock, keys, random, handshakes } = this.#context
    if (!hasPassed(this.#handshakeSentAt, REKEY_TIMEOUT_MS, clock.bootTime)) return
    this.#handshakeSentAt = clock.bootTime
    this.#forgetHandshake()
    const index = this.#newIndex()
    const firstMessage = keys.createInitiation(this.key, index, timestampOf(clock.unix), random)
    this.#begun = { index, firstMessage }
    handshakes.set(index, this)
    this.#send(firstMessage)
    this.#repeat.set(REKEY_TIMEOUT_MS + drawJitterMs(random))
  }

  #repeatFirstMessage(): void {
    if (this.#repeats > MAX_REPEATS) {
      this.#liveness.gaveUp()
      this.#queued.length = 0
      if (!this.#forget.pending) this.#forget.set(FORGET_AFTER_MS)
      return
    }
    this.#repeats += 1
    this.#source = undefined
    this.#begin(true)
  }

  /** Sends the second message to a first one, and makes the session that data has to confirm. */
  #answer(firstMessage: Uint8Array, now: Instant): void {
    const { keys, random } = this.#context
    this.#handshakeSentAt = now
    this.#forgetHandshake()
    const ephemeral = random.bytes(32)
    const index = this.#newIndex()
    const secret = keys.sessionSecret(this.key, firstMessage, ephemeral)
    const second = encodeResponse({
      senderIndex: index,
      receiverIndex: senderIndex(firstMessage),
      ephemeral,
      encryptedNothing: secret.subarray(0, TAG_LENGTH),
      mac1: new Uint8Array(MAC_LENGTH),
      mac2: new Uint8Array(MAC_LENGTH),
    })
    mac1Of(second).set(computeMac1(this.#mac1Key, second))
    this.#addSession(index, senderIndex(firstMessage), secret, false)
    this.#send(second)
  }

  #handshakeComplete(): void {
    this.#repeat.clear()
    this.#repeats = 0
    this.#askedLastMinute = false
    this.latestHandshake = asUnixTime(Math.floor(this.#context.clock.unix / SECOND) * SECOND)
    this.#context.onChange()
  }

  #renewAtLastMinute(): void {
    const session = this.#keypairs.current
    if (this.#askedLastMinute || session === undefined || !session.isInitiator) return
    if (!hasPassed(session.madeAt, LAST_MINUTE_MS, this.#context.clock.bootTime)) return
    this.#askedLastMinute = true
    this.#begin(false)
  }

  #nothingHeard(): void {
    this.#source = undefined
    this.#begin(false)
  }

  #heardFrom(endpoint: SocketAddress, source: string | undefined): void {
    this.#source = source
    if (this.#endpoint !== undefined && sameSocketAddress(this.#endpoint, endpoint)) return
    this.#endpoint = endpoint
    this.#context.onChange()
  }

  // Keys

  #addSession(ourIndex: number, peerIndex: number, secret: Uint8Array, isInitiator: boolean): void {
    const madeAt = this.#context.clock.bootTime
    this.#keypairs.add(new Session({ ourIndex, peerIndex, secret, isInitiator, madeAt }))
    this.#forget.set(FORGET_AFTER_MS)
  }

  #forgetHandshake(): void {
    if (this.#begun !== undefined) this.#context.handshakes.delete(this.#begun.index)
    this.#begun = undefined
  }

  #forgetKeys(): void {
    this.#forgetHandshake()
    this.#keypairs.clear()
  }

  #newIndex(): number {
    const { random, handshakes, sessions } = this.#context
    for (;;) {
      const index = randomBelow(random, 2 ** 32)
      if (!handshakes.has(index) && !sessions.has(index)) return index
    }
  }
}

function timestampOf(unix: UnixTime): Uint8Array {
  const timestamp = tai64n(unix)
  const view = new DataView(timestamp.buffer, timestamp.byteOffset)
  const nanoseconds = view.getUint32(8)
  view.setUint32(8, nanoseconds - (nanoseconds % TIMESTAMP_STEP_NS))
  return timestamp
}
