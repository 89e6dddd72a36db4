import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Spared } from '../../../simulations/search/spared.js'

describe('a choice that is spared', () => {
  it('is the first value, and leaves what is drawn after it as it was', () => {
    const drawn = (parts: readonly fc.Arbitrary<number>[]) =>
      fc.sample(fc.tuple(...parts), { seed: 5, numRuns: 1 })[0]?.at(-1)
    const number = fc.nat(1_000_000)
    assert.equal(drawn([new Spared(1, [2]), number]), drawn([number]))
    assert.deepEqual(fc.sample(new Spared('a', ['b']), 3), ['a', 'a', 'a'])
  })

  it('takes the other values, shrinks them to the first, and takes nothing else', () => {
    const choice = new Spared<number | string>(1, [2])
    assert.deepEqual(
      [1, 2, 3, '1'].map((value) => choice.canShrinkWithoutContext(value)),
      [true, true, false, false],
    )
    assert.deepEqual(
      [...choice.shrink(2)].map(({ value }) => value),
      [1],
    )
    assert.deepEqual([...choice.shrink(1)], [])
  })
})
