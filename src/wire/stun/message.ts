/**
 * STUN messages (RFC 8489 sections 5 and 14), in network order. Offsets are in bytes.
 *
 * ```
 *   0  two zero bits, type   2      type:  M11…M7 C1 M6 M5 M4 C0 M3…M0
 *   2  length                2             C1 C0 = 00 request, 01 indication, 10 success, 11 error
 *   4  magic cookie          4      length: of the attributes, padding and all; a multiple of 4
 *   8  transaction id       12
 *  20  attributes: type 2, length 2, value, zero to three bytes of padding
 * ```
 *
 * Of each attribute the first is used. After MESSAGE-INTEGRITY-SHA256 all but FINGERPRINT is ignored, for nobody
 * vouches for it; after MESSAGE-INTEGRITY likewise, but for MESSAGE-INTEGRITY-SHA256 (sections 14.5 and 14.6).
 * We close every message with FINGERPRINT; one without is read too, as plain STUN servers may leave it out.
 */

import { type Dropped, drop } from '../../base/drops.js'
import { readUint16, readUint32, writeUint16, writeUint32 } from '../integers.js'
import { decodeAttribute, encodeAttributes, type StunAttributes } from './attributes.js'
import { fingerprint } from './fingerprint.js'
import { type Hmac, INTEGRITY_LENGTH, type Integrity, lengthWithIntegrity } from './integrity.js'
import { ATTRIBUTE, HEADER_LENGTH, isComprehensionRequired, MAGIC_COOKIE } from './registry.js'

export type StunClass = 'request' | 'indication' | 'success' | 'error'

/** A message, as it is to be sent. */
export interface StunMessage extends StunAttributes {
  readonly messageClass: StunClass
  /** 0 to 0xfff; 1 is Binding. */
  readonly method: number
  /** 12 bytes. */
  readonly transactionId: Uint8Array
}

/** A message as it was received. Its bytes are views of the datagram. */
export interface DecodedStun extends StunMessage {
  /** For `verifyIntegrity`; undefined where there is no MESSAGE-INTEGRITY-SHA256. */
  readonly integrity: Integrity | undefined
  /**
   * Types of comprehension-required attributes that are not known here, each once. A request that has any is
   * answered with 420 and these, a response that has any is not acted upon (RFC 8489 section 6.3).
   */
  readonly unknownRequired: readonly number[]
}

export const TRANSACTION_ID_LENGTH = 12

const FINGERPRINT_LENGTH = 4

/** In the order of the two class bits. */
const CLASSES = ['request', 'indication', 'success', 'error'] as const

/** True where a datagram is framed as STUN: the zero bits, the cookie, and a length that is the datagram's. */
export function isStun(datagram: Uint8Array): boolean {
  return (
    datagram.length >= HEADER_LENGTH &&
    datagram.length % 4 === 0 &&
    readUint32(datagram, 4) === MAGIC_COOKIE &&
    readUint16(datagram, 0) < 0x4000 &&
    readUint16(datagram, 2) === datagram.length - HEADER_LENGTH
  )
}

/**
 * The bytes of a message: MESSAGE-INTEGRITY-SHA256 where `hmac` is given, FINGERPRINT always.
 * Throws a RangeError where a field is longer or larger than it may be.
 */
export function encodeStun(message: StunMessage, hmac?: Hmac): Uint8Array {
  if (message.transactionId.length !== TRANSACTION_ID_LENGTH)
    throw new RangeError(`a transaction id has 12 bytes, not ${message.transactionId.length}`)
  const header = new Uint8Array(HEADER_LENGTH)
  writeUint16(header, 0, messageType(message))
  writeUint32(header, 4, MAGIC_COOKIE)
  header.set(message.transactionId, 8)

  const attributes = encodeAttributes(message, header.subarray(4))
  let length = HEADER_LENGTH + attributeLength(FINGERPRINT_LENGTH)
  for (const [, value] of attributes) length += attributeLength(value.length)
  if (hmac !== undefined) length += attributeLength(INTEGRITY_LENGTH)
  if (length - HEADER_LENGTH > 0xffff) throw new RangeError('the attributes are too long for one message')

  const datagram = new Uint8Array(length)
  datagram.set(header)
  let at = HEADER_LENGTH
  for (const [type, value] of attributes) at = putAttribute(datagram, at, type, value)
  if (hmac !== undefined) {
    writeUint16(datagram, 2, lengthWithIntegrity(at))
    at = putAttribute(datagram, at, ATTRIBUTE.messageIntegritySha256, hmac(datagram.subarray(0, at)))
  }
  writeUint16(datagram, 2, length - HEADER_LENGTH)
  const checksum = fingerprint(datagram.subarray(0, at))
  writeUint16(datagram, at, ATTRIBUTE.fingerprint)
  writeUint16(datagram, at + 2, FINGERPRINT_LENGTH)
  writeUint32(datagram, at + 4, checksum)
  return datagram
}

