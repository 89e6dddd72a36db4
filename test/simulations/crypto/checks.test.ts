import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isDropped } from '../../../src/base/drops.js'
import { publicKeyFromBytes } from '../../../src/base/publicKey.js'
import type { NodeKeys } from '../../../src/crypto/nodeKeys.js'
import { CHECK_NAME_LENGTH } from '../../../src/crypto/pair.js'
import { encodeCheck } from '../../../src/engine/path/checks.js'
import { verifyIntegrity } from '../../../src/wire/stun/integrity.js'
import { decodeStun } from '../../../src/wire/stun/message.js'
import { privateKeys } from '../../crypto/arbitraries.js'
import { SMALL_ORDER_KEYS } from '../../crypto/smallOrderKeys.js'
import { flipBit, toHex } from '../../crypto/vectors.js'
import { cast, DATA, IMPLEMENTATIONS, pairOf, UNIX } from './cast.js'

for (const { name, make } of IMPLEMENTATIONS) {
  describe(`keys of checks of ${name}`, () => {
    it('are the same at both ends, whichever derives them, and as long as they are to be', () => {
      const cryptography = make()
      fc.assert(
        fc.property(privateKeys(), privateKeys(), fc.nat(), fc.uint8Array(), (a, b, epoch, data) => {
          const ana = cryptography.nodeKeys(a)
          const ben = cryptography.nodeKeys(b)
          fc.pre(ana.publicKey !== ben.publicKey)
          const atAna = pairOf(ana, ben.publicKey)
          const atBen = pairOf(ben, ana.publicKey)
          for (const [one, other] of [
            [atAna.outgoing, atBen.incoming],
            [atAna.incoming, atBen.outgoing],
          ] as const) {
            assert.deepEqual(one.hmac(data), other.hmac(data))
            assert.deepEqual(one.nameAt(epoch), other.nameAt(epoch))
            assert.equal(one.hmac(data).length, 32)
            assert.equal(one.nameAt(epoch).length, CHECK_NAME_LENGTH)
          }
        }),
        { numRuns: 20 },
      )
    })

    it('differ by pair and direction, names also by epoch', () => {
      const { ana, ben, eve } = cast(make)
      const directions = [
        [ana, ben],
        [ana, eve],
        [ben, eve],
      ].flatMap(([one, other]) => {
        assert.ok(one !== undefined && other !== undefined)
        const { outgoing, incoming } = pairOf(one.node, other.node.publicKey)
        return [outgoing, incoming]
      })
      assert.equal(new Set(directions.map(({ hmac }) => toHex(hmac(DATA)))).size, 6)
      const epochs = Array.from({ length: 20 }, (_, epoch) => epoch)
      const names = directions.flatMap((each) => epochs.map((epoch) => toHex(each.nameAt(epoch))))
      assert.equal(new Set(names).size, 6 * epochs.length)
      assert.deepEqual(
        directions.flatMap((each) => epochs.map((epoch) => toHex(each.nameAt(epoch)))),
        names,
      )
    })

    it('authenticate every bit of a check, to the peer alone', () => {
      const { ana, ben, eve } = cast(make)
      const transaction = new Uint8Array(12).fill(3)
      const check = encodeCheck(pairOf(ana.node, ben.node.publicKey), transaction, true, UNIX)
      const verifies = (datagram: Uint8Array, keys: NodeKeys, author: NodeKeys) => {
        const decoded = decodeStun(datagram)
        return !isDropped(decoded) && verifyIntegrity(decoded, pairOf(keys, author.publicKey).incoming.hmac)
      }
      assert.ok(verifies(check, ben.node, ana.node))
      assert.ok(!verifies(check, eve.node, ana.node))
      assert.ok(!verifies(check, ben.node, eve.node))
      // The other direction: a check reflected to its sender.
      assert.ok(!verifies(check, ana.node, ben.node))
      const { hmac } = pairOf(ana.node, ben.node.publicKey).outgoing
      for (let bit = 0; bit < 8 * DATA.length; bit++)
        assert.notDeepEqual(hmac(flipBit(DATA, bit)), hmac(DATA), `bit ${bit}`)
    })

    it('are not there for oneself, nor with a key that nobody can own', () => {
      const { ana } = cast(make)
      assert.equal(ana.node.pairKeys(ana.node.publicKey), undefined)
      for (const key of SMALL_ORDER_KEYS) assert.equal(ana.node.pairKeys(publicKeyFromBytes(key)), undefined)
    })

    it('are there with a key of which nothing else is known', () => {
      const { ana, stranger } = cast(make)
      assert.notEqual(ana.node.pairKeys(stranger), undefined)
    })
  })
}
