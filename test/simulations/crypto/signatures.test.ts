import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat } from 'uint8arrays'
import { drop, isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { signRecord } from '../../../src/crypto/signedRecord.js'
import { decodeSignedRecord, encodeRecord, encodeSignedRecord } from '../../../src/wire/record.js'
import { privateKeys, randoms } from '../../crypto/arbitraries.js'
import { flipBit } from '../../crypto/vectors.js'
import { cast, DATA, IMPLEMENTATIONS, recordOf } from './cast.js'

for (const { name, make } of IMPLEMENTATIONS) {
  describe(`signatures of ${name}`, () => {
    it('let everybody read a record as it was signed', () => {
      const cryptography = make()
      fc.assert(
        fc.property(privateKeys(), randoms(), fc.integer({ min: 1 }), (privateKey, random, sequence) => {
          const keys = cryptography.nodeKeys(privateKey)
          const record = { ...recordOf(keys.publicKey), sequence }
          assert.deepEqual(cryptography.openRecord(signRecord(record, keys, random)), record)
        }),
        { numRuns: 20 },
      )
    })

    it('cover every bit of a record, and each of their own', () => {
      const { cryptography, ana } = cast(make)
      const bytes = signRecord(recordOf(ana.node.publicKey), ana.node, seededRandom(1))
      const signed = decodeSignedRecord(bytes)
      assert.ok(!isDropped(signed))
      const { record, signature } = signed
      for (let bit = 0; bit < 8 * record.length; bit++)
        assert.ok(
          isDropped(cryptography.openRecord(encodeSignedRecord({ record: flipBit(record, bit), signature }))),
          `bit ${bit} of the record`,
        )
      for (let bit = 0; bit < 8 * signature.length; bit++)
        assert.equal(
          cryptography.openRecord(encodeSignedRecord({ record, signature: flipBit(signature, bit) })),
          drop('record-bad-signature'),
          `bit ${bit} of the signature`,
        )
    })

    it("are none under another's name, nor over something else", () => {
      const { cryptography, ana, eve } = cast(make)
      const record = encodeRecord(recordOf(ana.node.publicKey))
      const labelled = concat([new TextEncoder().encode('tunnelbore record v1\0'), record])
      for (const [author, message, opens] of [
        [ana, labelled, true],
        [ana, record, false],
        [eve, labelled, false],
      ] as const) {
        const signature = author.node.sign(message, seededRandom(1))
        const opened = cryptography.openRecord(encodeSignedRecord({ record, signature }))
        assert.equal(isDropped(opened), !opens)
      }
    })

    it('are repeatable, and fresh with fresh randomness', () => {
      const { ana } = cast(make)
      const signature = ana.node.sign(DATA, seededRandom(1))
      assert.deepEqual(ana.node.sign(DATA, seededRandom(1)), signature)
      assert.notDeepEqual(ana.node.sign(DATA, seededRandom(2)), signature)
    })

    it('are of a host, however often it starts', () => {
      const cryptography = make()
      const privateKey = new Uint8Array(32).fill(5)
      const bytes = signRecord(
        recordOf(cryptography.nodeKeys(privateKey).publicKey),
        cryptography.nodeKeys(privateKey),
        seededRandom(1),
      )
      assert.ok(!isDropped(cryptography.openRecord(bytes)))
    })

    it('are on no rubbish, and no rubbish makes anything throw', () => {
      const { openRecord } = make()
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.ok(isDropped(openRecord(bytes)))),
      )
    })
  })
}
