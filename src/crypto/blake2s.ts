/**
 * WireGuard's HASH, MAC and KDF_n (whitepaper section 5.4), all on BLAKE2s (RFC 7693).
 *
 * node:crypto has plain BLAKE2s, and its HMAC over it is RFC 2104's. It has no keyed BLAKE2s; that one is noble's.
 */

import { createHash, createHmac } from 'node:crypto'
import { blake2s } from '@noble/hashes/blake2.js'

export const BLAKE2S_MAC_LENGTH = 16

/** HASH: BLAKE2s of the parts one after another, 32 bytes. */
export function blake2sHash(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('blake2s256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** MAC: BLAKE2s keyed with `key` (1 to 32 bytes), 16 bytes. */
export function blake2sMac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return blake2s(data, { key, dkLen: BLAKE2S_MAC_LENGTH })
}

/** KDF_1: the first 32 bytes of HKDF over HMAC-BLAKE2s. */
export function kdf1(key: Uint8Array, input: Uint8Array): Uint8Array {
  return hmac(hmac(key, input), FIRST)
}

/** KDF_2: the first two times 32 bytes of HKDF over HMAC-BLAKE2s. */
export function kdf2(key: Uint8Array, input: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const extracted = hmac(key, input)
  const first = hmac(extracted, FIRST)
  return [first, hmac(extracted, first, SECOND)]
}

const FIRST = Uint8Array.of(1)
const SECOND = Uint8Array.of(2)

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('blake2s256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}
