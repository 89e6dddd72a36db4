/**
 * What two peers share of a session at a member relay, from the pair's secret and a nonce that one of them drew: the key
 * of the session and a name for each side. They give all three to the relay, which learns nothing of the pair by them.
 *
 * ```
 * shared  = X25519(own static private key, peer's static public key)
 * secrets = HKDF-SHA256(shared, no salt, "tunnelbore relay session v1\0" || lower key || higher key || nonce), 64 bytes:
 *
 *  0     32                           48                            64
 *  | key | name of the lower key's side | name of the higher key's side |
 * ```
 *
 * Where one of a pair is itself the relay, it knows the other by a MAC under
 * `HKDF-SHA256(shared, no salt, "tunnelbore relay proof v1\0" || lower key || higher key)`, 32 bytes; see relayGrant.ts.
 */

import { hkdfSync } from 'node:crypto'
import { concat, fromString } from 'uint8arrays'
import { GRANT_KEY_LENGTH, RELAY_NAME_LENGTH } from '../wire/relayGrant.js'
import { type HmacSha256, hmacSha256 } from './hmacSha256.js'

/** One session, as one of its two sides sees it. */
export interface RelaySessionKeys {
  /** 16 bytes: under this name we bind our side. */
  readonly ownName: Uint8Array
  /** 16 bytes: under this one the peer binds its own. */
  readonly peerName: Uint8Array
  /** 32 bytes, for the relay. */
  readonly key: Uint8Array
  /** MESSAGE-INTEGRITY-SHA256 under `key`: of the grant's answer, of binds and their answers. */
  readonly hmac: HmacSha256
}

/** The length of a session's nonce, in bytes; it is random. */
export const RELAY_NONCE_LENGTH = 16

/** What both sides of a pair have for everything about relays. */
export interface PairSecret {
  /** X25519 of the two static keys. */
  readonly shared: Uint8Array
  /** The two public keys, the lower first. */
  readonly lower: Uint8Array
  readonly higher: Uint8Array
  readonly ownIsLower: boolean
}

/** The keys of the session with this nonce. Throws a RangeError where it has not 16 bytes. */
export function relaySessionKeys(pair: PairSecret, nonce: Uint8Array): RelaySessionKeys {
  if (nonce.length !== RELAY_NONCE_LENGTH)
    throw new RangeError(`a session's nonce has ${RELAY_NONCE_LENGTH} bytes, not ${nonce.length}`)
  const secrets = derive(pair, SESSION_LABEL, nonce, GRANT_KEY_LENGTH + 2 * RELAY_NAME_LENGTH)
  const key = secrets.slice(0, GRANT_KEY_LENGTH)
  const ofLower = secrets.slice(GRANT_KEY_LENGTH, GRANT_KEY_LENGTH + RELAY_NAME_LENGTH)
  const ofHigher = secrets.slice(GRANT_KEY_LENGTH + RELAY_NAME_LENGTH)
  const [ownName, peerName] = pair.ownIsLower ? [ofLower, ofHigher] : [ofHigher, ofLower]
  return { ownName, peerName, key, hmac: hmacSha256(key) }
}

/** The MAC by which one of a pair shows itself to the other, a relay. Few ever do, so its key is derived when it is used. */
export function relayProofHmac(pair: PairSecret): HmacSha256 {
  let hmac: HmacSha256 | undefined
  return (data) => {
    hmac ??= hmacSha256(derive(pair, PROOF_LABEL, NOTHING, 32))
    return hmac(data)
  }
}

const SESSION_LABEL = fromString('tunnelbore relay session v1\0')
const PROOF_LABEL = fromString('tunnelbore relay proof v1\0')
const NOTHING = new Uint8Array(0)

function derive(
  { shared, lower, higher }: PairSecret,
  label: Uint8Array,
  nonce: Uint8Array,
  length: number,
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', shared, NOTHING, concat([label, lower, higher, nonce]), length))
}
