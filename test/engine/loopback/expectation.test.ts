import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Expectation, MARGIN_MS, WINDOW_MS } from '../../../src/engine/loopback/expectation.js'
import { at } from '../virtualTime.js'

describe('an expectation', () => {
  it('is the mean, and 40 ms or four deviations', () => {
    const expectation = new Expectation()
    assert.equal(expectation.isMeasured, false)
    for (let round = 0; round < 100; round++) expectation.measured(30)
    assert.equal(Math.round(expectation.waitMs), 30 + MARGIN_MS)
    expectation.measured(230)
    // The deviation is 50 now, and the mean 55.
    assert.equal(Math.round(expectation.waitMs), 55 + 4 * 50)
  })

  it('begins as RFC 6298 does: with the first measurement, and half of it', () => {
    const expectation = new Expectation()
    expectation.measured(100)
    assert.equal(expectation.waitMs, 100 + 4 * 50)
  })

  it('takes the longest wait of each window, so that bursts do not hide the pauses between them', () => {
    const expectation = new Expectation()
    for (let ms = 0; ms < 3_000; ms += 100) {
      expectation.note(99, at(ms))
      for (let message = 1; message < 50; message++) expectation.note(0.1, at(ms + message))
    }
    assert.ok(expectation.isKnown)
    assert.ok(expectation.waitMs >= 99 && expectation.waitMs <= 99 + 2 * MARGIN_MS, `${expectation.waitMs}`)
  })

  it('is known after eight windows, and may be assumed or forgotten', () => {
    const expectation = new Expectation()
    for (let window = 0; window < 8; window++) {
      assert.equal(expectation.isKnown, false)
      expectation.note(10, at(window * WINDOW_MS))
    }
    assert.equal(expectation.isKnown, true)
    expectation.assume(100, 20)
    assert.deepEqual([expectation.isKnown, expectation.isMeasured, expectation.waitMs], [false, true, 180])
    expectation.forget()
    assert.equal(expectation.isMeasured, false)
  })

  it('is never shorter than the margin, nor longer than the longest wait allows', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 10_000, noNaN: true }), { minLength: 1 }), (waits) => {
        const expectation = new Expectation()
        for (const ms of waits) expectation.measured(ms)
        const longest = Math.max(...waits)
        assert.ok(expectation.waitMs >= MARGIN_MS)
        assert.ok(expectation.waitMs <= 5 * longest + MARGIN_MS + 1)
      }),
    )
  })
})
