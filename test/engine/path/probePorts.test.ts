import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../src/base/random.js'
import { FIRST_PORT, LAST_PORT } from '../../../src/engine/path/prediction.js'
import { ProbePorts } from '../../../src/engine/path/probePorts.js'

describe('the ports that are probed', () => {
  it('are each probed once, from 1024 to 65535', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 4 }), fc.nat(), (seen, seed) => {
        const given = firstOf(new ProbePorts(seen, seededRandom(seed)), 2_048)
        assert.equal(new Set(given).size, 2_048)
        for (const port of given) assert.ok(port >= FIRST_PORT && port <= LAST_PORT)
      }),
      { numRuns: 30 },
    )
  })

  it('are all of them in the end, and then no more', () => {
    const ports = new ProbePorts([40_000, 40_001], seededRandom(1))
    const count = LAST_PORT - FIRST_PORT + 1
    assert.equal(new Set(firstOf(ports, count)).size, count)
    assert.equal(ports.next(), undefined)
    assert.equal(ports.count, count)
  })

  it('are the predicted ones in every other place, and the others are random', () => {
    const given = firstOf(new ProbePorts([40_000, 40_001], seededRandom(1)), 8)
    assert.deepEqual(
      given.filter((_, index) => index % 2 === 0),
      [40_002, 40_003, 40_004, 40_005],
    )
  })

  it('are the same with the same seed, and others with another', () => {
    const given = (seed: number) => firstOf(new ProbePorts([], seededRandom(seed)), 100)
    assert.deepEqual(given(1), given(1))
    assert.notDeepEqual(given(1), given(2))
  })
})

function firstOf(ports: ProbePorts, count: number): readonly number[] {
  return Array.from({ length: count }, () => ports.next() ?? assert.fail('no port is left'))
}
