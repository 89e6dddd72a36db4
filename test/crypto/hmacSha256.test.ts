import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromString } from 'uint8arrays'
import { HMAC_SHA256_LENGTH, hmacSha256 } from '../../src/crypto/hmacSha256.js'
import { toHex } from './vectors.js'

test('test case 2 of RFC 4231 gives its MAC, each time it is asked', () => {
  const mac = hmacSha256(fromString('Jefe'))
  for (let time = 0; time < 2; time++)
    assert.equal(
      toHex(mac(fromString('what do ya want for nothing?'))),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
})

test('the key is copied: changing it afterwards changes nothing', () => {
  const key = new Uint8Array(32).fill(1)
  const mac = hmacSha256(key)
  const before = mac(Uint8Array.of(1))
  key.fill(2)
  assert.deepEqual(mac(Uint8Array.of(1)), before)
  assert.equal(before.length, HMAC_SHA256_LENGTH)
})
