import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { countingStep, FIRST_PORT, LAST_PORT, predictedPorts } from '../../../src/engine/path/prediction.js'

const anyPort = fc.integer({ min: FIRST_PORT, max: LAST_PORT })

describe('the ports of a NAT that counts', () => {
  it('are told by the step between those that reflectors saw, up or down', () => {
    assert.equal(countingStep([40_000, 40_001, 40_002]), 1)
    assert.equal(countingStep([40_000, 39_998]), -2)
    assert.equal(countingStep([40_000, 40_002, 40_006]), 2)
    assert.deepEqual(predictedPorts([40_000, 40_002]).slice(0, 3), [40_004, 40_006, 40_008])
  })

  it('begin again where they end', () => {
    assert.equal(countingStep([LAST_PORT, FIRST_PORT]), 1)
    assert.deepEqual(predictedPorts([LAST_PORT - 2, LAST_PORT - 1]).slice(0, 2), [LAST_PORT, FIRST_PORT])
    assert.deepEqual(predictedPorts([FIRST_PORT + 1, FIRST_PORT])[0], LAST_PORT)
  })

  it('are not told by one port, by the same twice, nor where they go back and forth or far', () => {
    for (const seen of [[], [40_000], [40_000, 40_000], [40_000, 40_001, 40_000], [40_000, 40_017]])
      assert.deepEqual(predictedPorts(seen), [])
  })

  it('are the next ones of whatever counts by a small step, from wherever', () => {
    const steps = fc.integer({ min: -16, max: 16 }).filter((step) => step !== 0)
    fc.assert(
      fc.property(anyPort, steps, fc.integer({ min: 2, max: 6 }), (first, step, count) => {
        const ports = LAST_PORT - FIRST_PORT + 1
        const nth = (index: number) =>
          FIRST_PORT + ((((first - FIRST_PORT + index * step) % ports) + ports) % ports)
        const seen = Array.from({ length: count }, (_, index) => nth(index))
        const predicted = predictedPorts(seen)
        assert.deepEqual(
          predicted,
          predicted.map((_, index) => nth(count + index)),
        )
        assert.equal(predicted.length, 256)
      }),
    )
  })

  it('are ports, and none twice, whatever was seen', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 6 }), (seen) => {
        const predicted = predictedPorts(seen)
        assert.equal(new Set(predicted).size, predicted.length)
        for (const port of predicted) assert.ok(port >= FIRST_PORT && port <= LAST_PORT)
      }),
    )
  })
})
