/** HMAC-SHA256 (RFC 2104) under a key that is prepared once: STUN's MESSAGE-INTEGRITY-SHA256, names of checks. */

import { createHmac, createSecretKey } from 'node:crypto'

export const HMAC_SHA256_LENGTH = 32

/** A MAC under a key that it keeps to itself: bytes in, 32 bytes out. */
export type HmacSha256 = (data: Uint8Array) => Uint8Array

/** Prepares `key`, of any length; it is copied and never printed. */
export function hmacSha256(key: Uint8Array): HmacSha256 {
  const prepared = createSecretKey(key)
  return (data) => new Uint8Array(createHmac('sha256', prepared).update(data).digest())
}
