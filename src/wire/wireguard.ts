/**
 * WireGuard's four messages (whitepaper section 5.4). We read their outsides and pass them on unaltered.
 * Integers are little-endian; offsets are in bytes.
 *
 * ```
 *  1, first message (handshake initiation)     2, second message (handshake response)
 *    0  type = 1, three zero bytes               0  type = 2, three zero bytes
 *    4  sender index          4                  4  sender index             4
 *    8  ephemeral            32                  8  receiver index           4
 *   40  encrypted static     48                 12  ephemeral               32
 *   88  encrypted timestamp  28                 44  encrypted nothing       16
 *  116  mac1                 16                 60  mac1                    16
 *  132  mac2                 16                 76  mac2                    16
 *  148                                          92
 *
 *  3, cookie reply                             4, transport data
 *    0  type = 3, three zero bytes               0  type = 4, three zero bytes
 *    4  receiver index        4                  4  receiver index           4
 *    8  nonce                24                  8  counter                  8
 *   32  encrypted cookie     32                 16  encrypted packet         n, at least 16
 *   64                                          16 + n
 * ```
 *
 * The whitepaper pads packets in transport data to a multiple of 16 bytes. Its implementations stop at the
 * interface's MTU, and the usual 1420 is no such multiple: full packets are 1452 bytes long. So any length from
 * 32 bytes up is taken, as Linux and wireguard-go do.
 */

import { type Dropped, drop } from '../base/drops.js'
import { readUint32LE, writeUint32LE } from './integers.js'

/** 1 first message, 2 second message, 3 cookie reply, 4 transport data. */
export type WireGuardType = 1 | 2 | 3 | 4

export const INITIATION_LENGTH = 148
export const RESPONSE_LENGTH = 92
export const COOKIE_REPLY_LENGTH = 64
/** Transport data without a packet: a keepalive. */
export const MIN_TRANSPORT_LENGTH = 32

/** Length of each of `mac1` and `mac2`, which end the first and the second message. */
export const MAC_LENGTH = 16

/** A first message's fields. Those of a decoded one are views of the datagram. */
export interface Initiation {
  /** 32 bits; the session is known to its sender by this number. */
  readonly senderIndex: number
  /** 32 bytes: an unencrypted Curve25519 public key. */
  readonly ephemeral: Uint8Array
  /** 48 bytes: the sender's static public key, sealed. */
  readonly encryptedStatic: Uint8Array
  /** 28 bytes: a TAI64N timestamp, sealed. */
  readonly encryptedTimestamp: Uint8Array
  /** 16 bytes, keyed with the receiver's static public key. */
  readonly mac1: Uint8Array
  /** 16 bytes, keyed with a cookie; zero where there is none. */
  readonly mac2: Uint8Array
}

/** A second message's fields. */
export interface Response {
  readonly senderIndex: number
  /** The sender index of the first message it answers. */
  readonly receiverIndex: number
  /** 32 bytes. */
  readonly ephemeral: Uint8Array
  /** 16 bytes: nothing, sealed. */
  readonly encryptedNothing: Uint8Array
  readonly mac1: Uint8Array
  readonly mac2: Uint8Array
}

/** A cookie reply's fields. */
export interface CookieReply {
  readonly receiverIndex: number
  /** 24 bytes. */
  readonly nonce: Uint8Array
  /** 32 bytes. */
  readonly encryptedCookie: Uint8Array
}

/** Transport data's fields. */
export interface Transport {
  readonly receiverIndex: number
  /** 64 bits. */
  readonly counter: bigint
  /** At least 16 bytes: an IP packet, or nothing, sealed. */
  readonly encryptedPacket: Uint8Array
}

/** Which message a datagram is, by its first four bytes and its length; undefined where it is none. */
export function wireguardType(datagram: Uint8Array): WireGuardType | undefined {
  if (datagram[1] !== 0 || datagram[2] !== 0 || datagram[3] !== 0) return undefined
  switch (datagram[0]) {
    case 4:
      return datagram.length >= MIN_TRANSPORT_LENGTH ? 4 : undefined
    case 1:
      return datagram.length === INITIATION_LENGTH ? 1 : undefined
    case 2:
      return datagram.length === RESPONSE_LENGTH ? 2 : undefined
    case 3:
      return datagram.length === COOKIE_REPLY_LENGTH ? 3 : undefined
    default:
      return undefined
  }
}

/** The sender index of a datagram of {@link wireguardType} 1 or 2. */
export function senderIndex(datagram: Uint8Array): number {
  return readUint32LE(datagram, 4)
}

/** The receiver index of a datagram of {@link wireguardType} 2, 3 or 4. */
export function receiverIndex(datagram: Uint8Array): number {
  return readUint32LE(datagram, datagram[0] === 2 ? 8 : 4)
}

/** `mac1` of a datagram of {@link wireguardType} 1 or 2: a view. */
export function mac1Of(datagram: Uint8Array): Uint8Array {
  return datagram.subarray(datagram.length - 2 * MAC_LENGTH, datagram.length - MAC_LENGTH)
}

