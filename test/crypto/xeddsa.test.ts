import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { ed25519, x25519 as nobleX25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { toString as toText } from 'uint8arrays'
import { publicKeyFromBytes } from '../../src/base/publicKey.js'
import { x25519KeyPair } from '../../src/crypto/x25519.js'
import { edwardsPoint, xeddsaKeyPair, xeddsaSign, xeddsaVerify } from '../../src/crypto/xeddsa.js'
import { privateKeys } from './arbitraries.js'
import { SMALL_ORDER_KEYS } from './smallOrderKeys.js'
import { flipBit, hex, readVectors, toHex } from './vectors.js'

interface XeddsaVectors {
  readonly vectors: readonly [SpecificationVector, SignBitVector, SignBitVector]
  readonly negative_malleability: { readonly signature: string }
}

interface SignBitVector {
  readonly x25519_public: string
  readonly message_hex: string
  readonly signature: string
}

interface SpecificationVector extends SignBitVector {
  readonly private_clamped: string
  readonly ed25519_public_A: string
  readonly Z_hex: string
}

const file = readVectors<XeddsaVectors>('xeddsa_vectors.json')
const [vector, ...signBitVectors] = file.vectors
const owner = publicKeyFromBytes(hex(vector.x25519_public))
const message = hex(vector.message_hex)
const signature = hex(vector.signature)

/** R = B and s = 1: by nobody, and right wherever the challenge makes the key vanish. */
const FORGERY = Uint8Array.of(...ed25519.Point.BASE.toBytes(), 1, ...new Uint8Array(31))
const TEXTS = Array.from({ length: 16 }, (_, index) => Uint8Array.of(index))

test("Signal's vector is signed to the byte", () => {
  const keyPair = xeddsaKeyPair(hex(vector.private_clamped))
  assert.equal(toHex(keyPair.point), vector.ed25519_public_A)
  assert.equal(toHex(xeddsaSign(keyPair, message, hex(vector.Z_hex))), vector.signature)
})

test("Signal's vector verifies, here and as plain Ed25519", () => {
  assert.ok(xeddsaVerify(owner, message, signature))
  assert.ok(ed25519.verify(signature, message, hex(vector.ed25519_public_A)))
})

test('no bit of a signature can be flipped', () => {
  for (let bit = 0; bit < 512; bit++)
    assert.equal(xeddsaVerify(owner, message, flipBit(signature, bit)), false, `bit ${bit}`)
})

test("libsignal's variant with a sign bit in the signature does not verify", () => {
  for (const variant of signBitVectors) {
    const key = publicKeyFromBytes(hex(variant.x25519_public))
    assert.equal(xeddsaVerify(key, hex(variant.message_hex), hex(variant.signature)), false)
  }
})

test('a second spelling of a signature, s + L, does not verify', () => {
  assert.equal(xeddsaVerify(owner, message, hex(file.negative_malleability.signature)), false)
})

test('a signature of another length does not verify', () => {
  for (const length of [0, 32, 63])
    assert.equal(xeddsaVerify(owner, message, signature.slice(0, length)), false)
  assert.equal(xeddsaVerify(owner, message, Uint8Array.of(...signature, 0)), false)
})

test('under a key of small order nothing verifies', () => {
  for (const key of SMALL_ORDER_KEYS) {
    assert.equal(edwardsPoint(key), undefined)
    for (const text of TEXTS) assert.equal(xeddsaVerify(publicKeyFromBytes(key), text, FORGERY), false)
  }
})

test('plain Ed25519 lets a signature under a key of small order through, which is why we refuse the key', () => {
  // u = 0 is the point (0, -1) of order 2: every even challenge makes it vanish.
  const x = toText(hex('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'), 'base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  assert.ok(TEXTS.some((text) => verify(null, text, key, FORGERY)))
})

test('a public key above the field, or off the curve, has no Edwards point', () => {
  const key = hex(vector.x25519_public)
  assert.equal(edwardsPoint(flipBit(key, 255)), undefined)
  for (let above = 0; above < 19; above++) {
    const spelling = new Uint8Array(32).fill(0xff)
    spelling[0] = 0xed + above
    spelling[31] = 0x7f
    assert.equal(edwardsPoint(spelling), undefined)
  }
  assert.equal(edwardsPoint(Uint8Array.of(2, ...new Uint8Array(31))), undefined)
})

test('an X25519 key converts to the point that its private key gives, with sign bit 0', () => {
  fc.assert(
    fc.property(privateKeys(), (privateKey) => {
      const { point } = xeddsaKeyPair(privateKey)
      assert.deepEqual(edwardsPoint(x25519KeyPair(privateKey).publicKey), point)
      assert.deepEqual(ed25519.utils.toMontgomery(point), nobleX25519.getPublicKey(privateKey))
    }),
    { numRuns: 30 },
  )
})

test('what is signed verifies, for its signer and its message only, and as plain Ed25519', () => {
  const z = fc.uint8Array({ minLength: 64, maxLength: 64 })
  const messages = fc.uint8Array({ minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(privateKeys(), messages, z, fc.nat(), (privateKey, text, randomness, bit) => {
      const keyPair = xeddsaKeyPair(privateKey)
      const signer = publicKeyFromBytes(x25519KeyPair(privateKey).publicKey)
      const signed = xeddsaSign(keyPair, text, randomness)
      assert.ok(xeddsaVerify(signer, text, signed))
      assert.ok(ed25519.verify(signed, text, keyPair.point, { zip215: false }))
      assert.equal(xeddsaVerify(signer, flipBit(text, bit % (8 * text.length)), signed), false)
      assert.equal(xeddsaVerify(owner, text, signed), false)
    }),
    { numRuns: 30 },
  )
})

test('another Z gives another signature of the same message', () => {
  const keyPair = xeddsaKeyPair(hex(vector.private_clamped))
  const other = xeddsaSign(keyPair, message, new Uint8Array(64).fill(1))
  assert.notDeepEqual(other, signature)
  assert.ok(xeddsaVerify(owner, message, other))
  assert.throws(() => xeddsaSign(keyPair, message, new Uint8Array(32)), RangeError)
})

test('more keys than are kept converted verify as before', () => {
  // About half of all numbers are keys; 1024 are kept.
  for (let count = 0; count < 2300; count++) {
    const key = new Uint8Array(32)
    new DataView(key.buffer).setUint32(4, count)
    xeddsaVerify(publicKeyFromBytes(key), message, signature)
  }
  assert.ok(xeddsaVerify(owner, message, signature))
})
