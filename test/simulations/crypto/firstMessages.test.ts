import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat } from 'uint8arrays'
import { drop, isDropped } from '../../../src/base/drops.js'
import { publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { seededRandom } from '../../../src/base/random.js'
import { privateKeys, randoms } from '../../crypto/arbitraries.js'
import { SMALL_ORDER_KEYS } from '../../crypto/smallOrderKeys.js'
import { flipBit } from '../../crypto/vectors.js'
import { cast, DATA, IMPLEMENTATIONS, TIMESTAMP } from './cast.js'

for (const { name, make } of IMPLEMENTATIONS) {
  describe(`first messages of ${name}`, () => {
    it('tell their responder who made them, and when', () => {
      const cryptography = make()
      const timestamps = fc.uint8Array({ minLength: 12, maxLength: 12 })
      fc.assert(
        fc.property(privateKeys(), privateKeys(), timestamps, randoms(), (a, b, timestamp, random) => {
          const ana = cryptography.wireguardKeys(a)
          const ben = cryptography.nodeKeys(b)
          const message = ana.createInitiation(ben.publicKey, 7, timestamp, random)
          const peer = cryptography.nodeKeys(a).publicKey
          assert.ok(ben.mac1IsForUs(message))
          assert.deepEqual(ben.openInitiation(message), { peer, timestamp })
          assert.deepEqual(cryptography.wireguardKeys(b).openInitiation(message), { peer, timestamp })
        }),
        { numRuns: 20 },
      )
    })

    it('tell nobody else', () => {
      const { ana, ben, eve } = cast(make)
      const message = ana.wireguard.createInitiation(ben.node.publicKey, 7, TIMESTAMP, seededRandom(1))
      for (const other of [ana, eve]) {
        assert.ok(!other.node.mac1IsForUs(message))
        assert.equal(other.node.openInitiation(message), drop('wireguard-unreadable'))
        assert.equal(other.wireguard.openInitiation(message), drop('wireguard-unreadable'))
      }
    })

    it('are covered by their seals but for the index and the two macs, by mac1 but for mac2', () => {
      const { ana, ben } = cast(make)
      const message = ana.wireguard.createInitiation(ben.node.publicKey, 7, TIMESTAMP, seededRandom(1))
      const original = { peer: ana.node.publicKey, timestamp: TIMESTAMP }
      for (let bit = 8 * 4; bit < 8 * message.length; bit++) {
        const byte = bit >> 3
        const flipped = flipBit(message, bit)
        const sealed = byte >= 8 && byte < 116
        const opened = ben.node.openInitiation(flipped)
        assert.deepEqual(opened, sealed ? drop('wireguard-unreadable') : original, `bit ${bit}`)
        assert.equal(ben.node.mac1IsForUs(flipped), byte >= 132, `bit ${bit}`)
      }
    })

    it('do not throw for the opener, whatever they are', () => {
      const { ben } = cast(make)
      const messages = fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 148, maxLength: 148 }).map(first))
      fc.assert(
        fc.property(messages, (message) => assert.ok(isDropped(ben.wireguard.openInitiation(message)))),
        { numRuns: 50 },
      )
    })

    it('are not made for a key that nobody can own', () => {
      const { ana } = cast(make)
      for (const key of SMALL_ORDER_KEYS) {
        const responder = publicKeyFromBytes(key)
        assert.throws(
          () => ana.wireguard.createInitiation(responder, 7, TIMESTAMP, seededRandom(1)),
          RangeError,
        )
        assert.equal(ana.wireguard.sessionSecret(responder, DATA, DATA).length, 32)
      }
    })
  })
}

/** The bytes with the head of a first message. */
function first(bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(1, 0, 0, 0), bytes.subarray(4)])
}
