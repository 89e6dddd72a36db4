/**
 * One session of WireGuard's (a keypair, as the kernel calls it), and its transport data. A packet travels in the clear
 * with a tag in place of the encryption; the layout is that of src/wire/wireguard.ts.
 */

import type { Instant } from '../../src/base/time.js'
import { readUint32LE, writeUint32LE } from '../../src/wire/integers.js'
import { MIN_TRANSPORT_LENGTH } from '../../src/wire/wireguard.js'
import { TAG_LENGTH, type WireGuardKeys } from '../crypto/cryptography.js'
import { ReplayWindow } from './replayWindow.js'

const PACKET_AT = MIN_TRANSPORT_LENGTH - TAG_LENGTH
const HALF = 2 ** 32

/** Beyond this a counter is no exact number. No session gets so far. */
const MAX_HIGH_HALF = 2 ** 21

export interface SessionParts {
  readonly ourIndex: number
  readonly peerIndex: number
  /** 32 bytes. */
  readonly secret: Uint8Array
  readonly isInitiator: boolean
  /** By CLOCK_BOOTTIME. */
  readonly madeAt: Instant
}

export class Session {
  readonly ourIndex: number
  readonly isInitiator: boolean
  readonly madeAt: Instant
  readonly #peerIndex: number
  readonly #secret: Uint8Array
  readonly #received = new ReplayWindow()
  #sent = 0

  constructor(parts: SessionParts) {
    this.ourIndex = parts.ourIndex
    this.isInitiator = parts.isInitiator
    this.madeAt = parts.madeAt
    this.#peerIndex = parts.peerIndex
    this.#secret = parts.secret
  }

  /** The message that carries a packet: a keepalive where that is empty. */
  seal(keys: WireGuardKeys, packet: Uint8Array): Uint8Array {
    const counter = this.#sent++
    const datagram = new Uint8Array(PACKET_AT + packet.length + TAG_LENGTH)
    datagram[0] = 4
    writeUint32LE(datagram, 4, this.#peerIndex)
    writeUint32LE(datagram, 8, counter % HALF)
    writeUint32LE(datagram, 12, Math.floor(counter / HALF))
    datagram.set(packet, PACKET_AT)
    const tag = keys.tag(this.#secret, this.isInitiator, counter, packet)
    datagram.set(tag, PACKET_AT + packet.length)
    return datagram
  }

  /** The packet in a message for this session: a view. Undefined where the message is not authentic, or came before. */
  open(keys: WireGuardKeys, datagram: Uint8Array): Uint8Array | undefined {
    const high = readUint32LE(datagram, 12)
    if (high >= MAX_HIGH_HALF) return undefined
    const counter = high * HALF + readUint32LE(datagram, 8)
    const end = datagram.length - TAG_LENGTH
    const packet = datagram.subarray(PACKET_AT, end)
    const tag = keys.tag(this.#secret, !this.isInitiator, counter, packet)
    for (let at = 0; at < TAG_LENGTH; at++) if (tag[at] !== datagram[end + at]) return undefined
    return this.#received.accept(counter) ? packet : undefined
  }
}
