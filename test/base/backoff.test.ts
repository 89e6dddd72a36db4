import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { backoffMs } from '../../src/base/backoff.js'

describe('the pause after failures', () => {
  it('is twice as long each time, up to the longest', () => {
    const pauses = [0, 1, 2, 3, 4, 1_000].map((failures) =>
      backoffMs({ first: 500, longest: 4_000 }, failures),
    )
    assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 4_000, 4_000])
  })

  it('grows as fast as it is told to', () => {
    const pauses = [0, 1, 2, 3].map((failures) =>
      backoffMs({ first: 100, longest: 400, growth: 1.5 }, failures),
    )
    assert.deepEqual(pauses, [100, 150, 225, 337.5])
  })

  it('never grows shorter, and is never longer than the longest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.nat(), fc.nat({ max: 5_000 }), (first, longest, failures) => {
        const pause = backoffMs({ first, longest }, failures)
        assert.ok(pause <= longest && pause <= backoffMs({ first, longest }, failures + 1))
      }),
    )
  })
})
