import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mappingNonce } from '../../src/crypto/mappingNonce.js'
import { toHex } from './vectors.js'

test('the nonce of port mappings has 12 bytes, is the same each time, and follows from the seed alone', () => {
  const seed = new Uint8Array(32).fill(1)
  assert.equal(toHex(mappingNonce(seed)), toHex(mappingNonce(seed.slice())))
  assert.equal(mappingNonce(seed).length, 12)
  assert.notEqual(toHex(mappingNonce(seed)), toHex(mappingNonce(new Uint8Array(32).fill(2))))
})