/**
 * Reads a message. Dropped as `stun-bad-fingerprint` where FINGERPRINT is wrong, as `stun-malformed` where anything
 * else is. MESSAGE-INTEGRITY-SHA256 is not verified here: that needs a key, and USERNAME may say which.
 */
export function decodeStun(datagram: Uint8Array): DecodedStun | Dropped {
  if (!isStun(datagram)) return drop('stun-malformed')
  const mask = datagram.subarray(4, HEADER_LENGTH)
  const bits = readUint16(datagram, 0)
  const seen = new Set<number>()
  const unknownRequired: number[] = []
  const message: { -readonly [Part in keyof DecodedStun]: DecodedStun[Part] } = {
    messageClass: CLASSES[((bits >>> 7) & 2) | ((bits >>> 4) & 1)] ?? 'request',
    method: ((bits >>> 2) & 0xf80) | ((bits >>> 1) & 0x70) | (bits & 0xf),
    transactionId: datagram.subarray(8, HEADER_LENGTH),
    integrity: undefined,
    unknownRequired,
  }
  for (let at = HEADER_LENGTH; at < datagram.length; ) {
    const type = readUint16(datagram, at)
    const value = datagram.subarray(at + 4, at + 4 + readUint16(datagram, at + 2))
    const end = at + attributeLength(readUint16(datagram, at + 2))
    if (end > datagram.length) return drop('stun-malformed')
    if (type === ATTRIBUTE.fingerprint) {
      if (end !== datagram.length || value.length !== FINGERPRINT_LENGTH) return drop('stun-malformed')
      if (readUint32(value, 0) !== fingerprint(datagram.subarray(0, at))) return drop('stun-bad-fingerprint')
    } else if (message.integrity === undefined && type === ATTRIBUTE.messageIntegritySha256) {
      if (value.length !== INTEGRITY_LENGTH) return drop('stun-malformed')
      message.integrity = { covered: datagram.subarray(0, at), tag: value }
    } else if (message.integrity === undefined && !seen.has(ATTRIBUTE.messageIntegrity) && !seen.has(type)) {
      seen.add(type)
      const read = decodeAttribute(message, type, value, mask)
      if (read === 'malformed') return drop('stun-malformed')
      if (read === 'unknown' && isComprehensionRequired(type)) unknownRequired.push(type)
    }
    at = end
  }
  return message
}

function messageType(message: StunMessage): number {
  const { method } = message
  if (!Number.isInteger(method) || method < 0 || method > 0xfff)
    throw new RangeError(`a method is 0 to 4095, not ${method}`)
  const bits = CLASSES.indexOf(message.messageClass)
  return (
    ((method & 0xf80) << 2) | ((method & 0x70) << 1) | (method & 0xf) | ((bits & 2) << 7) | ((bits & 1) << 4)
  )
}

/** Of an attribute with its head and padding. */
function attributeLength(valueLength: number): number {
  return 4 + ((valueLength + 3) & ~3)
}

/** Writes an attribute; returns the offset after it. */
function putAttribute(datagram: Uint8Array, at: number, type: number, value: Uint8Array): number {
  writeUint16(datagram, at, type)
  writeUint16(datagram, at + 2, value.length)
  datagram.set(value, at + 4)
  return at + attributeLength(value.length)
}
