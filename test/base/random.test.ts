import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { forked, type Random, randomBelow, seededRandom } from '../../src/base/random.js'

describe('seeded randomness', () => {
  it('repeats with its seed, and differs with another', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (seed) => {
        const first = seededRandom(seed).bytes(32)
        assert.deepEqual(seededRandom(seed).bytes(32), first)
        assert.notDeepEqual(seededRandom(seed + 1).bytes(32), first)
      }),
    )
  })

  it('goes on where it was, however many bytes are asked for at once', () => {
    const whole = seededRandom(7).bytes(10)
    const random = seededRandom(7)
    assert.deepEqual(Uint8Array.of(...random.bytes(3), ...random.bytes(0), ...random.bytes(7)), whole)
  })

  it('has bytes of every value about equally often', () => {
    const counts = new Array<number>(256).fill(0)
    for (const byte of seededRandom(1).bytes(256 * 400)) counts[byte] = (counts[byte] ?? 0) + 1
    // Six standard deviations about the mean of 400.
    for (const count of counts) assert.ok(Math.abs(count - 400) < 120, `${count}`)
  })
})

describe('a forked source', () => {
  it('repeats with the seed of its parent, and takes one draw from it whatever is drawn of it', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(100), (seed, draws) => {
        const [first, second] = [seededRandom(seed), seededRandom(seed)]
        const bytes = forked(first).bytes(draws)
        assert.deepEqual(forked(second).bytes(draws), bytes)
        assert.deepEqual(first.bytes(16), second.bytes(16))
        assert.notDeepEqual(forked(first).bytes(16), seededRandom(seed).bytes(16))
      }),
    )
  })
})

describe('randomBelow', () => {
  it('stays below its bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.maxSafeNat(), (below, seed) => {
        const value = randomBelow(seededRandom(seed), below)
        assert.ok(Number.isInteger(value) && value >= 0 && value < below)
      }),
    )
  })

  it('draws again where the remainder would favour small numbers', () => {
    // 2^32 - 1 is the one value beyond 3 · floor(2^32 / 3).
    assert.equal(randomBelow(from([0xff, 0xff, 0xff, 0xff], [0, 0, 0, 5]), 3), 2)
    assert.equal(randomBelow(from([0xff, 0xff, 0xff, 0xfe]), 3), 2)
    assert.equal(randomBelow(from([0xff, 0xff, 0xff, 0xff]), 2 ** 32), 2 ** 32 - 1)
  })
})

/** Randomness that gives these bytes, one array a call. */
function from(...draws: readonly (readonly number[])[]): Random {
  const left = [...draws]
  return { bytes: () => Uint8Array.from(left.shift() ?? assert.fail('drawn too often')) }
}
