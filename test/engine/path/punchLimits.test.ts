import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { after, SECOND } from '../../../src/base/time.js'
import { PunchBudget } from '../../../src/engine/path/punchLimits.js'
import { at, START } from '../virtualTime.js'

describe('the budget of checks that bore holes', () => {
  it('is never exceeded in any second, whoever takes of it, and when', () => {
    const wishes = fc.array(fc.tuple(fc.nat({ max: 60 }), fc.boolean(), fc.integer({ min: 1, max: 40 })), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 300 }), wishes, (perSecond, steps) => {
        const budget = new PunchBudget({ perSecond, sockets: 256 }, START)
        const taken: number[] = []
        let ms = 0
        for (const [pause, isSpare, count] of steps) {
          ms += pause
          for (let wish = 0; wish < count; wish++)
            if (isSpare ? budget.takeSpare(at(ms)) : budget.take(at(ms))) taken.push(ms)
        }
        for (const [index, last] of taken.entries()) {
          const inSecond = taken.slice(0, index + 1).filter((time) => last - time < SECOND)
          assert.ok(inSecond.length <= perSecond, `${inSecond.length} in a second`)
        }
      }),
    )
  })

  it('lets the checks of candidates go first', () => {
    const budget = new PunchBudget({ perSecond: 100, sockets: 256 }, START)
    while (budget.takeSpare(START));
    for (let check = 0; check < 18; check++) assert.equal(budget.take(START), true)
    assert.equal(budget.takeSpare(budget.availableAt(START)), false)
  })

  it('says when there is something left for birthday punching, and keeps it', () => {
    const budget = new PunchBudget({ perSecond: 100, sockets: 256 }, START)
    while (budget.take(START));
    const then = budget.spareAvailableAt(START)
    assert.equal(budget.takeSpare(after(then, -2)), false)
    assert.equal(budget.takeSpare(then), true)
  })
})
