import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePlan, sizesFor } from '../../../simulations/fleet/plan.js'
import type { Outcome } from '../../../simulations/report/document.js'
import { HOUR } from '../../../src/base/time.js'

/** A life in which clients have 10 bytes a second for each doubling of the fleet. */
function lifeOf(nodes: number, found = 100): Outcome {
  const figure = 10 * Math.log2(nodes)
  const distribution = { count: 1, median: figure, p95: figure, p99: figure, max: figure }
  return {
    scenario: 'churn',
    seed: 1,
    parameters: { nodes },
    complete: true,
    simulatedMs: HOUR,
    findings: {
      measurements: [
        { name: 'found', what: '', unit: 'percent', value: found },
        { name: 'client-bytes', what: '', unit: 'bytes/s', distribution },
      ],
      tables: [],
      expectations: [],
    },
  }
}

const wish = (nodes: number, relayShare = 0.2) => ({ nodes, medianSessionMs: 2 * HOUR, relayShare })
const valueIn = (plan: ReturnType<typeof makePlan>, what: string) =>
  plan.expected.find((each) => each.what.startsWith(what)) ?? assert.fail(what)

test('a small fleet is played as it is, a large one is carried on from smaller ones', () => {
  assert.deepEqual(sizesFor(500), [500])
  const small = makePlan(wish(500), [lifeOf(500)])
  assert.equal(valueIn(small, 'traffic of a client').basis, 'played')
  const sizes = sizesFor(100_000)
  assert(sizes.length >= 3)
  const large = makePlan(
    wish(100_000),
    sizes.map((nodes) => lifeOf(nodes)),
  )
  const { value } = valueIn(large, 'traffic of a client')
  assert(Math.abs(value - 10 * Math.log2(100_000)) < 1e-6)
})

test('of the share that is found, the least counts', () => {
  const plan = makePlan(wish(5_000), [lifeOf(400, 100), lifeOf(800, 99.5), lifeOf(1_600, 99.9)])
  assert.equal(valueIn(plan, 'look-ups').value, 99.5)
})

test('relays are wanted for the reservations of those that do not serve, twice as many as fit', () => {
  const outcomes = [lifeOf(400), lifeOf(800)]
  assert.equal(makePlan(wish(5_000, 0.05), outcomes).relays, Math.ceil((2 * 4_750) / 2_048))
  assert.equal(makePlan(wish(10), outcomes).relays, 3)
  const scarce = makePlan(wish(100_000, 0.0001), outcomes)
  assert(scarce.advice.some((line) => line.includes('let more machines be reachable')))
})

test('where bootstrap nodes have no room for all, it is said', () => {
  const advice = (nodes: number): string => makePlan(wish(nodes), [lifeOf(400), lifeOf(800)]).advice.join()
  assert.match(advice(5_000), /18 % get none/)
  assert.doesNotMatch(advice(2_000), /get none/)
})
