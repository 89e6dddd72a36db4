/**
 * Sealed knocks: knocks that are gossiped, because no stream can be had. Only the two of a pair can tell who knocks at
 * whom. All have one length; integers are in network order.
 *
 * ```
 *     0  version     1   1
 *     1  name       16   of the pair, in this direction and this epoch
 *    17  nonce      12   random
 *    29  content  1740   encrypted:
 *                          0  kind         1   1 a knock, 2 an answer to one
 *                          1  sequence     8   ms since 1970, above zero, a safe integer
 *                          9  length       2   of the knock
 *                         11  the knock, or the answer, as over a stream: see knock.ts; zeros
 *  1769  tag        16
 *  1785
 * ```
 *
 * Bytes 0 to 28 are the head, which the tag covers as well. The cryptography is in crypto/sealedKnock.ts.
 */

import { concat } from 'uint8arrays'
import { type Dropped, drop } from '../base/drops.js'
import { readUint16, writeUint16 } from './integers.js'
import { MAX_KNOCK_LENGTH } from './knock.js'

export const SEALED_KNOCK_NAME_LENGTH = 16
export const SEALED_KNOCK_NONCE_LENGTH = 12

/** Whether it asks, or answers what was asked. */
export type SealedKnockKind = 'knock' | 'answer'

/** What a sealed knock says to the peer that it is for. */
export interface SealedKnockContent {
  readonly kind: SealedKnockKind
  /** Milliseconds since 1970, a safe integer above zero: later ones have higher ones, so a copy is known as one. */
  readonly sequence: number
  /** What would go over a stream, encoded. A decoded one is a view. */
  readonly knock: Uint8Array
}

/** A sealed knock, taken apart. */
export interface SealedKnock {
  /** 16 bytes. */
  readonly name: Uint8Array
  /** 12 bytes. */
  readonly nonce: Uint8Array
  /** What {@link encodeSealedKnockContent} gave, encrypted, with its tag. */
  readonly sealedContent: Uint8Array
}

const VERSION = 1
const AT_NAME = 1
const AT_NONCE = AT_NAME + SEALED_KNOCK_NAME_LENGTH
const AT_CONTENT = AT_NONCE + SEALED_KNOCK_NONCE_LENGTH
const TAG_LENGTH = 16

/** By code. */
const KINDS: readonly (SealedKnockKind | undefined)[] = [undefined, 'knock', 'answer']
const AT_SEQUENCE = 1
const AT_LENGTH = 9
const AT_KNOCK = 11

/** The bytes of the content before it is encrypted. */
export const SEALED_KNOCK_CONTENT_LENGTH = AT_KNOCK + MAX_KNOCK_LENGTH

export const SEALED_KNOCK_LENGTH = AT_CONTENT + SEALED_KNOCK_CONTENT_LENGTH + TAG_LENGTH

/** Bytes 0 to 28 of a sealed knock. Throws a RangeError where the name or the nonce has another length. */
export function encodeSealedKnockHead({ name, nonce }: Pick<SealedKnock, 'name' | 'nonce'>): Uint8Array {
  if (name.length !== SEALED_KNOCK_NAME_LENGTH)
    throw new RangeError(`a knock's name has 16 bytes, not ${name.length}`)
  if (nonce.length !== SEALED_KNOCK_NONCE_LENGTH)
    throw new RangeError(`a nonce has 12 bytes, not ${nonce.length}`)
  return concat([Uint8Array.of(VERSION), name, nonce])
}

/** The bytes of a sealed knock. Throws a RangeError where a part has another length than it must have. */
export function encodeSealedKnock(sealed: SealedKnock): Uint8Array {
  const bytes = concat([encodeSealedKnockHead(sealed), sealed.sealedContent])
  if (bytes.length !== SEALED_KNOCK_LENGTH)
    throw new RangeError(`a sealed knock has ${SEALED_KNOCK_LENGTH} bytes, not ${bytes.length}`)
  return bytes
}

/**
 * Reads what {@link encodeSealedKnock} writes; the parts are views of `bytes`. Dropped as `knock-malformed` or
 * `knock-unknown-version`.
 */
export function decodeSealedKnock(bytes: Uint8Array): SealedKnock | Dropped {
  if (bytes.length !== SEALED_KNOCK_LENGTH) return drop('knock-malformed')
  if (bytes[0] !== VERSION) return drop('knock-unknown-version')
  return {
    name: bytes.subarray(AT_NAME, AT_NONCE),
    nonce: bytes.subarray(AT_NONCE, AT_CONTENT),
    sealedContent: bytes.subarray(AT_CONTENT),
  }
}

/** The name of 16 bytes that tells whose knock it is, a view; undefined where the bytes are no sealed knock. */
export function sealedKnockName(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== SEALED_KNOCK_LENGTH || bytes[0] !== VERSION) return undefined
  return bytes.subarray(AT_NAME, AT_NONCE)
}

/** The part of a sealed knock that its tag covers beside the content: a view of bytes 0 to 28. */
export function headOfSealedKnock(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, AT_CONTENT)
}

/** The content before it is encrypted, always as long. Throws a RangeError where a field breaks its rule. */
export function encodeSealedKnockContent({ kind, sequence, knock }: SealedKnockContent): Uint8Array {
  if (!Number.isSafeInteger(sequence) || sequence <= 0)
    throw new RangeError(`a sequence is a safe integer above zero, not ${sequence}`)
  const { length } = knock
  if (length === 0 || length > MAX_KNOCK_LENGTH)
    throw new RangeError(`a knock has 1 to ${MAX_KNOCK_LENGTH} bytes, not ${length}`)
  const content = new Uint8Array(SEALED_KNOCK_CONTENT_LENGTH)
  content[0] = KINDS.indexOf(kind)
  new DataView(content.buffer).setBigUint64(AT_SEQUENCE, BigInt(sequence))
  writeUint16(content, AT_LENGTH, length)
  content.set(knock, AT_KNOCK)
  return content
}

/** Reads the content; the knock is a view, and not read. Dropped as `knock-malformed`. What follows it is passed over. */
export function decodeSealedKnockContent(content: Uint8Array): SealedKnockContent | Dropped {
  if (content.length !== SEALED_KNOCK_CONTENT_LENGTH) return drop('knock-malformed')
  const kind = KINDS[content[0] ?? 0]
  const sequence = Number(new DataView(content.buffer, content.byteOffset).getBigUint64(AT_SEQUENCE))
  const length = readUint16(content, AT_LENGTH)
  if (kind === undefined || sequence === 0 || !Number.isSafeInteger(sequence)) return drop('knock-malformed')
  if (length === 0 || length > MAX_KNOCK_LENGTH) return drop('knock-malformed')
  return { kind, sequence, knock: content.subarray(AT_KNOCK, AT_KNOCK + length) }
}
