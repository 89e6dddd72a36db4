import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js'
import fc from 'fast-check'
import { concat } from 'uint8arrays'
import { blindKeyPair, blindPoint, blindScalar, verifyBlinded } from '../../src/crypto/blinding.js'
import { x25519KeyPair } from '../../src/crypto/x25519.js'
import { edwardsPoint, xeddsaKeyPair, xeddsaSign } from '../../src/crypto/xeddsa.js'
import { bytes } from '../wire/arbitraries.js'
import { privateKeys } from './arbitraries.js'
import { flipBit, hex, readVectors, toHex } from './vectors.js'

interface BlindingVectors {
  readonly vectors: readonly {
    readonly expanded_secret_key: string
    readonly public_key: string
    readonly blinding_param: string
    readonly blinded_secret_key: string
    readonly blinded_public_key: string
  }[]
}

const { Point } = ed25519
const { vectors } = readVectors<BlindingVectors>('tor_ed25519_blinding_vectors.json')
const MESSAGE = Uint8Array.of(1, 2, 3)
const PARAMETER = new Uint8Array(32).fill(0x77)
const SIGNER = blindKeyPair(xeddsaKeyPair(new Uint8Array(32).fill(1)), PARAMETER)
const SIGNATURE = xeddsaSign(SIGNER, MESSAGE, new Uint8Array(64).fill(3))

/** The eight points of small order: the multiples of one of order eight. */
const SMALL_ORDER_POINTS = Array.from({ length: 8 }, (_, times) => {
  const point = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
  return times === 0 ? Point.ZERO : point.multiplyUnsafe(BigInt(times))
})

describe('blinding', () => {
  it("gives Tor's ten blinded public keys", () => {
    assert.equal(vectors.length, 10)
    for (const vector of vectors) {
      const blinded = blindPoint(hex(vector.public_key), hex(vector.blinding_param))
      assert.ok(blinded)
      assert.equal(toHex(blinded), vector.blinded_public_key)
    }
  })

  it("gives Tor's ten blinded private scalars", () => {
    for (const vector of vectors) {
      const scalar = bytesToNumberLE(hex(vector.expanded_secret_key).subarray(0, 32))
      const blinded = blindScalar(scalar, hex(vector.blinding_param))
      assert.equal(toHex(numberToBytesLE(blinded, 32)), vector.blinded_secret_key.slice(0, 64))
    }
  })

  it("makes of Tor's ten keys pairs that fit", () => {
    for (const vector of vectors) {
      const scalar = bytesToNumberLE(hex(vector.expanded_secret_key).subarray(0, 32))
      const pair = blindKeyPair({ scalar, point: hex(vector.public_key) }, hex(vector.blinding_param))
      assert.equal(toHex(pair.point), vector.blinded_public_key)
      assert.ok(verifyBlinded(pair.point, MESSAGE, xeddsaSign(pair, MESSAGE, new Uint8Array(64))))
    }
  })

  it('of a WireGuard key gives its owner and whoever knows it the same key', () => {
    fc.assert(
      fc.property(privateKeys(), bytes(32), (privateKey, parameter) => {
        const point = edwardsPoint(x25519KeyPair(privateKey).publicKey)
        assert.ok(point)
        const pair = blindKeyPair(xeddsaKeyPair(privateKey), parameter)
        assert.deepEqual(blindPoint(point, parameter), pair.point)
        assert.notDeepEqual(pair.point, point)
      }),
      { numRuns: 20 },
    )
  })

  it('gives a key of prime order, also of one that is not', () => {
    const expected = blindPoint(SIGNER.point, PARAMETER)
    for (const torsion of SMALL_ORDER_POINTS) {
      const impure = Point.fromBytes(SIGNER.point).add(torsion).toBytes()
      const blinded = blindPoint(impure, PARAMETER)
      assert.ok(blinded)
      assert.ok(Point.fromBytes(blinded).isTorsionFree())
      assert.deepEqual(blinded, expected)
    }
  })

  it('ignores the bits of a parameter that are clamped, and no others', () => {
    const original = blindPoint(SIGNER.point, PARAMETER)
    for (const bit of [0, 1, 2, 254, 255])
      assert.deepEqual(blindPoint(SIGNER.point, flipBit(PARAMETER, bit)), original)
    for (const bit of [3, 100, 253])
      assert.notDeepEqual(blindPoint(SIGNER.point, flipBit(PARAMETER, bit)), original)
  })

  it('takes no point of small order, and none off the curve', () => {
    for (const point of SMALL_ORDER_POINTS) assert.equal(blindPoint(point.toBytes(), PARAMETER), undefined)
    // y = 2 is no coordinate of the curve.
    assert.equal(blindPoint(Uint8Array.of(2, ...new Uint8Array(31)), PARAMETER), undefined)
    assert.equal(blindPoint(new Uint8Array(31), PARAMETER), undefined)
  })

  it('takes parameters of 32 bytes only', () => {
    for (const length of [0, 31, 33]) {
      assert.throws(() => blindPoint(SIGNER.point, new Uint8Array(length)), RangeError)
      assert.throws(() => blindScalar(1n, new Uint8Array(length)), RangeError)
    }
  })
})

