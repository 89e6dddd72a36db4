import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { AEAD_TAG_LENGTH, aeadOpen, aeadSeal } from '../../src/crypto/aead.js'
import { flipBit, hex, toHex } from './vectors.js'

test('the example of RFC 8439 section 2.8.2 seals to its ciphertext and tag', () => {
  const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f')
  const nonce = hex('070000004041424344454647')
  const associated = hex('50515253c0c1c2c3c4c5c6c7')
  const plaintext = fromString(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  )
  const sealed = aeadSeal(key, nonce, plaintext, associated)
  assert.equal(
    toHex(sealed),
    'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b' +
      '1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
      '3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
  )
  assert.deepEqual(aeadOpen(key, nonce, sealed, associated), plaintext)
})

test('what was sealed opens, and nothing else does', () => {
  const fields = fc.record({
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
    plaintext: fc.uint8Array({ maxLength: 64 }),
    associated: fc.uint8Array({ minLength: 1, maxLength: 32 }),
    bit: fc.nat(),
  })
  fc.assert(
    fc.property(fields, ({ key, nonce, plaintext, associated, bit }) => {
      const sealed = aeadSeal(key, nonce, plaintext, associated)
      assert.equal(sealed.length, plaintext.length + AEAD_TAG_LENGTH)
      assert.deepEqual(aeadOpen(key, nonce, sealed, associated), plaintext)
      assert.equal(aeadOpen(key, nonce, flipBit(sealed, bit % (8 * sealed.length)), associated), undefined)
      assert.equal(
        aeadOpen(key, nonce, sealed, flipBit(associated, bit % (8 * associated.length))),
        undefined,
      )
      assert.equal(aeadOpen(key, nonce, sealed.subarray(0, bit % sealed.length), associated), undefined)
    }),
  )
})
