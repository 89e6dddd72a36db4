/**
 * MESSAGE-INTEGRITY-SHA256 (RFC 8489 section 14.6): an HMAC of the message up to the attribute, with the header's
 * length counting the attribute and nothing after it.
 *
 * The HMAC itself is an argument: keys are not known here. The RFC lets a usage truncate it; ours does not, so any
 * other length than 32 bytes is malformed.
 */

import { writeUint16 } from '../integers.js'
import { HEADER_LENGTH } from './registry.js'

/** HMAC-SHA-256 of `data` under a key that the caller holds: 32 bytes. */
export type Hmac = (data: Uint8Array) => Uint8Array

export const INTEGRITY_LENGTH = 32

/** What {@link verifyIntegrity} needs of a received message: views of the datagram. */
export interface Integrity {
  /** The message up to the attribute, with the header's length as it was received. */
  readonly covered: Uint8Array
  /** The attribute's value: 32 bytes. */
  readonly tag: Uint8Array
}

/** True where the message carries MESSAGE-INTEGRITY-SHA256 and it is `hmac`'s. Compares in constant time. */
export function verifyIntegrity(message: { readonly integrity: Integrity | undefined }, hmac: Hmac): boolean {
  if (message.integrity === undefined) return false
  const { covered, tag } = message.integrity
  const data = new Uint8Array(covered)
  writeUint16(data, 2, lengthWithIntegrity(covered.length))
  return equalInConstantTime(hmac(data), tag)
}

/** The header's length for the HMAC, of a message with its attribute at offset `at`. */
export function lengthWithIntegrity(at: number): number {
  return at - HEADER_LENGTH + 4 + INTEGRITY_LENGTH
}

/** Compares MACs; how long that takes tells nothing but their lengths. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0)
  return difference === 0
}
