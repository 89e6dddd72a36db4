import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Caution, FIRST_CAUTION_MS, LONGEST_CAUTION_MS } from '../../../src/engine/roam/caution.js'
import { at } from '../virtualTime.js'

describe('caution', () => {
  it('holds for a second after a false alarm, and twice as long after each that follows, a minute at most', () => {
    const caution = new Caution()
    assert.equal(caution.holds(at(0)), false)
    let ms = 0
    for (let lasts = FIRST_CAUTION_MS; lasts < 4 * LONGEST_CAUTION_MS; lasts *= 2) {
      caution.wasFalse(at(ms))
      const end = ms + Math.min(lasts, LONGEST_CAUTION_MS)
      assert.deepEqual([caution.holds(at(end - 1)), caution.holds(at(end))], [true, false])
      ms = end
    }
  })

  it('is forgotten after a true alarm, and when there was none for long', () => {
    const caution = new Caution()
    for (const ms of [0, 1_000, 3_000]) caution.wasFalse(at(ms))
    assert.equal(caution.holds(at(6_999)), true)
    caution.wasTrue()
    assert.equal(caution.holds(at(6_999)), false)
    for (const ms of [10_000, 11_000, 13_000]) caution.wasFalse(at(ms))
    caution.wasFalse(at(100_000))
    assert.deepEqual([caution.holds(at(100_999)), caution.holds(at(101_000))], [true, false])
  })
})
