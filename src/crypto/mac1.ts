/**
 * `mac1` of WireGuard's first and second messages (whitepaper section 5.4.4):
 *
 * ```
 * key  = HASH("mac1----" || public key of the receiver)
 * mac1 = MAC(key, all bytes of the message before mac1)
 * ```
 *
 * It needs no private key: who knows a public key can tell whether a message is for its owner.
 */

import { timingSafeEqual } from 'node:crypto'
import { fromString } from 'uint8arrays'
import { mac1Covered, mac1Of } from '../wire/wireguard.js'
import { blake2sHash, blake2sMac } from './blake2s.js'

const LABEL = fromString('mac1----')

/** The key of 32 bytes under which messages to the owner of `publicKey` (32 bytes) have their mac1. Computed once a peer. */
export function mac1Key(publicKey: Uint8Array): Uint8Array {
  return blake2sHash(LABEL, publicKey)
}

/** The mac1 of 16 bytes of a message of wireguardType 1 or 2. */
export function computeMac1(key: Uint8Array, message: Uint8Array): Uint8Array {
  return blake2sMac(key, mac1Covered(message))
}

/** True where the mac1 of a message of wireguardType 1 or 2 is by `key`. Compares in constant time. */
export function mac1Matches(key: Uint8Array, message: Uint8Array): boolean {
  return timingSafeEqual(computeMac1(key, message), mac1Of(message))
}
