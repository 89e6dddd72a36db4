/**
 * Signing records and opening signed ones.
 *
 * The signature is XEdDSA by the record's own `publicKey`, over `"tunnelbore record v1\0"` and the record's bytes exactly
 * as they travel. Whether a record is fresh, expired or rolled back is not decided here.
 */

import { concat, fromString } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import type { Random } from '../base/random.js'
import {
  decodeRecord,
  decodeSignedRecord,
  encodeRecord,
  encodeSignedRecord,
  type PeerRecord,
} from '../wire/record.js'
import type { NodeKeys } from './nodeKeys.js'
import { xeddsaVerify } from './xeddsa.js'

/**
 * The encoded signed record. Throws a TypeError where the record is not of these keys' owner, and as encodeRecord and
 * encodeSignedRecord do.
 */
export function signRecord(record: PeerRecord, keys: NodeKeys, random: Random): Uint8Array {
  if (record.publicKey !== keys.publicKey)
    throw new TypeError(`a record of ${record.publicKey} cannot be signed by ${keys.publicKey}`)
  const encoded = encodeRecord(record)
  return encodeSignedRecord({ record: encoded, signature: keys.sign(signedBytes(encoded), random) })
}

/** True where `signature` over `message` is by the holder of `publicKey`. */
export type Verify = (publicKey: PublicKey, message: Uint8Array, signature: Uint8Array) => boolean

/** The record, where its signature is by the key that it names; dropped as decoding says, or as `record-bad-signature`. */
export function openSignedRecord(bytes: Uint8Array): PeerRecord | Dropped {
  return openVerified(bytes, xeddsaVerify)
}

/** The same with signatures of another kind, as a simulation may have them. */
export function openVerified(bytes: Uint8Array, verify: Verify): PeerRecord | Dropped {
  const signed = decodeSignedRecord(bytes)
  if (isDropped(signed)) return signed
  const record = decodeRecord(signed.record)
  if (isDropped(record)) return record
  if (!verify(record.publicKey, signedBytes(signed.record), signed.signature))
    return drop('record-bad-signature')
  return record
}

const LABEL = fromString('tunnelbore record v1\0')

function signedBytes(record: Uint8Array): Uint8Array {
  return concat([LABEL, record])
}
