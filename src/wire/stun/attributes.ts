/**
 * Values of STUN's attributes, both ways (RFC 8489 section 14). Each of {@link StunAttributes} is one attribute.
 *
 * ```
 *  XOR-MAPPED-ADDRESS                 ERROR-CODE                            UNKNOWN-ATTRIBUTES
 *    0  zero                1           0  zero, but its low 3 bits:  3       0  type   2, repeated
 *    1  family, 1 or 2      1              the hundreds, 3 to 6
 *    2  xored port          2           3  the rest, 0 to 99          1     PRIORITY
 *    4  xored address  4 or 16          4  reason, UTF-8                      0  priority   4
 *
 *  SEALED                             GRANTED                               BIND-SEQUENCE
 *    0  see crypto/relayGrant.ts        0  see wire/relayGrant.ts             0  milliseconds   8
 *
 *  BIND-COOKIE
 *    0  opaque   8; zeros for none
 *  PROOF-WANTED, ADDRESS-PROOF: see wire/addressProof.ts
 * ```
 */

import { familyOf, ipFromBytes, ipToBytes, isPort, type SocketAddress } from '../../base/address.js'
import {
  type AddressProof,
  decodeAddressProof,
  encodeAddressProof,
  PROOF_NAME_LENGTH,
} from '../addressProof.js'
import { readUint16, readUint32, writeUint16, writeUint32 } from '../integers.js'
import { ATTRIBUTE } from './registry.js'

/** What a message says. */
export interface StunAttributes {
  /**
   * USERNAME: at most 508 bytes. RFC 8489 has text; our checks have bytes that nobody else can tell from random
   * ones, so it is opaque here.
   */
  readonly username?: Uint8Array
  /** XOR-MAPPED-ADDRESS: where a request came from. Its port is 1 to 65535. */
  readonly mappedAddress?: SocketAddress
  /** PRIORITY: 32 bits, unsigned. */
  readonly priority?: number
  /** ERROR-CODE. */
  readonly error?: StunError
  /** UNKNOWN-ATTRIBUTES: attribute types, beside error 420. */
  readonly unknownAttributes?: readonly number[]
  /** SOFTWARE: at most 509 bytes of UTF-8. */
  readonly software?: string
  /** HOLDS-FIRST-MESSAGE, which is there or not, and has no value. False is the same as absent. */
  readonly holdsFirstMessage?: boolean
  /** SEALED: a request for a session, sealed to the relay; opaque here, at most 508 bytes. */
  readonly sealed?: Uint8Array
  /** GRANTED: the addresses of a session, which wire/relayGrant.ts reads; at most 508 bytes. */
  readonly granted?: Uint8Array
  /** BIND-SEQUENCE: a safe integer from 0. The sender's wall clock in ms, raised by one where that has not moved. */
  readonly bindSequence?: number
  /** BIND-COOKIE: 8 bytes that a relay gave, and is given back; zeros where it gave none yet. */
  readonly bindCookie?: Uint8Array
  /** PROOF-WANTED: the name, of 16 bytes, under which the sender wants its address proved. */
  readonly proofWanted?: Uint8Array
  /** ADDRESS-PROOF: that whoever asked took the answer at the address that it names. */
  readonly addressProof?: AddressProof
  /** PADDING: so many bytes that mean nothing, sent as zeros. */
  readonly padding?: number
}

export interface StunError {
  /** 300 to 699. */
  readonly code: number
  /** At most 509 bytes of UTF-8. */
  readonly reason: string
}

const IPV4 = 0x01
const IPV6 = 0x02

/** RFC 8489 section 14.3; ours that are opaque are no longer. */
const MAX_USERNAME_LENGTH = 508
const MAX_OPAQUE_LENGTH = 508
/** The longest text that may be sent, and the longest that must be read, in bytes (sections 14.8 and 14.14). */
const MAX_TEXT_SENT = 509
const MAX_TEXT_READ = 763

/** Length of BIND-COOKIE. */
export const COOKIE_LENGTH = 8

const NO_VALUE = new Uint8Array(0)

const utf8Encoder = new TextEncoder()
/** What is no UTF-8 becomes U+FFFD: texts are only shown. */
const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The attributes of a message, in the order in which they are sent. `mask` is the header's magic cookie and
 * transaction id: 16 bytes. Throws a RangeError where a value is longer or larger than it may be.
 */
