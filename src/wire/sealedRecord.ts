/**
 * Sealed records: what is stored in the DHT and gossiped. Who stores one can verify it, but neither read it nor tell
 * whose it is. All have one length; integers are in network order.
 *
 * ```
 *     0  version       1   1
 *     1  period        4   see period.ts
 *     5  sequence      8   ms since 1970, above zero, a safe integer
 *    13  blinded key  32   of the author for this period; plain Ed25519
 *    45  salt         16   random
 *    61  content    1395   encrypted: length of the signed record, 2 | signed record | zeros
 *  1456  tag          16
 *  1472  signature    64   by the blinded key, over a label and all bytes before it
 *  1536
 * ```
 *
 * Bytes 0 to 60 are the head, which the tag covers as well. The cryptography is in crypto/sealedRecord.ts. The sequence
 * is made anew for each sealing: it is not the one of the record inside, or the records of two periods would share it.
 */

import { concat } from 'uint8arrays'
import { type Dropped, drop } from '../base/drops.js'
import type { UnixTime } from '../base/time.js'
import { HOUR } from '../base/time.js'
import { readUint16, writeUint16, writeUint32 } from './integers.js'
import { isPublishedPeriod, RECORD_SKEW } from './period.js'
import { MAX_RECORD_LENGTH } from './record.js'

export const SEALED_RECORD_LENGTH = 1536
export const BLINDED_KEY_LENGTH = 32
export const SEALED_RECORD_SALT_LENGTH = 16

/** How long a sealed record is kept, in milliseconds from its sequence. */
export const SEALED_RECORD_LIFETIME = 4 * HOUR

/** What everybody may read of a sealed record. */
export interface SealedRecordHead {
  readonly period: number
  /** Milliseconds since 1970; a safe integer above zero. */
  readonly sequence: number
  /** 32 bytes: what the record is stored under, and the Ed25519 key that signed it. */
  readonly blindedKey: Uint8Array
  /** 16 random bytes, of which the key of the content is made. */
  readonly salt: Uint8Array
}

/** A sealed record, taken apart. */
export interface SealedRecord extends SealedRecordHead {
  /** What {@link encodeSealedContent} gave, encrypted, with its tag. */
  readonly sealedContent: Uint8Array
  /** 64 bytes: Ed25519. */
  readonly signature: Uint8Array
}

const VERSION = 1
const AT_PERIOD = 1
const AT_SEQUENCE = 5
const AT_BLINDED_KEY = 13
const AT_SALT = 45
const AT_CONTENT = 61
const AT_SIGNATURE = 1472
const AT_RECORD = 2
const TAG_LENGTH = 16

/** The bytes of the content before it is encrypted. */
export const SEALED_CONTENT_LENGTH = AT_SIGNATURE - AT_CONTENT - TAG_LENGTH

/** Bytes 0 to 60 of a sealed record. Throws a RangeError where a field has not the form that it must have. */
export function encodeSealedRecordHead(head: SealedRecordHead): Uint8Array {
  const { period, sequence, blindedKey, salt } = head
  if (!Number.isInteger(period) || period < 0 || period > 0xffff_ffff)
    throw new RangeError(`a period has 32 bits, not ${period}`)
  if (!Number.isSafeInteger(sequence) || sequence <= 0)
    throw new RangeError(`a sequence is a safe integer above zero, not ${sequence}`)
  if (blindedKey.length !== BLINDED_KEY_LENGTH)
    throw new RangeError(`a blinded key has 32 bytes, not ${blindedKey.length}`)
  if (salt.length !== SEALED_RECORD_SALT_LENGTH)
    throw new RangeError(`a salt has 16 bytes, not ${salt.length}`)
  const bytes = new Uint8Array(AT_CONTENT)
  bytes[0] = VERSION
  writeUint32(bytes, AT_PERIOD, period)
  new DataView(bytes.buffer).setBigUint64(AT_SEQUENCE, BigInt(sequence))
  bytes.set(blindedKey, AT_BLINDED_KEY)
  bytes.set(salt, AT_SALT)
  return bytes
}

/** The bytes of a sealed record. Throws a RangeError where a field has not the form that it must have. */
export function encodeSealedRecord(sealed: SealedRecord): Uint8Array {
  const bytes = concat([encodeSealedRecordHead(sealed), sealed.sealedContent, sealed.signature])
  if (sealed.sealedContent.length !== AT_SIGNATURE - AT_CONTENT || bytes.length !== SEALED_RECORD_LENGTH)
    throw new RangeError(`a sealed record has ${SEALED_RECORD_LENGTH} bytes, not ${bytes.length}`)
  return bytes
}

/**
 * Reads what {@link encodeSealedRecord} writes; the byte arrays are views of `bytes`. Dropped as `record-malformed` or
 * `record-unknown-version`. Nothing is verified.
 */
export function decodeSealedRecord(bytes: Uint8Array): SealedRecord | Dropped {
  if (bytes.length !== SEALED_RECORD_LENGTH) return drop('record-malformed')
  if (bytes[0] !== VERSION) return drop('record-unknown-version')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const sequence = Number(view.getBigUint64(AT_SEQUENCE))
  if (!Number.isSafeInteger(sequence) || sequence === 0) return drop('record-malformed')
  return {
    period: view.getUint32(AT_PERIOD),
    sequence,
    blindedKey: bytes.subarray(AT_BLINDED_KEY, AT_SALT),
    salt: bytes.subarray(AT_SALT, AT_CONTENT),
    sealedContent: bytes.subarray(AT_CONTENT, AT_SIGNATURE),
    signature: bytes.subarray(AT_SIGNATURE),
  }
}

/** The part of a sealed record that its tag covers beside the content: a view of bytes 0 to 60. */
export function headOfSealedRecord(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, AT_CONTENT)
}

/** The part of a sealed record that its signature covers: a view of bytes 0 to 1471. */
export function signedPartOfSealedRecord(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, AT_SIGNATURE)
}

/** The content with a signed record inside, always as long. Throws a RangeError where the record is empty or too long. */
export function encodeSealedContent(signedRecord: Uint8Array): Uint8Array {
  const { length } = signedRecord
  if (length === 0 || length > MAX_RECORD_LENGTH)
    throw new RangeError(`a signed record has 1 to ${MAX_RECORD_LENGTH} bytes, not ${length}`)
  const content = new Uint8Array(SEALED_CONTENT_LENGTH)
  writeUint16(content, 0, length)
  content.set(signedRecord, AT_RECORD)
  return content
}

/** The signed record inside, a view; dropped as `record-malformed`. What follows it is passed over. */
export function decodeSealedContent(content: Uint8Array): Uint8Array | Dropped {
  const length = readUint16(content, 0)
  if (content.length !== SEALED_CONTENT_LENGTH || length === 0 || length > MAX_RECORD_LENGTH)
    return drop('record-malformed')
  return content.subarray(AT_RECORD, AT_RECORD + length)
}

/**
 * Why a sealed record is not to be stored or passed on now: `record-wrong-period`, `record-from-future` or
 * `record-expired`; undefined where its times are right.
 */
export function untimely(
  { period, sequence }: Pick<SealedRecordHead, 'period' | 'sequence'>,
  now: UnixTime,
): Dropped | undefined {
  if (!isPublishedPeriod(period, now)) return drop('record-wrong-period')
  if (sequence > now + RECORD_SKEW) return drop('record-from-future')
  if (sequence <= now - SEALED_RECORD_LIFETIME) return drop('record-expired')
  return undefined
}
