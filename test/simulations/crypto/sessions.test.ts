import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat } from 'uint8arrays'
import { TAG_LENGTH } from '../../../simulations/crypto/cryptography.js'
import { flipBit } from '../../crypto/vectors.js'
import { cast, IMPLEMENTATIONS } from './cast.js'

const counters = fc.oneof(fc.nat({ max: 1_000 }), fc.maxSafeNat())

for (const { name, make } of IMPLEMENTATIONS) {
  describe(`sessions of ${name}`, () => {
    it('have a secret that both ends know, and that depends on every bit of the handshake', () => {
      const { ana, ben, eve } = cast(make)
      const [first, ephemeral] = [new Uint8Array(148).fill(1), new Uint8Array(32).fill(2)]
      const secret = ana.wireguard.sessionSecret(ben.node.publicKey, first, ephemeral)
      assert.equal(secret.length, 32)
      assert.deepEqual(ben.wireguard.sessionSecret(ana.node.publicKey, first, ephemeral), secret)
      const others = [
        eve.wireguard.sessionSecret(ana.node.publicKey, first, ephemeral),
        eve.wireguard.sessionSecret(ben.node.publicKey, first, ephemeral),
      ]
      for (let bit = 0; bit < 8 * first.length; bit++)
        others.push(ana.wireguard.sessionSecret(ben.node.publicKey, flipBit(first, bit), ephemeral))
      for (let bit = 0; bit < 8 * ephemeral.length; bit++)
        others.push(ana.wireguard.sessionSecret(ben.node.publicKey, first, flipBit(ephemeral, bit)))
      for (const other of others) assert.notDeepEqual(other.slice(0, TAG_LENGTH), secret.slice(0, TAG_LENGTH))
    })

    it('tag packets by secret, direction, counter and every bit', () => {
      const cryptography = make()
      const secrets = fc.uint8Array({ minLength: 32, maxLength: 32 })
      const packets = fc.uint8Array({ maxLength: 40 })
      const [ana, ben] = [1, 2].map((fill) => cryptography.wireguardKeys(new Uint8Array(32).fill(fill)))
      assert.ok(ana !== undefined && ben !== undefined)
      fc.assert(
        fc.property(
          secrets,
          fc.boolean(),
          counters,
          counters,
          packets,
          (secret, byInitiator, counter, another, packet) => {
            const tag = ana.tag(secret, byInitiator, counter, packet)
            assert.equal(tag.length, TAG_LENGTH)
            assert.deepEqual(ben.tag(secret, byInitiator, counter, packet), tag)
            const others = [ana.tag(secret, !byInitiator, counter, packet)]
            if (another !== counter) others.push(ana.tag(secret, byInitiator, another, packet))
            for (let bit = 0; bit < 256; bit += 7)
              others.push(ana.tag(flipBit(secret, bit), byInitiator, counter, packet))
            for (let bit = 0; bit < 8 * packet.length; bit++)
              others.push(ana.tag(secret, byInitiator, counter, flipBit(packet, bit)))
            others.push(ana.tag(secret, byInitiator, counter, concat([packet, Uint8Array.of(0)])))
            for (const other of others) assert.notDeepEqual(other, tag)
          },
        ),
        { numRuns: 30 },
      )
    })

    it('do not take the end of a counter for the beginning of a packet', () => {
      const { ana } = cast(make)
      const secret = new Uint8Array(32)
      const digit = Uint8Array.of('2'.charCodeAt(0))
      assert.notDeepEqual(
        ana.wireguard.tag(secret, true, 1, digit),
        ana.wireguard.tag(secret, true, 12, new Uint8Array(0)),
      )
    })
  })
}
