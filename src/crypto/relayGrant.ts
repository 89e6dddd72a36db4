/**
 * Asking a member relay for a session, and opening what was asked: the layout is in wire/relayGrant.ts, the sealing in
 * relayKeys.ts. That one may ask is proved by a MAC over everything that is asked, which names the relay too, so that no
 * relay can use a request elsewhere:
 *
 * ```
 * "tunnelbore relay grant v1\0" || relay's public key 32 || key 32 || own name 16 || peer's name 16 || issued at, u64 BE
 * ```
 *
 * It is HMAC-SHA256, under the key of a closed network's members ({@link membershipKey}), or under that of the pair that
 * asker and relay are (`PairKeys.relayProof`).
 */

import { hkdfSync } from 'node:crypto'
import { concat, fromString } from 'uint8arrays'
import { type Dropped, drop } from '../base/drops.js'
import type { Random } from '../base/random.js'
import {
  decodeGrantRequest,
  encodeGrantRequest,
  GRANT_CONTENT_LENGTH,
  type GrantRequest,
  type GrantTerms,
} from '../wire/relayGrant.js'
import type { HmacSha256 } from './hmacSha256.js'
import { RELAY_SEAL_LENGTH, type RelayKeys, sealToRelay } from './relayKeys.js'

/** The value of SEALED, in bytes, always. */
export const SEALED_GRANT_LENGTH = GRANT_CONTENT_LENGTH + RELAY_SEAL_LENGTH

/**
 * The key of 32 bytes that all members of a closed network have, from the network key as `readNetworkKey` returns it.
 * It proves membership to other members: whoever has it can also check it.
 */
export function membershipKey(networkKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', networkKey, NO_SALT, MEMBERSHIP_LABEL, 32))
}

/** The MAC of a request to the relay with this public key. */
export function grantMac(hmac: HmacSha256, relayPublicKey: Uint8Array, terms: GrantTerms): Uint8Array {
  const issuedAt = new Uint8Array(8)
  new DataView(issuedAt.buffer).setBigUint64(0, BigInt(terms.issuedAt))
  return hmac(concat([GRANT_LABEL, relayPublicKey, terms.key, ...terms.names, issuedAt]))
}

/**
 * A request, sealed to the relay's public key of 32 bytes; undefined where nothing can be secret under that. Throws a
 * RangeError where a part of the request has another length than it must have.
 */
export function sealGrant(
  relayPublicKey: Uint8Array,
  request: GrantRequest,
  random: Random,
): Uint8Array | undefined {
  return sealToRelay(relayPublicKey, encodeGrantRequest(request), random)
}

/**
 * What was sealed to us. Dropped as `relay-grant-malformed` or `relay-grant-unreadable`. Neither its proof nor its time is
 * judged.
 */
export function openGrant(relay: RelayKeys, sealed: Uint8Array): GrantRequest | Dropped {
  if (sealed.length !== SEALED_GRANT_LENGTH) return drop('relay-grant-malformed')
  const content = relay.open(sealed)
  return content === undefined ? drop('relay-grant-unreadable') : decodeGrantRequest(content)
}

const MEMBERSHIP_LABEL = fromString('tunnelbore membership v1\0')
const GRANT_LABEL = fromString('tunnelbore relay grant v1\0')
const NO_SALT = new Uint8Array(0)
