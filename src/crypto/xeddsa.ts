/**
 * XEdDSA: signatures with an X25519 key, as Signal's specification has them (https://signal.org/docs/specifications/xeddsa/,
 * revision 1, section 2, with the sign bit 0). The converted key with its signature is plain Ed25519.
 *
 * ```
 *  0                32               64
 *  | R               | s, little-endian |
 * ```
 *
 * Stricter than the specification in two things: `s` must be below L (the specification has s < 2^253 and so admits a
 * second signature s + L), and a key of small order, which is nobody's, verifies nothing. Not libsignal's variant, which
 * keeps the sign bit of the Edwards key in the top bit of `s`: that bit makes s ≥ L here.
 */

import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { concat, toString as toText } from 'uint8arrays'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import { clampX25519 } from './x25519.js'

export const XEDDSA_SIGNATURE_LENGTH = 64

/** How many random bytes a signature takes: Z of the specification. */
export const XEDDSA_RANDOM_LENGTH = 64

/** An X25519 private key made ready to sign. Secret: `scalar` must never be printed. */
export interface XeddsaKeyPair {
  /** `a` of the specification: the private scalar, negated where that makes the Edwards key's sign bit 0. */
  readonly scalar: bigint
  /** `A` of the specification: the Edwards public key, 32 bytes. */
  readonly point: Uint8Array
}

/** The specification's `calculate_key_pair`, of a 32-byte X25519 private key, clamped (RFC 7748 section 5) or not. */
export function xeddsaKeyPair(privateKey: Uint8Array): XeddsaKeyPair {
  // A clamped key is no multiple of L, so the reduced scalar is never zero.
  const k = Scalar.create(bytesToNumberLE(clampX25519(privateKey)))
  const point = Point.BASE.multiply(k).toBytes()
  const last = point[SIGN_BYTE] ?? 0
  point[SIGN_BYTE] = last & ~SIGN_BIT
  return { scalar: (last & SIGN_BIT) === 0 ? k : Scalar.neg(k), point }
}

/** Signs `message`. `z` is 64 fresh random bytes; throws a RangeError on any other length. */
export function xeddsaSign(keyPair: XeddsaKeyPair, message: Uint8Array, z: Uint8Array): Uint8Array {
  if (z.length !== XEDDSA_RANDOM_LENGTH) throw new RangeError(`Z has 64 bytes, not ${z.length}`)
  const { scalar, point } = keyPair
  const r = hashToScalar(HASH_1_PREFIX, Scalar.toBytes(scalar), message, z)
  const commitment = Point.BASE.multiply(r).toBytes()
  const challenge = hashToScalar(commitment, point, message)
  return concat([commitment, Scalar.toBytes(Scalar.add(r, Scalar.mul(challenge, scalar)))])
}

/** True where `signature` over `message` is by the holder of `publicKey`. Nothing makes it throw. */
export function xeddsaVerify(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== XEDDSA_SIGNATURE_LENGTH) return false
  const key = edwardsKey(publicKey)
  // OpenSSL refuses s ≥ L and compares R as it is encoded, so no second encoding of either passes.
  return key !== undefined && verify(null, message, key, signature)
}

/**
 * The Edwards point of an X25519 public key with sign bit 0 (the specification's `convert_mont`), 32 bytes.
 * Undefined where there is none: u ≥ p, u not on the curve, or of small order.
 */
export function edwardsPoint(montgomery: Uint8Array): Uint8Array | undefined {
  const u = bytesToNumberLE(montgomery)
  if (u >= Field.ORDER || u === Field.ORDER - 1n) return undefined
  const y = Field.div(Field.sub(u, 1n), Field.add(u, 1n))
  const encoded = Field.toBytes(y)
  try {
    return Point.fromBytes(encoded).isSmallOrder() ? undefined : encoded
  } catch {
    return undefined
  }
}

const { Point } = ed25519
const Field = Point.Fp
const Scalar = Point.Fn
const SIGN_BIT = 0x80
const SIGN_BYTE = 31

/** 2^256 - 2, little-endian: what sets hash_1 apart from Ed25519's own hash. */
const HASH_1_PREFIX = new Uint8Array(32).fill(0xff).fill(0xfe, 0, 1)

/** Converting a key takes longer than verifying with it, so the keys used last are kept. */
const converted = new Map<PublicKey, KeyObject>()
const MAX_CONVERTED = 1024

function edwardsKey(publicKey: PublicKey): KeyObject | undefined {
  let key = converted.get(publicKey)
  if (key === undefined) {
    const point = edwardsPoint(publicKeyBytes(publicKey))
    if (point === undefined) return undefined
    key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: toText(point, 'base64url') },
      format: 'jwk',
    })
    const [oldest] = converted.keys()
    if (oldest !== undefined && converted.size >= MAX_CONVERTED) converted.delete(oldest)
  } else {
    converted.delete(publicKey)
  }
  converted.set(publicKey, key)
  return key
}

function hashToScalar(...parts: readonly Uint8Array[]): bigint {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return Scalar.create(bytesToNumberLE(hash.digest()))
}
