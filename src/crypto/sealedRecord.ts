/**
 * Sealing a signed record for one period, opening it, and verifying it without being able to open it. The layout is in
 * wire/sealedRecord.ts. A is the author's WireGuard public key, the period has 32 bits, the network's name is in UTF-8:
 *
 * ```
 *   parameter   = HKDF-SHA256(A, no salt, "tunnelbore blinding v1\0" || period || network), 32 bytes
 *   blinded key = the key of A, blinded with the parameter: see blinding.ts
 *   key, nonce  = HKDF-SHA256(A, salt, "tunnelbore sealed content v1\0" || blinded key || network), 32 and 12 bytes
 *   content     = ChaCha20-Poly1305(key, nonce, length || signed record || zeros; associated: bytes 0 to 60)
 *   signature   = Ed25519 by the blinded key, over "tunnelbore sealed record v1\0" || bytes 0 to 1471
 * ```
 *
 * The Edwards key of A has sign bit 0, as with XEdDSA. So whoever knows A can find and read its records, only the
 * holder of its private key can make them, and everybody can verify that the holder of the blinded key did.
 */

import { hkdfSync } from 'node:crypto'
import { concat, equals, fromString } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../base/drops.js'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import type { Random } from '../base/random.js'
import type { UnixTime } from '../base/time.js'
import { writeUint32 } from '../wire/integers.js'
import {
  decodeSealedContent,
  decodeSealedRecord,
  encodeSealedContent,
  encodeSealedRecordHead,
  headOfSealedRecord,
  SEALED_RECORD_SALT_LENGTH,
  type SealedRecord,
  type SealedRecordHead,
  signedPartOfSealedRecord,
  untimely,
} from '../wire/sealedRecord.js'
import { aeadOpen, aeadSeal } from './aead.js'
import { BLINDING_PARAMETER_LENGTH, blindPoint, verifyBlinded } from './blinding.js'
import type { NodeKeys } from './nodeKeys.js'
import { edwardsPoint } from './xeddsa.js'

/** What a node does with sealed records, its own and those of its peers. */
export interface RecordSealing {
  /**
   * 32 bytes: what the author's records of a period are stored under; undefined for a key that has no Edwards point.
   * The caller does not change them.
   */
  blindedKey(author: PublicKey, period: number): Uint8Array | undefined

  /**
   * Our own signed record, sealed for a period. `sequence` is a time in milliseconds, fresh for every sealing.
   * Throws a RangeError where the record is too long, or the period or the sequence is none.
   */
  seal(signedRecord: Uint8Array, period: number, sequence: number, random: Random): Uint8Array

  /**
   * The signed record inside, for one who knows its author. Signature, key and seal are verified; times are not judged,
   * and the record is not opened. Dropped as decoding says, as `record-unreadable` (above all: by another author),
   * `record-wrong-author` or `record-bad-signature`.
   */
  open(sealed: Uint8Array, author: PublicKey): OpenedSealedRecord | Dropped
}

/** What a sealed record says to one who knows its author. */
export interface OpenedSealedRecord {
  /** The author's, encoded: what openSignedRecord reads. A copy. */
  readonly signedRecord: Uint8Array
  /** Of the sealing, not of the record inside. */
  readonly sequence: number
  readonly period: number
}

/** Sealing for the owner of `keys` in a network, by its name. */
export function recordSealing(keys: NodeKeys, network: string): RecordSealing {
  return sealingWith(keys, realPrimitives(network))
}

/**
 * For those who store a sealed record or pass it on, and cannot read it: its form and its signature are right. Dropped as
 * decoding says, or as `record-bad-signature`.
 */
export function verifySealedRecord(bytes: Uint8Array): SealedRecord | Dropped {
  return verifySealedWith(bytes, verifyBlinded)
}

/**
 * The same where its times are right as well: `record-wrong-period`, `record-from-future` and `record-expired` are told
 * before the signature is verified, which takes a hundred times as long. Rollback is for those who know earlier ones.
 */
export function admitSealedRecord(
  bytes: Uint8Array,
  now: UnixTime,
  verify: (bytes: Uint8Array) => SealedRecord | Dropped = verifySealedRecord,
): SealedRecord | Dropped {
  const sealed = decodeSealedRecord(bytes)
  if (isDropped(sealed)) return sealed
  return untimely(sealed, now) ?? verify(bytes)
}

