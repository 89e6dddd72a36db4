import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { after, type Instant, SECOND } from '../../../src/base/time.js'
import { Chase } from '../../../src/engine/path/chase.js'

const START = 0 as Instant
const at = (ms: number) => after(START, ms)

describe('a chase', () => {
  it('tries one address at a time while there is a sound path, and eight otherwise', () => {
    const chase = new Chase()
    assert.deepEqual(
      [0, 1].map((underWay) => chase.admits(underWay, true, START)),
      [true, false],
    )
    assert.deepEqual(
      [0, 7, 8].map((underWay) => chase.admits(underWay, false, START)),
      [true, true, false],
    )
  })

  it('rests after a failure while there is a sound path, and only after the second without one', () => {
    const chase = new Chase()
    chase.failed(START)
    assert.equal(chase.admits(0, true, at(SECOND - 1)), false)
    assert.equal(chase.admits(0, false, at(SECOND - 1)), true)
    assert.equal(chase.admits(0, true, at(SECOND)), true)
    chase.failed(at(SECOND))
    assert.equal(chase.admits(0, false, at(2 * SECOND)), false)
    assert.equal(chase.admits(0, false, at(3 * SECOND)), true)
  })

  it('counts several that fail together as one', () => {
    const chase = new Chase()
    for (let failed = 0; failed < 5; failed++) chase.failed(START)
    assert.equal(chase.admits(0, true, at(SECOND)), true)
  })

  it('begins anew after a success, and at once with a new effort', () => {
    const failures = (chase: Chase) => {
      for (let second = 0; second < 100; second++) chase.failed(at(second * SECOND))
    }
    const successful = new Chase()
    failures(successful)
    successful.succeeded()
    assert.equal(successful.admits(0, false, at(100 * SECOND)), true)
    const begun = new Chase()
    failures(begun)
    begun.begin(at(100 * SECOND))
    assert.equal(begun.admits(0, true, at(100 * SECOND)), true)
  })

  it('never fails more often than its pauses allow', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20 * SECOND), { maxLength: 200 }), (waits) => {
        const chase = new Chase()
        let now = 0
        let counted = 0
        for (const wait of waits) {
          now += wait
          if (!chase.admits(0, true, at(now))) continue
          chase.failed(at(now))
          counted += 1
        }
        // One second, two, four … sixty between them.
        const least = Array.from({ length: Math.max(0, counted - 1) }, (_, n) => Math.min(60, 2 ** n))
        assert.ok(now >= least.reduce((sum, pause) => sum + pause, 0) * SECOND)
      }),
    )
  })
})
