import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import { computeMac1, mac1Key, mac1Matches } from '../../src/crypto/mac1.js'
import { mac1Of } from '../../src/wire/wireguard.js'
import { CAPTURED_INITIATIONS, CAPTURED_RESPONSE } from './capturedInitiations.js'
import { flipBit } from './vectors.js'

test("mac1 of wireguard-go's first messages matches its receiver and nobody else", () => {
  for (const { message, responder } of CAPTURED_INITIATIONS)
    for (const other of CAPTURED_INITIATIONS) {
      const key = mac1Key(other.responder.publicKey)
      assert.equal(mac1Matches(key, message), other.responder === responder)
    }
})

test("mac1 of wireguard-go's second message matches the initiator, and not the responder", () => {
  const { response, initiator, responder } = CAPTURED_RESPONSE
  assert.ok(mac1Matches(mac1Key(initiator.publicKey), response))
  assert.ok(!mac1Matches(mac1Key(responder.publicKey), response))
})

test('mac1 is recomputed to the byte', () => {
  for (const { message, responder } of CAPTURED_INITIATIONS)
    assert.deepEqual(computeMac1(mac1Key(responder.publicKey), message), mac1Of(message).slice())
})

test('any flipped bit up to the end of mac1 is seen, and mac2 is left alone', () => {
  const [captured] = CAPTURED_INITIATIONS
  assert.ok(captured)
  const key = mac1Key(captured.responder.publicKey)
  for (let bit = 0; bit < 8 * 148; bit++)
    assert.equal(mac1Matches(key, flipBit(captured.message, bit)), bit >= 8 * 132, `bit ${bit}`)
})

test('a key that wg prints gives the same mac1 key as its bytes', () => {
  const key = parsePublicKey('Pys990IonM6uClYNfLnawSjuFoi5/Uk6CbNkkYiJikM=')
  assert.ok(key)
  const [captured] = CAPTURED_INITIATIONS
  assert.ok(captured && mac1Matches(mac1Key(publicKeyBytes(key)), captured.message))
})
