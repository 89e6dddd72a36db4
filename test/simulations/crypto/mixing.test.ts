import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { KEY_LENGTH, mix } from '../../../simulations/crypto/mixing.js'
import { seededRandom } from '../../../src/base/random.js'
import { flipBit, toHex } from '../../crypto/vectors.js'

const keys = fc.uint8Array({ minLength: KEY_LENGTH, maxLength: KEY_LENGTH })
const data = fc.uint8Array({ maxLength: 200 })
const words = fc.nat({ max: 0xffff_ffff })

describe('the mixing hash', () => {
  it('gives these very bytes, on every machine', () => {
    const key = Uint8Array.from({ length: KEY_LENGTH }, (_, at) => at)
    assert.equal(toHex(mix(key, 0, new Uint8Array(0), 16)), 'a2353470fd61bb759d0d43fd32e6a466')
    assert.equal(
      toHex(mix(key, 1, Uint8Array.of(1, 2, 3, 4, 5), 32, 6, 7)),
      'c2663312bdd58c3a9b297d3b4eb07a206125d54beca4d70dcfba6d1d91020ca1',
    )
    assert.equal(
      toHex(mix(key, 0xffff_ffff, new Uint8Array(5_000).fill(9), 16, 0xffff_ffff)),
      'd00567a17ee10a25f6f1ab257eb6dbda',
    )
  })

  it('gives the same again, whatever was hashed in between; 16 bytes are the first half of 32', () => {
    fc.assert(
      fc.property(keys, data, data, words, words, (key, some, other, low, high) => {
        const whole = mix(key, 1, some, 32, low, high)
        mix(key, 2, other, 32)
        mix(key, 2, new Uint8Array(5_000).fill(0xff), 16)
        assert.deepEqual(mix(key, 1, some, 32, low, high), whole)
        assert.deepEqual(mix(key, 1, some, 16, low, high), whole.slice(0, 16))
      }),
    )
  })

  it('depends on every bit of its data', () => {
    fc.assert(
      fc.property(keys, data, words, (key, some, low) => {
        const before = mix(key, 1, some, 32, low)
        for (let bit = 0; bit < 8 * some.length; bit++)
          assertUnlike(mix(key, 1, flipBit(some, bit), 32, low), before)
      }),
      { numRuns: 30 },
    )
  })

  it('depends on every bit of its key, its purpose and its number', () => {
    fc.assert(
      fc.property(keys, data, words, words, words, (key, some, purpose, low, high) => {
        const before = mix(key, purpose, some, 32, low, high)
        for (let bit = 0; bit < 8 * KEY_LENGTH; bit++)
          assertUnlike(mix(flipBit(key, bit), purpose, some, 32, low, high), before)
        for (let bit = 0; bit < 32; bit++) {
          const one = 1 << bit
          assertUnlike(mix(key, purpose ^ one, some, 32, low, high), before)
          assertUnlike(mix(key, purpose, some, 32, low ^ one, high), before)
          assertUnlike(mix(key, purpose, some, 32, low, high ^ one), before)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('depends on how many zeros the data ends in', () => {
    const key = new Uint8Array(KEY_LENGTH)
    const seen = new Set(
      Array.from({ length: 200 }, (_, length) => toHex(mix(key, 0, new Uint8Array(length), 16))),
    )
    assert.equal(seen.size, 200)
  })

  it('changes every bit of the result about every second time', () => {
    const random = seededRandom(1)
    const changes = new Uint32Array(8 * 32)
    const rounds = 4_000
    for (let round = 0; round < rounds; round++) {
      const key = random.bytes(KEY_LENGTH)
      const some = random.bytes(24)
      const before = mix(key, 0, some, 32)
      const after = mix(key, 0, flipBit(some, round % (8 * some.length)), 32)
      for (let bit = 0; bit < changes.length; bit++)
        changes[bit] = (changes[bit] ?? 0) + (bitOf(before, bit) ^ bitOf(after, bit))
    }
    // Six standard deviations from one half.
    for (const count of changes)
      assert.ok(Math.abs(count - rounds / 2) < 6 * Math.sqrt(rounds / 4), `${count}`)
  })

  it('refuses a key of another length', () => {
    for (const length of [0, 31, 33])
      assert.throws(() => mix(new Uint8Array(length), 0, new Uint8Array(0), 16), RangeError)
  })
})

/** Of 256 bits that are as good as random, between 64 and 192 differ, but for one case in 10^14 or so. */
function assertUnlike(a: Uint8Array, b: Uint8Array): void {
  let differing = 0
  for (let bit = 0; bit < 8 * a.length; bit++) differing += bitOf(a, bit) ^ bitOf(b, bit)
  assert.ok(differing > 64 && differing < 192, `${differing} bits differ`)
}

function bitOf(bytes: Uint8Array, bit: number): number {
  return ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1
}
