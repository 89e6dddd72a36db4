import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { fromString, toString as toText } from 'uint8arrays'
import { parsePublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import { seededRandom } from '../../src/base/random.js'
import { blindPoint, verifyBlinded } from '../../src/crypto/blinding.js'
import { nodeKeys } from '../../src/crypto/nodeKeys.js'
import { clampX25519 } from '../../src/crypto/x25519.js'
import { edwardsPoint, xeddsaVerify } from '../../src/crypto/xeddsa.js'
import { privateKeys } from './arbitraries.js'
import { CAPTURED_INITIATIONS } from './capturedInitiations.js'
import { hex, readVectors, toHex } from './vectors.js'

interface Responders {
  readonly responders: readonly { readonly privateKey: string; readonly publicKey: string }[]
}

const MESSAGE = hex('00010203')

test("a private key of wg's gives the public key that wg gives", () => {
  for (const { privateKey, publicKey } of readVectors<Responders>('wireguard_initiations.json').responders)
    assert.equal(nodeKeys(fromString(privateKey, 'base64pad')).publicKey, publicKey)
})

test('a first message for us is known by its mac1 and opens', () => {
  const [responder] = readVectors<Responders>('wireguard_initiations.json').responders
  const [captured] = CAPTURED_INITIATIONS
  assert.ok(responder && captured)
  const ours = nodeKeys(fromString(responder.privateKey, 'base64pad'))
  assert.ok(ours.mac1IsForUs(captured.message))
  assert.deepEqual(ours.openInitiation(captured.message), {
    peer: captured.peer,
    timestamp: captured.timestamp,
  })
  assert.ok(!nodeKeys(new Uint8Array(32)).mac1IsForUs(captured.message))
})

test('what is signed verifies under the public key, and the same randomness gives the same signature', () => {
  const keys = nodeKeys(new Uint8Array(32).fill(1))
  const signature = keys.sign(MESSAGE, seededRandom(1))
  assert.ok(xeddsaVerify(keys.publicKey, MESSAGE, signature))
  assert.deepEqual(keys.sign(MESSAGE, seededRandom(1)), signature)
  assert.notDeepEqual(keys.sign(MESSAGE, seededRandom(2)), signature)
})

test('what is signed blinded verifies under the blinded key alone', () => {
  const keys = nodeKeys(new Uint8Array(32).fill(1))
  const parameter = new Uint8Array(32).fill(7)
  const blinded = blindPoint(edwardsPoint(publicKeyBytes(keys.publicKey)) ?? MESSAGE, parameter)
  assert.ok(blinded)
  const signature = keys.signBlinded(parameter, MESSAGE, seededRandom(1))
  assert.ok(verifyBlinded(blinded, MESSAGE, signature))
  assert.ok(!xeddsaVerify(keys.publicKey, MESSAGE, signature))
  assert.deepEqual(keys.signBlinded(parameter, MESSAGE, seededRandom(1)), signature)
  assert.notDeepEqual(keys.signBlinded(parameter, MESSAGE, seededRandom(2)), signature)
  assert.throws(() => keys.signBlinded(new Uint8Array(31), MESSAGE, seededRandom(1)), RangeError)
})

test('two nodes share the keys of their pair', () => {
  const alice = nodeKeys(new Uint8Array(32).fill(1))
  const bob = nodeKeys(new Uint8Array(32).fill(2))
  const sent = alice.pairKeys(bob.publicKey)?.outgoing.nameAt(1)
  assert.ok(sent)
  assert.deepEqual(bob.pairKeys(alice.publicKey)?.incoming.nameAt(1), sent)
})

test('a key that wg would take but nobody can own makes no pair', () => {
  const zero = parsePublicKey(toText(new Uint8Array(32), 'base64pad'))
  assert.ok(zero)
  assert.equal(nodeKeys(new Uint8Array(32).fill(1)).pairKeys(zero), undefined)
})

test('the identity is stable, its own for each key, and the same for both spellings of a key', () => {
  assert.equal(
    toHex(nodeKeys(new Uint8Array(32).fill(1)).identitySeed()),
    '856db5ede6515dcc231e6763ae8049b9f2a10d82c9bbf7bd0c366430207ce300',
  )
  fc.assert(
    fc.property(privateKeys(), (bytes) => {
      const seed = nodeKeys(bytes).identitySeed()
      assert.deepEqual(nodeKeys(clampX25519(bytes)).identitySeed(), seed)
      assert.notDeepEqual(seed, bytes)
    }),
    { numRuns: 20 },
  )
})

test('neither printing nor JSON shows a secret', () => {
  const keys = nodeKeys(new Uint8Array(32).fill(0x5a))
  assert.deepEqual(JSON.parse(JSON.stringify(keys)), { publicKey: keys.publicKey })
  const printed = inspect(keys, { showHidden: true, depth: 9, getters: true })
  for (const secret of [new Uint8Array(32).fill(0x5a), keys.identitySeed()])
    for (const spelling of [toHex(secret), toText(secret, 'base64pad'), secret.join(', ')])
      assert.ok(!printed.includes(spelling))
})

test('a private key of another length is refused', () => {
  assert.throws(() => nodeKeys(new Uint8Array(31)), RangeError)
})
