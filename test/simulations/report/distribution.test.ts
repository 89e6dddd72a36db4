import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Samples } from '../../../simulations/report/distribution.js'

describe('the distribution of samples', () => {
  it('names values by their nearest rank', () => {
    const samples = new Samples()
    for (let value = 200; value >= 1; value--) samples.add(value)
    assert.deepEqual(samples.distribution, { count: 200, median: 100, p95: 190, p99: 198, max: 200 })
  })

  it('of one value is that value, of none is nothing', () => {
    const samples = new Samples()
    assert.deepEqual(samples.distribution, { count: 0, median: null, p95: null, p99: null, max: null })
    samples.add(7)
    assert.deepEqual(samples.distribution, { count: 1, median: 7, p95: 7, p99: 7, max: 7 })
  })

  it('does not depend on the order, and each percentile covers its share', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 }), (values) => {
        const { median, p95, p99, max, count } = distributionOf(values)
        assert.deepEqual(distributionOf(values.toReversed()), distributionOf(values))
        assert.equal(count, values.length)
        assert.equal(max, Math.max(...values))
        for (const [percent, found] of [
          [50, median],
          [95, p95],
          [99, p99],
        ] as const) {
          assert.ok(found !== null && values.includes(found))
          const covered = values.filter((value) => value <= found).length
          const below = values.filter((value) => value < found).length
          assert.ok(100 * covered >= percent * values.length)
          assert.ok(100 * below < percent * values.length)
        }
      }),
    )
  })
})

function distributionOf(values: readonly number[]) {
  const samples = new Samples()
  for (const value of values) samples.add(value)
  return samples.distribution
}
