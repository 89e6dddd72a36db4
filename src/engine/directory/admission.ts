/**
 * Whether a record may be believed, stored and passed on: by its form, its signature, its key and its times. The same
 * rule serves the reader, the node that stores it for others, and whoever receives it in a knock.
 */

import { fromString, toString as toText } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../../base/drops.js'
import { type PublicKey, parsePublicKey } from '../../base/publicKey.js'
import { after, HOUR, type UnixTime } from '../../base/time.js'
import { openSignedRecord } from '../../crypto/signedRecord.js'
import type { PeerRecord } from '../../wire/record.js'

/** How far ahead of our clock a record's author may be. */
export const RECORD_SKEW_MS = 2 * HOUR

const KEY_PREFIX = '/record/'

/** The DHT key under which a peer's record is stored: three parts, because kad-dht chooses the validator by the second. */
export function recordKey(peer: PublicKey): Uint8Array {
  return fromString(KEY_PREFIX + toText(fromString(peer, 'base64pad'), 'base64url'))
}

/** The peer whose record is stored under a DHT key; undefined where it is no such key. */
export function peerOfRecordKey(key: Uint8Array): PublicKey | undefined {
  const text = toText(key)
  if (!text.startsWith(KEY_PREFIX)) return undefined
  const encoded = text.slice(KEY_PREFIX.length)
  // Not decoded: that throws where the last character is none of the canonical spelling.
  return /^[A-Za-z0-9_-]{43}$/.test(encoded)
    ? parsePublicKey(`${encoded.replaceAll('-', '+').replaceAll('_', '/')}=`)
    : undefined
}

/** Reads a signed record and verifies its signature. */
export type OpenRecord = (signedRecord: Uint8Array) => PeerRecord | Dropped

/** The record in `signedRecord`, where it can be believed now. Rollback is for those who know earlier ones. */
export function admitRecord(
  signedRecord: Uint8Array,
  now: UnixTime,
  open: OpenRecord = openSignedRecord,
): PeerRecord | Dropped {
  const record = open(signedRecord)
  if (isDropped(record)) return record
  if (record.issuedAt > after(now, RECORD_SKEW_MS)) return drop('record-from-future')
  // The sequence is a time as well (see OwnRecord): one far ahead would lock its author out for good.
  if (record.sequence > now + RECORD_SKEW_MS) return drop('record-from-future')
  if (record.expiresAt <= now) return drop('record-expired')
  return record
}

/** The same for a record found in, or offered to, the DHT under `key`. */
export function admitStoredRecord(
  key: Uint8Array,
  signedRecord: Uint8Array,
  now: UnixTime,
): PeerRecord | Dropped {
  const record = admitRecord(signedRecord, now)
  if (isDropped(record)) return record
  return peerOfRecordKey(key) === record.publicKey ? record : drop('record-wrong-author')
}
