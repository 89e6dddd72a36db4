import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { caseOf } from '../../../simulations/search/arbitraries.js'
import { describeViolation } from '../../../simulations/search/findings.js'
import { replayCommand } from '../../../simulations/search/order.js'
import { observeCase } from '../../../simulations/search/runCase.js'

/** Every day's share of the search; `npm run sim:search -- --minutes N` looks at new ones. */
const FROM = 1
const TO = 150

/** Cases that are quickly run: with the real cryptography they take the same course. */
const REAL = [18, 19, 27]

describe('the engine keeps its promises', () => {
  for (let seed = FROM; seed <= TO; seed++) {
    it(`in the case of seed ${seed}`, () => {
      const { violation, statistics } = observeCase(caseOf(seed))
      if (violation !== undefined)
        assert.fail(`${describeViolation(violation)}\nagain: ${replayCommand(seed, 'stand-in')}`)
      assert.ok(statistics.simulatedMs >= caseOf(seed).lengthMs)
    })
  }
})

describe('a case', () => {
  for (const seed of REAL) {
    it(`takes the same course with the real cryptography and with the stand-in (seed ${seed})`, () => {
      const real = observeCase(caseOf(seed), { cryptography: 'real', digest: true })
      const standIn = observeCase(caseOf(seed), { cryptography: 'stand-in', digest: true })
      assert.equal(real.digest, standIn.digest)
      assert.deepEqual(real.statistics, standIn.statistics)
    })
  }

  it('takes the same course each time, and another with another seed', () => {
    const whole = caseOf(27)
    const first = observeCase(whole, { digest: true })
    assert.equal(observeCase(whole, { digest: true }).digest, first.digest)
    assert.notEqual(observeCase({ ...whole, seed: whole.seed + 1 }, { digest: true }).digest, first.digest)
  })
})
