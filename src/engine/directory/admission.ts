/**
 * Whether a record may be believed, stored and passed on. Those who know its author open it, and judge it by its form, its
 * signature, its key and its times: {@link admitRecord}, for what was sealed and for what came in a knock alike. Those who
 * store it or pass it on cannot open it, and judge the seal: {@link admitStoredRecord}, {@link admitSealedRecord}.
 */

import { equals, fromString, toString as toText } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../../base/drops.js'
import { after, type UnixTime } from '../../base/time.js'
import { admitSealedRecord as admitSeal, verifySealedRecord } from '../../crypto/sealedRecord.js'
import { openSignedRecord } from '../../crypto/signedRecord.js'
import { RECORD_SKEW } from '../../wire/period.js'
import type { PeerRecord } from '../../wire/record.js'
import type { SealedRecord } from '../../wire/sealedRecord.js'

const KEY_PREFIX = '/record/'

/** The DHT key of records under a blinded key: three parts, because kad-dht chooses the validator by the second. */
export function recordKey(blindedKey: Uint8Array): Uint8Array {
  return fromString(KEY_PREFIX + toText(blindedKey, 'base64url'))
}

/** Reads a signed record and verifies its signature. */
export type OpenRecord = (signedRecord: Uint8Array) => PeerRecord | Dropped

/** Reads a sealed record as far as everybody may, and verifies its signature. */
export type VerifySealed = (sealedRecord: Uint8Array) => SealedRecord | Dropped

/** The record in `signedRecord`, where it can be believed now. Rollback is for those who know earlier ones. */
export function admitRecord(
  signedRecord: Uint8Array,
  now: UnixTime,
  open: OpenRecord = openSignedRecord,
): PeerRecord | Dropped {
  const record = open(signedRecord)
  if (isDropped(record)) return record
  if (record.issuedAt > after(now, RECORD_SKEW)) return drop('record-from-future')
  // The sequence is a time as well (see OwnSequence): one far ahead would lock its author out for good.
  if (record.sequence > now + RECORD_SKEW) return drop('record-from-future')
  if (record.expiresAt <= now) return drop('record-expired')
  return record
}

/** Whose a sealed record is, as far as a stranger can tell, and which of that author's. */
export interface AdmittedRecord {
  /** The blinded key, in base64url. */
  readonly author: string
  readonly sequence: number
}

/** A sealed record that may be passed on now. */
export function admitSealedRecord(
  sealedRecord: Uint8Array,
  now: UnixTime,
  verify: VerifySealed = verifySealedRecord,
): AdmittedRecord | Dropped {
  const sealed = admitSeal(sealedRecord, now, verify)
  if (isDropped(sealed)) return sealed
  return { author: toText(sealed.blindedKey, 'base64url'), sequence: sealed.sequence }
}

/** A sealed record that may be stored under `key` in the DHT now. */
export function admitStoredRecord(
  key: Uint8Array,
  sealedRecord: Uint8Array,
  now: UnixTime,
  verify: VerifySealed = verifySealedRecord,
): AdmittedRecord | Dropped {
  const admitted = admitSealedRecord(sealedRecord, now, verify)
  if (isDropped(admitted)) return admitted
  return equals(key, fromString(KEY_PREFIX + admitted.author)) ? admitted : drop('record-wrong-author')
}
