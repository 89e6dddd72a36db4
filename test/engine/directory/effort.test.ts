import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Effort } from '../../../src/engine/directory/effort.js'
import { at } from '../virtualTime.js'

describe('an effort', () => {
  it('goes on over attempts that fail, and is forgotten when another begins after there was a path', () => {
    const effort = new Effort()
    assert.equal(effort.begin(at(0)), true)
    effort.lookUpBegun()
    assert.equal(effort.begin(at(10)), false)
    assert.equal(effort.attempts, 2)
    assert.equal(effort.begunAt, at(0))
    effort.succeeded()
    assert.equal(effort.lookUps, 1)
    assert.equal(effort.begin(at(20)), true)
    assert.deepEqual([effort.attempts, effort.lookUps, effort.begunAt], [1, 0, at(20)])
  })

  it('keeps the last eight knocks', () => {
    const effort = new Effort()
    for (let ms = 0; ms < 100; ms++) effort.knockSent(ms % 2 === 0 ? 'stream' : 'gossip', at(ms))
    assert.deepEqual(
      effort.knocks.map((knock) => knock.at),
      [92, 93, 94, 95, 96, 97, 98, 99].map(at),
    )
  })

  it('takes an answer for that of all that wait, and a failure for that of streams', () => {
    const effort = new Effort()
    effort.knockSent('stream', at(0))
    effort.knockSent('gossip', at(1))
    effort.knockFailed('no address to dial', false)
    assert.deepEqual(
      effort.knocks.map(({ result }) => result.type),
      ['failed', 'waiting'],
    )
    effort.knockAnswered()
    assert.deepEqual(
      effort.knocks.map(({ result }) => result.type),
      ['failed', 'answered'],
    )
  })

  it('keeps of a reason what fits on a line, and nothing that moves a cursor', () => {
    const effort = new Effort()
    effort.knockSent('stream', at(0))
    effort.knockFailed(`one\n\u001b[2Jtwo${'x'.repeat(1_000)}`, false)
    const [knock] = effort.knocks
    assert.ok(knock?.result.type === 'failed')
    assert.match(knock.result.reason, /^one \[2Jtwox{10,200}$/)
  })

  it('counts no more look-ups that ended than were begun', () => {
    const effort = new Effort()
    effort.lookUpEnded()
    assert.equal(effort.lookUpsEnded, 0)
  })
})
