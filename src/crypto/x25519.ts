/** X25519 (RFC 7748) on node:crypto, with keys as raw bytes. */

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { fromString, toString as toText } from 'uint8arrays'

export const X25519_KEY_LENGTH = 32

/** A key pair. The private half is a KeyObject, which never prints its bytes. */
export interface X25519KeyPair {
  readonly privateKey: KeyObject
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

/** The DER of a PKCS #8 private key up to the 32 bytes of the key itself (RFC 8410 section 7). */
const PKCS8_PREFIX = fromString('302e020100300506032b656e04220420', 'hex')

/**
 * The key pair of 32 private bytes. X25519 clamps them itself, so clamped or not is all the same.
 * Throws a RangeError on any other length.
 */
export function x25519KeyPair(privateKey: Uint8Array): X25519KeyPair {
  if (privateKey.length !== X25519_KEY_LENGTH)
    throw new RangeError(`an X25519 private key has 32 bytes, not ${privateKey.length}`)
  const pkcs8 = Buffer.alloc(PKCS8_PREFIX.length + X25519_KEY_LENGTH)
  pkcs8.set(PKCS8_PREFIX)
  pkcs8.set(privateKey, PKCS8_PREFIX.length)
  const prepared = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  pkcs8.fill(0)
  return { privateKey: prepared, publicKey: publicKeyOf(prepared) }
}

/** The 32 private bytes as X25519 uses them (RFC 7748 section 5). WireGuard's own keys are clamped already. */
export function clampX25519(privateKey: Uint8Array): Uint8Array {
  const clamped = Uint8Array.from(privateKey)
  clamped[0] = (clamped[0] ?? 0) & 0b1111_1000
  clamped[31] = ((clamped[31] ?? 0) & 0b0111_1111) | 0b0100_0000
  return clamped
}

/**
 * The shared secret of 32 bytes, or undefined where it would be all zero: OpenSSL refuses public keys of small order
 * (RFC 7748 section 6.1). Throws a RangeError where `publicKey` has not 32 bytes.
 */
export function x25519(privateKey: KeyObject, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== X25519_KEY_LENGTH)
    throw new RangeError(`an X25519 public key has 32 bytes, not ${publicKey.length}`)
  // A JWK is imported ten times as fast as DER.
  const prepared = createPublicKey({
    key: { kty: 'OKP', crv: 'X25519', x: toText(publicKey, 'base64url') },
    format: 'jwk',
  })
  try {
    return new Uint8Array(diffieHellman({ privateKey, publicKey: prepared }))
  } catch {
    return undefined
  }
}

function publicKeyOf(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (x === undefined) throw new TypeError('node:crypto exported an X25519 key without its coordinate')
  return fromString(x, 'base64url')
}
