import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asInstant, asUnixTime, HOUR, SECOND } from '../../../src/base/time.js'
import { Suspension } from '../../../src/engine/roam/suspension.js'

describe('suspension', () => {
  it('is over where the wall clock went on and the monotonic one did not, and is told once', () => {
    const suspension = new Suspension()
    const isOver = (instant: number, unix: number) =>
      suspension.isOver({ instant: asInstant(instant), unix: asUnixTime(unix) })
    assert.equal(isOver(0, 1_000), false)
    assert.equal(isOver(HOUR, HOUR + 1_000), false)
    assert.equal(isOver(HOUR + 5, HOUR + 1_005 + 10 * SECOND), true)
    assert.equal(isOver(HOUR + 6, HOUR + 1_006 + 10 * SECOND), false)
  })

  it('is not concluded from a clock that is set back, or a little forward', () => {
    const suspension = new Suspension()
    const isOver = (instant: number, unix: number) =>
      suspension.isOver({ instant: asInstant(instant), unix: asUnixTime(unix) })
    isOver(0, HOUR)
    assert.equal(isOver(1, 0), false)
    assert.equal(isOver(2, 1_900), false)
  })
})