export function encodeAttributes(
  message: StunAttributes,
  mask: Uint8Array,
): readonly (readonly [type: number, value: Uint8Array])[] {
  const attributes: [number, Uint8Array][] = []
  const { username, mappedAddress, priority, error, unknownAttributes, software } = message
  const { holdsFirstMessage, padding, sealed, granted, bindSequence, bindCookie } = message
  const { proofWanted, addressProof } = message
  if (username !== undefined) attributes.push([ATTRIBUTE.username, encodeUsername(username)])
  if (mappedAddress !== undefined)
    attributes.push([ATTRIBUTE.xorMappedAddress, encodeXorAddress(mappedAddress, mask)])
  if (priority !== undefined) attributes.push([ATTRIBUTE.priority, encodePriority(priority)])
  if (error !== undefined) attributes.push([ATTRIBUTE.errorCode, encodeError(error)])
  if (unknownAttributes !== undefined)
    attributes.push([ATTRIBUTE.unknownAttributes, encodeTypes(unknownAttributes)])
  if (software !== undefined) attributes.push([ATTRIBUTE.software, encodeText(software)])
  if (holdsFirstMessage === true) attributes.push([ATTRIBUTE.holdsFirstMessage, NO_VALUE])
  if (sealed !== undefined) attributes.push([ATTRIBUTE.sealed, encodeOpaque(sealed)])
  if (granted !== undefined) attributes.push([ATTRIBUTE.granted, encodeOpaque(granted)])
  if (bindSequence !== undefined) attributes.push([ATTRIBUTE.bindSequence, encodeSequence(bindSequence)])
  if (bindCookie !== undefined) attributes.push([ATTRIBUTE.bindCookie, encodeCookie(bindCookie)])
  if (proofWanted !== undefined) attributes.push([ATTRIBUTE.proofWanted, encodeName(proofWanted)])
  if (addressProof !== undefined) attributes.push([ATTRIBUTE.addressProof, encodeAddressProof(addressProof)])
  if (padding !== undefined) attributes.push([ATTRIBUTE.padding, new Uint8Array(padding)])
  return attributes
}

/** A message whose attributes are being read. */
export type StunAttributesRead = { -readonly [Name in keyof StunAttributes]: StunAttributes[Name] }

/**
 * Puts what one attribute says into `message`: nothing, for those that are known and not used. `malformed` where its
 * value breaks a rule, `unknown` where its type is not known here. `mask` as in {@link encodeAttributes}.
 */
export function decodeAttribute(
  message: StunAttributesRead,
  type: number,
  value: Uint8Array,
  mask: Uint8Array,
): 'read' | 'malformed' | 'unknown' {
  switch (type) {
    case ATTRIBUTE.username:
      if (value.length > MAX_USERNAME_LENGTH) return 'malformed'
      message.username = value
      return 'read'
    case ATTRIBUTE.xorMappedAddress: {
      const mappedAddress = decodeXorAddress(value, mask)
      if (mappedAddress === undefined) return 'malformed'
      message.mappedAddress = mappedAddress
      return 'read'
    }
    case ATTRIBUTE.priority:
      if (value.length !== 4) return 'malformed'
      message.priority = readUint32(value, 0)
      return 'read'
    case ATTRIBUTE.errorCode: {
      const error = decodeError(value)
      if (error === undefined) return 'malformed'
      message.error = error
      return 'read'
    }
    case ATTRIBUTE.unknownAttributes:
      if (value.length % 2 !== 0) return 'malformed'
      message.unknownAttributes = decodeTypes(value)
      return 'read'
    case ATTRIBUTE.software:
      if (value.length > MAX_TEXT_READ) return 'malformed'
      message.software = utf8Decoder.decode(value)
      return 'read'
    case ATTRIBUTE.holdsFirstMessage:
      message.holdsFirstMessage = true
      return 'read'
    case ATTRIBUTE.sealed:
      if (value.length > MAX_OPAQUE_LENGTH) return 'malformed'
      message.sealed = value
      return 'read'
    case ATTRIBUTE.granted:
      if (value.length > MAX_OPAQUE_LENGTH) return 'malformed'
      message.granted = value
      return 'read'
    case ATTRIBUTE.bindSequence: {
      const bindSequence = decodeSequence(value)
      if (bindSequence === undefined) return 'malformed'
      message.bindSequence = bindSequence
      return 'read'
    }
    case ATTRIBUTE.bindCookie:
      if (value.length !== COOKIE_LENGTH) return 'malformed'
      message.bindCookie = value
      return 'read'
    case ATTRIBUTE.proofWanted:
      if (value.length !== PROOF_NAME_LENGTH) return 'malformed'
      message.proofWanted = value
      return 'read'
    case ATTRIBUTE.addressProof: {
      const addressProof = decodeAddressProof(value)
      if (addressProof === undefined) return 'malformed'
      message.addressProof = addressProof
      return 'read'
    }
    case ATTRIBUTE.padding:
      message.padding = value.length
      return 'read'
    case ATTRIBUTE.mappedAddress:
    case ATTRIBUTE.messageIntegrity:
      return 'read'
    default:
      return 'unknown'
  }
}