/** True where `signature` over `message` is by the holder of `blindedKey`. */
export type VerifyBlinded = (blindedKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** What sealing is made of, for one network. */
export interface SealingPrimitives {
  /** 32 bytes that only those can compute who know the author. */
  blindingParameter(author: PublicKey, period: number): Uint8Array
  /** The blinded key; undefined for a key that has no Edwards point. */
  blind(author: PublicKey, parameter: Uint8Array): Uint8Array | undefined
  /** Encrypts the content, under a key that only those can compute who know the author; authenticates `associated` too. */
  sealContent(
    author: PublicKey,
    head: SealedRecordHead,
    content: Uint8Array,
    associated: Uint8Array,
  ): Uint8Array
  /** The content, or undefined where the tag does not fit. */
  openContent(
    author: PublicKey,
    head: SealedRecordHead,
    sealedContent: Uint8Array,
    associated: Uint8Array,
  ): Uint8Array | undefined
  readonly verify: VerifyBlinded
}

/** {@link verifySealedRecord} with signatures of another kind, as a simulation may have them. */
export function verifySealedWith(bytes: Uint8Array, verify: VerifyBlinded): SealedRecord | Dropped {
  const sealed = decodeSealedRecord(bytes)
  if (isDropped(sealed)) return sealed
  return verify(sealed.blindedKey, labelled(signedPartOfSealedRecord(bytes)), sealed.signature)
    ? sealed
    : drop('record-bad-signature')
}

/** {@link recordSealing} made of other primitives. */
export function sealingWith(keys: NodeKeys, primitives: SealingPrimitives): RecordSealing {
  /** By period and author, the one used longest ago first. To blind takes ten times as long as to verify. */
  const known = new Map<string, Uint8Array | undefined>()

  const blindedKey = (author: PublicKey, period: number): Uint8Array | undefined => {
    const name = `${period} ${author}`
    const before = known.get(name)
    const blinded =
      before !== undefined || known.has(name)
        ? before
        : primitives.blind(author, primitives.blindingParameter(author, period))
    known.delete(name)
    const [oldest] = known.keys()
    if (oldest !== undefined && known.size >= MAX_KNOWN_KEYS) known.delete(oldest)
    known.set(name, blinded)
    return blinded
  }

  return {
    blindedKey,

    seal(signedRecord, period, sequence, random) {
      const author = keys.publicKey
      const own = blindedKey(author, period)
      if (own === undefined) throw new TypeError(`${author} has no Edwards point: nobody can be its owner`)
      const head = { period, sequence, blindedKey: own, salt: random.bytes(SEALED_RECORD_SALT_LENGTH) }
      const associated = encodeSealedRecordHead(head)
      const content = primitives.sealContent(author, head, encodeSealedContent(signedRecord), associated)
      const signed = concat([associated, content])
      const parameter = primitives.blindingParameter(author, period)
      return concat([signed, keys.signBlinded(parameter, labelled(signed), random)])
    },

    open(bytes, author) {
      const sealed = decodeSealedRecord(bytes)
      if (isDropped(sealed)) return sealed
      // The cheapest first, and what no stranger can pass: only then a key is blinded for a period that others chose.
      const head = headOfSealedRecord(bytes)
      const content = primitives.openContent(author, sealed, sealed.sealedContent, head)
      if (content === undefined) return drop('record-unreadable')
      const signedRecord = decodeSealedContent(content)
      if (isDropped(signedRecord)) return signedRecord
      const { period, sequence } = sealed
      const expected = blindedKey(author, period)
      if (expected === undefined || !equals(expected, sealed.blindedKey)) return drop('record-wrong-author')
      const verified = verifySealedWith(bytes, primitives.verify)
      return isDropped(verified) ? verified : { signedRecord: signedRecord.slice(), sequence, period }
    },
  }
}

const BLINDING_LABEL = fromString('tunnelbore blinding v1\0')
const CONTENT_LABEL = fromString('tunnelbore sealed content v1\0')
const SIGNATURE_LABEL = fromString('tunnelbore sealed record v1\0')
const NO_SALT = new Uint8Array(0)
const KEY_LENGTH = 32
const NONCE_LENGTH = 12

/** Three periods of a thousand peers, and room for more. */
const MAX_KNOWN_KEYS = 4_096

function realPrimitives(network: string): SealingPrimitives {
  const name = fromString(network)
  const keyAndNonce = (author: PublicKey, { blindedKey, salt }: SealedRecordHead) => {
    const info = concat([CONTENT_LABEL, blindedKey, name])
    const bytes = hkdfSync('sha256', publicKeyBytes(author), salt, info, KEY_LENGTH + NONCE_LENGTH)
    return { key: new Uint8Array(bytes, 0, KEY_LENGTH), nonce: new Uint8Array(bytes, KEY_LENGTH) }
  }
  return {
    blindingParameter(author, period) {
      const number = new Uint8Array(4)
      writeUint32(number, 0, period)
      const info = concat([BLINDING_LABEL, number, name])
      return new Uint8Array(
        hkdfSync('sha256', publicKeyBytes(author), NO_SALT, info, BLINDING_PARAMETER_LENGTH),
      )
    },
    blind(author, parameter) {
      const point = edwardsPoint(publicKeyBytes(author))
      return point === undefined ? undefined : blindPoint(point, parameter)
    },
    sealContent(author, head, content, associated) {
      const { key, nonce } = keyAndNonce(author, head)
      return aeadSeal(key, nonce, content, associated)
    },
    openContent(author, head, sealedContent, associated) {
      const { key, nonce } = keyAndNonce(author, head)
      return aeadOpen(key, nonce, sealedContent, associated)
    },
    verify: verifyBlinded,
  }
}

function labelled(signedPart: Uint8Array): Uint8Array {
  return concat([SIGNATURE_LABEL, signedPart])
}
