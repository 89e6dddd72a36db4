/**
 * Key blinding, as Tor's v3 onion services have it (rend-spec-v3, appendix A.2): of an Ed25519 key and a parameter of 32
 * bytes, another Ed25519 key. Who knows the key and the parameter can compute the blinded key; who sees blinded keys can
 * tell neither the key, nor that two of them are of one.
 *
 * ```
 *   h  = parameter, clamped like an X25519 private key
 *   A' = h · A             the blinded public key
 *   a' = h · a mod L       the blinded private scalar
 * ```
 *
 * h is a multiple of 8, so a blinded key has prime order, whatever the key was.
 */

import { createPublicKey, verify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { fromString, toString as toText } from 'uint8arrays'
import { BLINDED_KEY_LENGTH } from '../wire/sealedRecord.js'
import { clampX25519 } from './x25519.js'
import { XEDDSA_SIGNATURE_LENGTH, type XeddsaKeyPair } from './xeddsa.js'

export const BLINDING_PARAMETER_LENGTH = 32

/**
 * The blinded public key of 32 bytes; undefined where `point` is no point of the curve, or of small order.
 * Throws a RangeError where the parameter has not 32 bytes.
 */
export function blindPoint(point: Uint8Array, parameter: Uint8Array): Uint8Array | undefined {
  const h = factor(parameter)
  let decoded: InstanceType<typeof Point>
  try {
    decoded = Point.fromBytes(point)
  } catch {
    return undefined
  }
  if (decoded.isSmallOrder()) return undefined
  // The same as h · A, and below L, as noble wants it. Nothing here is private but to those who do not know the key.
  return decoded
    .clearCofactor()
    .multiplyUnsafe(h >> COFACTOR_BITS)
    .toBytes()
}

/** The blinded private scalar. Throws a RangeError where the parameter has not 32 bytes. */
export function blindScalar(scalar: bigint, parameter: Uint8Array): bigint {
  return Scalar.mul(Scalar.create(factor(parameter)), Scalar.create(scalar))
}

/** The key pair to sign with in place of `keyPair`. Throws a RangeError where the parameter has not 32 bytes. */
export function blindKeyPair(keyPair: XeddsaKeyPair, parameter: Uint8Array): XeddsaKeyPair {
  const scalar = blindScalar(keyPair.scalar, parameter)
  return { scalar, point: Point.BASE.multiply(scalar).toBytes() }
}

/**
 * True where `signature` over `message` is by the holder of `blindedKey`: plain Ed25519. Under a key of small order or
 * off the curve nothing verifies. Nothing makes it throw.
 */
export function verifyBlinded(blindedKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (blindedKey.length !== BLINDED_KEY_LENGTH || signature.length !== XEDDSA_SIGNATURE_LENGTH) return false
  const x = toText(blindedKey, 'base64url')
  if (SMALL_ORDER_KEYS.has(x)) return false
  // Not kept: there are as many blinded keys as authors and days.
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  // OpenSSL refuses points off the curve and s ≥ L, and compares R as it is encoded.
  return verify(null, message, key, signature)
}

const { Point } = ed25519
const Scalar = Point.Fn
const COFACTOR_BITS = 3n

/**
 * Every spelling of the eight points of small order, in base64url: y is 0, 1, -1 or one of two of order 8, or it is 0 or
 * 1 with p added; the sign bit is either. OpenSSL verifies a signature under them that anybody can make.
 */
const SMALL_ORDER_KEYS: ReadonlySet<string> = new Set(
  [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ].flatMap((text) => {
    const key = fromString(text, 'hex')
    const negative = Uint8Array.from(key)
    negative[31] = (negative[31] ?? 0) | 0x80
    return [toText(key, 'base64url'), toText(negative, 'base64url')]
  }),
)

function factor(parameter: Uint8Array): bigint {
  if (parameter.length !== BLINDING_PARAMETER_LENGTH)
    throw new RangeError(`a blinding parameter has 32 bytes, not ${parameter.length}`)
  return bytesToNumberLE(clampX25519(parameter))
}
