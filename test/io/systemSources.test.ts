import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { randomBelow } from '../../src/base/random.js'
import { now } from '../../src/io/systemClock.js'
import { systemRandom } from '../../src/io/systemRandom.js'

describe("the system's clocks and randomness", () => {
  it('the monotonic clock never goes back, and the wall clock is the system’s', () => {
    const first = now()
    const second = now()
    assert.ok(second.instant >= first.instant)
    assert.ok(Math.abs(Date.now() - second.unix) < 1_000)
  })

  it('random bytes are as many as asked for, and differ', () => {
    assert.equal(systemRandom.bytes(0).length, 0)
    assert.equal(systemRandom.bytes(32).length, 32)
    assert.notDeepEqual(systemRandom.bytes(32), systemRandom.bytes(32))
    for (let count = 0; count < 100; count++) assert.ok(randomBelow(systemRandom, 7) < 7)
  })
})
