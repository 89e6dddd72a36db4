import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { toString as toText } from 'uint8arrays'
import { clampX25519, x25519, x25519KeyPair } from '../../src/crypto/x25519.js'
import { privateKeys } from './arbitraries.js'
import { SMALL_ORDER_KEYS } from './smallOrderKeys.js'
import { hex } from './vectors.js'

test('Alice and Bob of RFC 7748 section 6.1 agree', () => {
  const alice = x25519KeyPair(hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'))
  const bob = x25519KeyPair(hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'))
  const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
  assert.deepEqual(alice.publicKey, hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'))
  assert.deepEqual(bob.publicKey, hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'))
  assert.deepEqual(x25519(alice.privateKey, bob.publicKey), shared)
  assert.deepEqual(x25519(bob.privateKey, alice.publicKey), shared)
})

test('a public key of small order gives no secret, however it is spelt', () => {
  const { privateKey } = x25519KeyPair(new Uint8Array(32).fill(7))
  for (const key of SMALL_ORDER_KEYS) assert.equal(x25519(privateKey, key), undefined, toText(key, 'hex'))
})

test('a private key and its clamped form are the same key', () => {
  fc.assert(
    fc.property(privateKeys(), (bytes) => {
      assert.deepEqual(x25519KeyPair(clampX25519(bytes)).publicKey, x25519KeyPair(bytes).publicKey)
    }),
  )
})

test('keys of a wrong length are refused by name', () => {
  const { privateKey } = x25519KeyPair(new Uint8Array(32))
  for (const length of [0, 31, 33]) {
    assert.throws(() => x25519KeyPair(new Uint8Array(length)), RangeError)
    assert.throws(() => x25519(privateKey, new Uint8Array(length)), RangeError)
  }
})

test('the private bytes given are neither kept nor changed, nor printed', () => {
  const bytes = new Uint8Array(32).fill(0x5a)
  const pair = x25519KeyPair(bytes)
  assert.deepEqual(bytes, new Uint8Array(32).fill(0x5a))
  assert.doesNotMatch(inspect(pair.privateKey, { showHidden: true, depth: 9 }), /5a5a|90, 90|WlpaWlpa/i)
})
