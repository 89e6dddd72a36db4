import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { realCryptography } from '../../../simulations/crypto/cryptography.js'
import { StandIn } from '../../../simulations/crypto/standIn.js'
import { isDropped } from '../../../src/base/drops.js'
import { type Random, seededRandom } from '../../../src/base/random.js'
import { sealKnock } from '../../../src/crypto/sealedKnock.js'
import { signRecord } from '../../../src/crypto/signedRecord.js'
import { privateKeys } from '../../crypto/arbitraries.js'
import { flipBit } from '../../crypto/vectors.js'
import { cast, DATA, IMPLEMENTATIONS, pairOf, recordOf, TIMESTAMP, UNIX } from './cast.js'

describe('the stand-in and the real cryptography', () => {
  it('give a private key the same public key and the same libp2p identity', () => {
    fc.assert(
      fc.property(privateKeys(), (privateKey) => {
        const real = realCryptography.nodeKeys(privateKey)
        const standIn = new StandIn().nodeKeys(privateKey)
        assert.equal(standIn.publicKey, real.publicKey)
        assert.deepEqual(standIn.identitySeed(), real.identitySeed())
      }),
      { numRuns: 20 },
    )
  })

  it('read the same randomness, and make messages of the same lengths and in the same places', () => {
    const [real, standIn] = [() => realCryptography, () => new StandIn()].map((make) => {
      const { cryptography, ana, ben } = cast(make)
      const random = new CountingRandom(seededRandom(3))
      const signed = signRecord(recordOf(ana.node.publicKey), ana.node, random)
      const first = ana.wireguard.createInitiation(ben.node.publicKey, 7, TIMESTAMP, random)
      const signature = ben.node.sign(DATA, random)
      const sealed = cryptography.recordSealing(ana.node, 'net').seal(signed, 20_833, UNIX, random)
      const content = { kind: 'knock', sequence: UNIX, knock: signed } as const
      const { outgoing } = pairOf(ana.node, ben.node.publicKey).knocks
      const knock = sealKnock(outgoing, content, 7, random)
      return {
        asked: random.asked,
        left: random.bytes(8),
        lengths: [signed.length, first.length, signature.length, sealed.length, knock.length],
        plain: [first.slice(0, 8), sealed.slice(0, 13), sealed.slice(45, 61), knock.slice(17, 29)],
      }
    })
    assert.deepEqual(standIn, real)
    assert.deepEqual(real?.asked.slice(0, -1), [64, 32, 64, 16, 64, 12])
  })

  it('refuse what does not decode for the same reasons', () => {
    const standIn = new StandIn()
    const { ben } = cast(() => standIn)
    const real = realCryptography.wireguardKeys(new Uint8Array(32).fill(2))
    const { ana } = cast(() => standIn)
    const signed = signRecord(recordOf(ana.node.publicKey), ana.node, seededRandom(1))
    const records = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat({ max: 8 * signed.length - 1 }).map((bit) => flipBit(signed, bit)),
    )
    fc.assert(
      fc.property(records, fc.uint8Array({ maxLength: 200 }), (bytes, message) => {
        const opened = standIn.openRecord(bytes)
        if (isDropped(opened)) assert.equal(realCryptography.openRecord(bytes), opened)
        assert.equal(ben.wireguard.openInitiation(message), real.openInitiation(message))
      }),
    )
  })
})

for (const { name, make } of IMPLEMENTATIONS) {
  describe(`private keys of ${name}`, () => {
    it('have 32 bytes', () => {
      for (const length of [0, 31, 33]) {
        assert.throws(() => make().nodeKeys(new Uint8Array(length)), RangeError)
        assert.throws(() => make().wireguardKeys(new Uint8Array(length)), RangeError)
      }
    })

    it('give each host a libp2p identity of its own, and always the same', () => {
      const { ana, ben } = cast(make)
      assert.equal(ana.node.identitySeed().length, 32)
      assert.deepEqual(cast(make).ana.node.identitySeed(), ana.node.identitySeed())
      assert.notDeepEqual(ben.node.identitySeed(), ana.node.identitySeed())
    })
  })
}

class CountingRandom implements Random {
  readonly asked: number[] = []
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  bytes(length: number): Uint8Array {
    this.asked.push(length)
    return this.#random.bytes(length)
  }
}