function encodeUsername(username: Uint8Array): Uint8Array {
  if (username.length > MAX_USERNAME_LENGTH)
    throw new RangeError(`a user name has at most ${MAX_USERNAME_LENGTH} bytes, not ${username.length}`)
  return username
}

function encodeOpaque(value: Uint8Array): Uint8Array {
  if (value.length > MAX_OPAQUE_LENGTH)
    throw new RangeError(`such an attribute has at most ${MAX_OPAQUE_LENGTH} bytes, not ${value.length}`)
  return value
}

function encodeName(name: Uint8Array): Uint8Array {
  if (name.length !== PROOF_NAME_LENGTH)
    throw new RangeError(`a name for proofs has ${PROOF_NAME_LENGTH} bytes, not ${name.length}`)
  return name
}

function encodeSequence(sequence: number): Uint8Array {
  if (!Number.isSafeInteger(sequence) || sequence < 0)
    throw new RangeError(`a sequence is a safe integer from 0, not ${sequence}`)
  const value = new Uint8Array(8)
  writeUint32(value, 0, Math.floor(sequence / 2 ** 32))
  writeUint32(value, 4, sequence % 2 ** 32)
  return value
}

function encodeCookie(cookie: Uint8Array): Uint8Array {
  if (cookie.length !== COOKIE_LENGTH)
    throw new RangeError(`a cookie has ${COOKIE_LENGTH} bytes, not ${cookie.length}`)
  return cookie
}

function decodeSequence(value: Uint8Array): number | undefined {
  const sequence = readUint32(value, 0) * 2 ** 32 + readUint32(value, 4)
  return value.length === 8 && Number.isSafeInteger(sequence) ? sequence : undefined
}

function encodeXorAddress(address: SocketAddress, mask: Uint8Array): Uint8Array {
  if (!isPort(address.port)) throw new RangeError(`a mapped port is 1 to 65535, not ${address.port}`)
  const ip = xor(ipToBytes(address.ip), mask)
  const value = new Uint8Array(4 + ip.length)
  value[1] = familyOf(address.ip) === 4 ? IPV4 : IPV6
  writeUint16(value, 2, address.port ^ readUint16(mask, 0))
  value.set(ip, 4)
  return value
}

function decodeXorAddress(value: Uint8Array, mask: Uint8Array): SocketAddress | undefined {
  const addressLength = value[1] === IPV4 ? 4 : value[1] === IPV6 ? 16 : undefined
  if (addressLength === undefined || value.length !== 4 + addressLength) return undefined
  const port = readUint16(value, 2) ^ readUint16(mask, 0)
  const ip = ipFromBytes(xor(value.subarray(4), mask))
  return ip !== undefined && isPort(port) ? { ip, port } : undefined
}

function encodePriority(priority: number): Uint8Array {
  const value = new Uint8Array(4)
  writeUint32(value, 0, priority)
  return value
}

function encodeError(error: StunError): Uint8Array {
  if (!Number.isInteger(error.code) || error.code < 300 || error.code > 699)
    throw new RangeError(`an error code is 300 to 699, not ${error.code}`)
  const reason = encodeText(error.reason)
  const value = new Uint8Array(4 + reason.length)
  value[2] = Math.floor(error.code / 100)
  value[3] = error.code % 100
  value.set(reason, 4)
  return value
}

function decodeError(value: Uint8Array): StunError | undefined {
  if (value.length < 4 || value.length > 4 + MAX_TEXT_READ) return undefined
  const hundreds = (value[2] ?? 0) & 0x07
  const rest = value[3] ?? 0
  if (hundreds < 3 || hundreds > 6 || rest > 99) return undefined
  return { code: hundreds * 100 + rest, reason: utf8Decoder.decode(value.subarray(4)) }
}

function encodeTypes(types: readonly number[]): Uint8Array {
  const value = new Uint8Array(2 * types.length)
  for (const [index, type] of types.entries()) writeUint16(value, 2 * index, type)
  return value
}

function decodeTypes(value: Uint8Array): readonly number[] {
  return Array.from({ length: value.length / 2 }, (_, index) => readUint16(value, 2 * index))
}

function encodeText(text: string): Uint8Array {
  const value = utf8Encoder.encode(text)
  if (value.length > MAX_TEXT_SENT)
    throw new RangeError(`a text has at most ${MAX_TEXT_SENT} bytes, not ${value.length}`)
  return value
}

function xor(bytes: Uint8Array, mask: Uint8Array): Uint8Array {
  return bytes.map((byte, at) => byte ^ (mask[at] ?? 0))
}
