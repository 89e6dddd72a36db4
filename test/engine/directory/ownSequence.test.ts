import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { after, HOUR } from '../../../src/base/time.js'
import { OwnSequence } from '../../../src/engine/directory/ownSequence.js'
import { UNIX_START } from '../virtualTime.js'

describe('our own numbers', () => {
  it('are the time, or the next above the last', () => {
    const sequence = new OwnSequence(0)
    const numbers = [0, 0, 5.5, 3, 100].map((ms) => sequence.next(after(UNIX_START, ms)) - UNIX_START)
    assert.deepEqual(numbers, [0, 1, 5, 6, 100])
  })

  it('are never used twice, never too far ahead, and above all that was seen and could be believed', () => {
    const steps = fc.array(
      fc.tuple(
        fc.integer({ min: -HOUR, max: HOUR }),
        fc.option(fc.integer({ min: -4 * HOUR, max: 4 * HOUR })),
      ),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(steps, (taken) => {
        const sequence = new OwnSequence(0)
        let highest = 0
        for (const [offset, seen] of taken) {
          const now = after(UNIX_START, offset)
          if (seen !== null) {
            const found = UNIX_START + seen
            const isNews = found > highest && found <= now + 2 * HOUR
            assert.equal(sequence.lift(found, now), isNews)
            if (isNews) highest = found
          }
          const next = sequence.next(now)
          assert.ok(next <= now + 2 * HOUR)
          assert.ok(next > highest || highest >= now + 2 * HOUR)
          highest = next
        }
      }),
    )
  })

  it('go on above those of an earlier run, unless these were out of all bounds', () => {
    const numbers = [-5, 0, HOUR, 2 * HOUR - 1, 2 * HOUR, 72 * HOUR].map(
      (last) => new OwnSequence(UNIX_START + last).next(UNIX_START) - UNIX_START,
    )
    assert.deepEqual(numbers, [0, 1, HOUR + 1, 2 * HOUR, 0, 0])
  })
})