describe('signatures by blinded keys', () => {
  it('are plain Ed25519, to node:crypto with the bare bytes of the key and to noble', () => {
    fc.assert(
      fc.property(
        privateKeys(),
        bytes(32),
        fc.uint8Array(),
        bytes(64),
        (privateKey, parameter, message, z) => {
          const pair = blindKeyPair(xeddsaKeyPair(privateKey), parameter)
          const signature = xeddsaSign(pair, message, z)
          assert.ok(verify(null, message, plainKey(pair.point), signature))
          assert.ok(ed25519.verify(signature, message, pair.point))
          assert.ok(verifyBlinded(pair.point, message, signature))
        },
      ),
      { numRuns: 20 },
    )
  })

  it('cover every bit of the message, of themselves and of the key', () => {
    assert.ok(verifyBlinded(SIGNER.point, MESSAGE, SIGNATURE))
    for (let bit = 0; bit < 8 * MESSAGE.length; bit++)
      assert.ok(!verifyBlinded(SIGNER.point, flipBit(MESSAGE, bit), SIGNATURE))
    for (let bit = 0; bit < 8 * SIGNATURE.length; bit++)
      assert.ok(!verifyBlinded(SIGNER.point, MESSAGE, flipBit(SIGNATURE, bit)))
    for (let bit = 0; bit < 8 * SIGNER.point.length; bit++)
      assert.ok(!verifyBlinded(flipBit(SIGNER.point, bit), MESSAGE, SIGNATURE))
  })

  it('have no second spelling with s + L', () => {
    const s = bytesToNumberLE(SIGNATURE.subarray(32)) + Point.Fn.ORDER
    const second = concat([SIGNATURE.subarray(0, 32), numberToBytesLE(s, 32)])
    assert.ok(!verifyBlinded(SIGNER.point, MESSAGE, second))
  })

  it('do not exist under a key of small order, though Ed25519 alone would take some that anybody can make', () => {
    // R = B and s = 1: right wherever the challenge makes the key vanish.
    const forgery = concat([Point.BASE.toBytes(), Uint8Array.of(1), new Uint8Array(31)])
    const spellings = SMALL_ORDER_POINTS.flatMap((point) => {
      const key = point.toBytes()
      return [key, flipBit(key, 255)]
    }).concat([Point.Fp.ORDER, Point.Fp.ORDER + 1n].map((y) => numberToBytesLE(y, 32)))
    let taken = 0
    for (const key of spellings)
      for (let text = 0; text < 32; text++) {
        const message = Uint8Array.of(text)
        if (verify(null, message, plainKey(key), forgery)) taken += 1
        assert.ok(!verifyBlinded(key, message, forgery), toHex(key))
      }
    assert.ok(taken > 0)
  })

  it('are refused without throwing, whatever the bytes', () => {
    const anyOf = (length: number) => fc.oneof(bytes(length), fc.uint8Array({ maxLength: 70 }))
    fc.assert(
      fc.property(anyOf(32), fc.uint8Array(), anyOf(64), (key, message, signature) => {
        assert.equal(verifyBlinded(key, message, signature), false)
      }),
      { numRuns: 500 },
    )
  })
})

/** A KeyObject of the 32 bytes alone: the DER of RFC 8410 section 4 in front of them. */
function plainKey(point: Uint8Array) {
  const key = Buffer.from(concat([hex('302a300506032b6570032100'), point]))
  return createPublicKey({ key, format: 'der', type: 'spki' })
}
