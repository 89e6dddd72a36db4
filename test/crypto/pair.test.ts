import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { after, asUnixTime, HOUR, MINUTE } from '../../src/base/time.js'
import {
  CHECK_NAME_LENGTH,
  derivePairKeys,
  epochOf,
  epochsAround,
  type PairKeys,
} from '../../src/crypto/pair.js'
import { x25519KeyPair } from '../../src/crypto/x25519.js'
import { privateKeys } from './arbitraries.js'
import { SMALL_ORDER_KEYS } from './smallOrderKeys.js'
import { toHex } from './vectors.js'

const DATA = Uint8Array.of(1, 2, 3)
const ALICE = x25519KeyPair(new Uint8Array(32).fill(1))
const BOB = x25519KeyPair(new Uint8Array(32).fill(2))
const CAROL = x25519KeyPair(new Uint8Array(32).fill(3))

test('what one sends the other expects, under the same key and name', () => {
  const epochs = fc.integer({ min: -3, max: 10_000_000 })
  fc.assert(
    fc.property(privateKeys(), privateKeys(), epochs, (a, b, epoch) => {
      const alice = x25519KeyPair(a)
      const bob = x25519KeyPair(b)
      fc.pre(toHex(alice.publicKey) !== toHex(bob.publicKey))
      const atAlice = pair(alice, bob)
      const atBob = pair(bob, alice)
      assert.deepEqual(atAlice.outgoing.hmac(DATA), atBob.incoming.hmac(DATA))
      assert.deepEqual(atAlice.incoming.hmac(DATA), atBob.outgoing.hmac(DATA))
      assert.deepEqual(atAlice.outgoing.nameAt(epoch), atBob.incoming.nameAt(epoch))
      assert.deepEqual(atAlice.incoming.nameAt(epoch), atBob.outgoing.nameAt(epoch))
    }),
  )
})

test('keys and names differ by direction, pair and epoch', () => {
  const pairs = [pair(ALICE, BOB), pair(ALICE, CAROL), pair(BOB, CAROL)]
  const directions = pairs.flatMap(({ outgoing, incoming }) => [outgoing, incoming])
  const macs = directions.map(({ hmac }) => toHex(hmac(DATA)))
  assert.equal(new Set(macs).size, 6)
  const names = directions.flatMap((direction) =>
    [0, 1, 2, 490_000].map((epoch) => toHex(direction.nameAt(epoch))),
  )
  assert.equal(new Set(names).size, 24)
})

test('a name is 16 bytes, and no MAC under the key of the checks', () => {
  const { outgoing } = pair(ALICE, BOB)
  const name = outgoing.nameAt(7)
  assert.equal(name.length, CHECK_NAME_LENGTH)
  assert.notDeepEqual(outgoing.hmac(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7)).slice(0, CHECK_NAME_LENGTH), name)
})

test('the name of an epoch stays what it is, however many others are asked for in between', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 100 }), (epochs) => {
      const { outgoing } = pair(ALICE, BOB)
      for (const epoch of epochs)
        assert.deepEqual(outgoing.nameAt(epoch), pair(ALICE, BOB).outgoing.nameAt(epoch))
    }),
    { numRuns: 10 },
  )
})

test('the derivation is the one written down, as a second implementation computed it', () => {
  const { outgoing, incoming } = pair(ALICE, BOB)
  assert.equal(toHex(outgoing.nameAt(490_000)), 'd5681e106ac0e27324f92cb2abbd6d4c')
  assert.equal(toHex(incoming.nameAt(490_000)), 'e46a67eefb49ee52b7f043b074664fd2')
  assert.equal(toHex(outgoing.hmac(DATA)), 'c089246bb00b630f0d2b59e7b095e29fdf82c2f3c53fd5a7773f2f7fae46382c')
  assert.equal(toHex(incoming.hmac(DATA)), 'af0a3150cc38cc37f256122704cc1d18414d93dc773e0c02f6eaa1ec55a93d55')
})

test('there is no pair with a key of small order, and none with oneself', () => {
  for (const key of SMALL_ORDER_KEYS) assert.equal(derivePairKeys(ALICE, key), undefined)
  assert.equal(derivePairKeys(ALICE, ALICE.publicKey), undefined)
})

test('epochs change on the hour', () => {
  assert.equal(epochOf(asUnixTime(0)), 0)
  assert.equal(epochOf(asUnixTime(HOUR - 1)), 0)
  assert.equal(epochOf(asUnixTime(HOUR)), 1)
})

test('the epochs around a moment are those within two hours of it, in order', () => {
  assert.deepEqual(epochsAround(asUnixTime(10 * HOUR + 30 * MINUTE)), [8, 9, 10, 11, 12])
  assert.deepEqual(epochsAround(asUnixTime(10 * HOUR)), [8, 9, 10, 11, 12])
  assert.deepEqual(epochsAround(asUnixTime(11 * HOUR - 1)), [8, 9, 10, 11, 12])
})

test("peers whose clocks differ by up to two hours know each other's names", () => {
  const moments = fc.nat({ max: 4_000_000_000_000 }).map(asUnixTime)
  fc.assert(
    fc.property(moments, fc.integer({ min: -2 * HOUR, max: 2 * HOUR }), (now, skew) => {
      assert.ok(epochsAround(now).includes(epochOf(after(now, skew))))
    }),
  )
})

function pair(own: typeof ALICE, peer: typeof ALICE): PairKeys {
  const keys = derivePairKeys(own, peer.publicKey)
  assert.ok(keys)
  return keys
}
