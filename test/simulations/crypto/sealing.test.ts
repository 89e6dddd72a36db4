import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { drop, isDropped } from '../../../src/base/drops.js'
import { publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { seededRandom } from '../../../src/base/random.js'
import { openKnock, sealKnock } from '../../../src/crypto/sealedKnock.js'
import { periodOf } from '../../../src/wire/period.js'
import { MAX_RECORD_LENGTH } from '../../../src/wire/record.js'
import { SEALED_KNOCK_LENGTH, sealedKnockName } from '../../../src/wire/sealedKnock.js'
import { SEALED_RECORD_LENGTH } from '../../../src/wire/sealedRecord.js'
import { privateKeys, randoms } from '../../crypto/arbitraries.js'
import { SMALL_ORDER_KEYS } from '../../crypto/smallOrderKeys.js'
import { flipBit, toHex } from '../../crypto/vectors.js'
import { cast, DATA, IMPLEMENTATIONS, pairOf, UNIX } from './cast.js'

const PERIOD = periodOf(UNIX)
const signedRecords = fc.uint8Array({ minLength: 1, maxLength: MAX_RECORD_LENGTH, size: 'max' })
const sequences = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

for (const { name, make } of IMPLEMENTATIONS) {
  describe(`sealed records of ${name}`, () => {
    it('open to whatever was sealed, for everybody who knows the author, and are all as long', () => {
      const { cryptography, ben } = cast(make)
      const readers = cryptography.recordSealing(ben.node, 'net')
      const periods = fc.nat({ max: 0xffff_ffff })
      fc.assert(
        fc.property(
          privateKeys(),
          signedRecords,
          periods,
          sequences,
          randoms(),
          (privateKey, signedRecord, period, sequence, random) => {
            const author = cryptography.nodeKeys(privateKey)
            const authors = cryptography.recordSealing(author, 'net')
            const sealed = authors.seal(signedRecord, period, sequence, random)
            assert.equal(sealed.length, SEALED_RECORD_LENGTH)
            assert.deepEqual(readers.open(sealed, author.publicKey), { signedRecord, period, sequence })
            const verified = cryptography.verifySealedRecord(sealed)
            assert.ok(!isDropped(verified))
            assert.deepEqual(verified.blindedKey, readers.blindedKey(author.publicKey, period))
            assert.deepEqual([verified.period, verified.sequence], [period, sequence])
          },
        ),
        { numRuns: 20 },
      )
    })

    it('are dropped by readers and by storers with any byte changed', () => {
      const { cryptography, ana, ben } = cast(make)
      const sealed = cryptography.recordSealing(ana.node, 'net').seal(DATA, PERIOD, UNIX, seededRandom(1))
      const readers = cryptography.recordSealing(ben.node, 'net')
      for (let at = 0; at < sealed.length; at++) {
        const changed = flipBit(sealed, 8 * at + (at & 7))
        assert.ok(isDropped(readers.open(changed, ana.node.publicKey)), `byte ${at}`)
        assert.ok(isDropped(cryptography.verifySealedRecord(changed)), `byte ${at}`)
      }
    })

    it('do not open for another author or in another network, nor with their ends cut off', () => {
      const { cryptography, ana, ben, eve, stranger } = cast(make)
      const sealed = cryptography.recordSealing(ana.node, 'net').seal(DATA, PERIOD, UNIX, seededRandom(1))
      const readers = cryptography.recordSealing(ben.node, 'net')
      for (const author of [ben.node.publicKey, eve.node.publicKey, stranger])
        assert.equal(readers.open(sealed, author), drop('record-unreadable'))
      for (const other of ['', 'ne', 'net2', 'nets'])
        assert.equal(
          cryptography.recordSealing(ben.node, other).open(sealed, ana.node.publicKey),
          drop('record-unreadable'),
        )
      assert.equal(readers.open(sealed.slice(0, -1), ana.node.publicKey), drop('record-malformed'))
    })

    it('cannot be put together of two', () => {
      const { cryptography, ana, ben } = cast(make)
      const sealing = cryptography.recordSealing(ana.node, 'net')
      const one = sealing.seal(DATA, PERIOD, UNIX, seededRandom(1))
      const two = sealing.seal(DATA, PERIOD + 1, UNIX + 1, seededRandom(2))
      const readers = cryptography.recordSealing(ben.node, 'net')
      for (const border of [1, 5, 13, 45, 61, 1456, 1472]) {
        const mixed = Uint8Array.of(...one.subarray(0, border), ...two.subarray(border))
        if (border > 1)
          assert.equal(cryptography.verifySealedRecord(mixed), drop('record-bad-signature'), `${border}`)
        assert.equal(isDropped(readers.open(mixed, ana.node.publicKey)), border > 1, `${border}`)
      }
    })

    it('are under keys that differ by author, period and network, and are the same for whoever computes them', () => {
      const { cryptography, ana, ben, stranger } = cast(make)
      const keys = (own: typeof ana) =>
        ['net', 'other'].flatMap((network) =>
          [ana.node.publicKey, ben.node.publicKey, stranger].flatMap((author) =>
            [PERIOD, PERIOD + 1].map((period) => {
              const key = cryptography.recordSealing(own.node, network).blindedKey(author, period)
              assert.equal(key?.length, 32)
              return toHex(key)
            }),
          ),
        )
      assert.equal(new Set(keys(ana)).size, 12)
      assert.deepEqual(keys(ben), keys(ana))
    })

    it('are under none for a key that has no Edwards point', () => {
      const { cryptography, ana } = cast(make)
      const sealing = cryptography.recordSealing(ana.node, 'net')
      for (const key of [...SMALL_ORDER_KEYS, Uint8Array.of(2, ...new Uint8Array(31))])
        assert.equal(sealing.blindedKey(publicKeyFromBytes(key), PERIOD), undefined)
    })

    it('are not made of what is too long, or for a time that is none', () => {
      const { cryptography, ana } = cast(make)
      const sealing = cryptography.recordSealing(ana.node, 'net')
      const random = seededRandom(1)
      for (const length of [0, MAX_RECORD_LENGTH + 1])
        assert.throws(() => sealing.seal(new Uint8Array(length), PERIOD, UNIX, random), RangeError)
      assert.throws(() => sealing.seal(DATA, -1, UNIX, random), RangeError)
      assert.throws(() => sealing.seal(DATA, PERIOD, 0, random), RangeError)
      assert.throws(() => ana.node.signBlinded(new Uint8Array(31), DATA, random), RangeError)
    })

    it('do not throw for reader or storer, whatever they are', () => {
      const { cryptography, ana, ben } = cast(make)
      const readers = cryptography.recordSealing(ben.node, 'net')
      const long = fc
        .uint8Array({ minLength: SEALED_RECORD_LENGTH, maxLength: SEALED_RECORD_LENGTH, size: 'max' })
        .map((bytes) => Uint8Array.of(1, ...bytes.subarray(1)))
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array(), long), (bytes) => {
          assert.ok(isDropped(readers.open(bytes, ana.node.publicKey)))
          assert.ok(isDropped(cryptography.verifySealedRecord(bytes)))
        }),
      )
    })
  })

  describe(`sealed knocks of ${name}`, () => {
    const kinds = fc.constantFrom('knock' as const, 'answer' as const)

    it('open for the peer that they are for, to whatever was sealed, and are all as long', () => {
      const cryptography = make()
      fc.assert(
        fc.property(
          privateKeys(),
          privateKeys(),
          fc.record({ kind: kinds, sequence: sequences, knock: signedRecords }),
          fc.nat(),
          randoms(),
          (a, b, content, epoch, random) => {
            const ana = cryptography.nodeKeys(a)
            const ben = cryptography.nodeKeys(b)
            fc.pre(ana.publicKey !== ben.publicKey)
            const atBen = pairOf(ben, ana.publicKey).knocks.incoming
            const sealed = sealKnock(pairOf(ana, ben.publicKey).knocks.outgoing, content, epoch, random)
            assert.equal(sealed.length, SEALED_KNOCK_LENGTH)
            assert.deepEqual(sealedKnockName(sealed), atBen.nameAt(epoch))
            assert.deepEqual({ ...openKnock(atBen, sealed) }, { ...content })
          },
        ),
        { numRuns: 20 },
      )
    })

    it('open for nobody else, and not in the other direction', () => {
      const { ana, ben, eve } = cast(make)
      const sealed = sealKnock(
        pairOf(ana.node, ben.node.publicKey).knocks.outgoing,
        KNOCK,
        7,
        seededRandom(1),
      )
      for (const credentials of [
        // Ana's own knock, sent back to her.
        pairOf(ana.node, ben.node.publicKey).knocks.incoming,
        pairOf(ben.node, ana.node.publicKey).knocks.outgoing,
        pairOf(eve.node, ana.node.publicKey).knocks.incoming,
        pairOf(eve.node, ben.node.publicKey).knocks.incoming,
        pairOf(ben.node, eve.node.publicKey).knocks.incoming,
      ])
        assert.equal(openKnock(credentials, sealed), drop('knock-unreadable'))
    })

    it('are dropped with any byte changed', () => {
      const { ana, ben } = cast(make)
      const sealed = sealKnock(
        pairOf(ana.node, ben.node.publicKey).knocks.outgoing,
        KNOCK,
        7,
        seededRandom(1),
      )
      const { incoming } = pairOf(ben.node, ana.node.publicKey).knocks
      for (let at = 0; at < sealed.length; at++)
        assert.equal(
          openKnock(incoming, flipBit(sealed, 8 * at + (at & 7))),
          drop(at === 0 ? 'knock-unknown-version' : 'knock-unreadable'),
          `byte ${at}`,
        )
    })

    it('have names that differ by pair, direction and epoch, and from those of checks', () => {
      const { ana, ben, eve } = cast(make)
      const names = [
        [ana, ben],
        [ana, eve],
        [ben, eve],
      ].flatMap(([one, other]) => {
        assert.ok(one !== undefined && other !== undefined)
        const { outgoing, incoming, knocks } = pairOf(one.node, other.node.publicKey)
        return [outgoing, incoming, knocks.outgoing, knocks.incoming].flatMap((each) =>
          [1, 2, 3].map((epoch) => toHex(each.nameAt(epoch))),
        )
      })
      assert.equal(new Set(names).size, 36)
    })
  })
}

const KNOCK = { kind: 'knock', sequence: UNIX, knock: DATA } as const