/** What `mac1` is computed over in a datagram of {@link wireguardType} 1 or 2, all before it: a view. */
export function mac1Covered(datagram: Uint8Array): Uint8Array {
  return datagram.subarray(0, datagram.length - 2 * MAC_LENGTH)
}

/** Reads a first message; anything else is dropped as `wireguard-malformed`. */
export function decodeInitiation(datagram: Uint8Array): Initiation | Dropped {
  if (wireguardType(datagram) !== 1) return drop('wireguard-malformed')
  return {
    senderIndex: senderIndex(datagram),
    ephemeral: datagram.subarray(8, 40),
    encryptedStatic: datagram.subarray(40, 88),
    encryptedTimestamp: datagram.subarray(88, 116),
    mac1: datagram.subarray(116, 132),
    mac2: datagram.subarray(132, 148),
  }
}

/** Reads a second message; anything else is dropped as `wireguard-malformed`. */
export function decodeResponse(datagram: Uint8Array): Response | Dropped {
  if (wireguardType(datagram) !== 2) return drop('wireguard-malformed')
  return {
    senderIndex: senderIndex(datagram),
    receiverIndex: receiverIndex(datagram),
    ephemeral: datagram.subarray(12, 44),
    encryptedNothing: datagram.subarray(44, 60),
    mac1: datagram.subarray(60, 76),
    mac2: datagram.subarray(76, 92),
  }
}

/** Reads a cookie reply; anything else is dropped as `wireguard-malformed`. */
export function decodeCookieReply(datagram: Uint8Array): CookieReply | Dropped {
  if (wireguardType(datagram) !== 3) return drop('wireguard-malformed')
  return {
    receiverIndex: receiverIndex(datagram),
    nonce: datagram.subarray(8, 32),
    encryptedCookie: datagram.subarray(32, 64),
  }
}

/** Reads transport data; anything else is dropped as `wireguard-malformed`. */
export function decodeTransport(datagram: Uint8Array): Transport | Dropped {
  if (wireguardType(datagram) !== 4) return drop('wireguard-malformed')
  const low = BigInt(readUint32LE(datagram, 8))
  const high = BigInt(readUint32LE(datagram, 12))
  return {
    receiverIndex: receiverIndex(datagram),
    counter: (high << 32n) | low,
    encryptedPacket: datagram.subarray(16),
  }
}

/** A first message. Throws a RangeError where a field has a wrong length, as the other encoders do. */
export function encodeInitiation(message: Initiation): Uint8Array {
  const datagram = startMessage(1, INITIATION_LENGTH)
  writeUint32LE(datagram, 4, message.senderIndex)
  put(datagram, 8, 32, message.ephemeral)
  put(datagram, 40, 48, message.encryptedStatic)
  put(datagram, 88, 28, message.encryptedTimestamp)
  put(datagram, 116, MAC_LENGTH, message.mac1)
  put(datagram, 132, MAC_LENGTH, message.mac2)
  return datagram
}

/** A second message. */
export function encodeResponse(message: Response): Uint8Array {
  const datagram = startMessage(2, RESPONSE_LENGTH)
  writeUint32LE(datagram, 4, message.senderIndex)
  writeUint32LE(datagram, 8, message.receiverIndex)
  put(datagram, 12, 32, message.ephemeral)
  put(datagram, 44, 16, message.encryptedNothing)
  put(datagram, 60, MAC_LENGTH, message.mac1)
  put(datagram, 76, MAC_LENGTH, message.mac2)
  return datagram
}

/** A cookie reply. */
export function encodeCookieReply(message: CookieReply): Uint8Array {
  const datagram = startMessage(3, COOKIE_REPLY_LENGTH)
  writeUint32LE(datagram, 4, message.receiverIndex)
  put(datagram, 8, 24, message.nonce)
  put(datagram, 32, 32, message.encryptedCookie)
  return datagram
}

/** Transport data. */
export function encodeTransport(message: Transport): Uint8Array {
  const length = 16 + message.encryptedPacket.length
  if (length < MIN_TRANSPORT_LENGTH)
    throw new RangeError('an encrypted packet has at least 16 bytes, its authentication tag')
  const datagram = startMessage(4, length)
  writeUint32LE(datagram, 4, message.receiverIndex)
  writeUint32LE(datagram, 8, Number(message.counter & 0xffff_ffffn))
  writeUint32LE(datagram, 12, Number((message.counter >> 32n) & 0xffff_ffffn))
  datagram.set(message.encryptedPacket, 16)
  return datagram
}

function startMessage(type: WireGuardType, length: number): Uint8Array {
  const datagram = new Uint8Array(length)
  datagram[0] = type
  return datagram
}

function put(datagram: Uint8Array, at: number, length: number, field: Uint8Array): void {
  if (field.length !== length)
    throw new RangeError(`the field at offset ${at} has ${length} bytes, not ${field.length}`)
  datagram.set(field, at)
}
