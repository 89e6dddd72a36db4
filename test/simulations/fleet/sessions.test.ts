import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  availabilityOf,
  churnOfKad,
  churnOfMedian,
  gamma,
  type Lengths,
  weibull,
} from '../../../simulations/fleet/sessions.js'
import { Draws } from '../../../simulations/network/draws.js'
import { seededRandom } from '../../../src/base/random.js'
import { HOUR, MINUTE } from '../../../src/base/time.js'

const COUNT = 40_000

function sortedDraws(draw: (draws: Draws) => number): Float64Array {
  const draws = new Draws(seededRandom(7))
  return Float64Array.from({ length: COUNT }, () => draw(draws)).sort()
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.floor(share * sorted.length)] ?? assert.fail()
}

function near(actual: number, expected: number, tolerance: number): void {
  assert(Math.abs(actual / expected - 1) < tolerance, `${actual} is not within ${tolerance} of ${expected}`)
}

test('with a median of 2 h, four fifths of the sessions are over after 8 h, as was measured in IPFS', () => {
  const { online } = churnOfMedian(2 * HOUR)
  const sorted = sortedDraws((draws) => online.draw(draws))
  near(quantile(sorted, 0.5), 2 * HOUR, 0.03)
  near(quantile(sorted, 0.8), 8 * HOUR, 0.03)
  near(online.meanMs, 5.41 * HOUR, 0.005)
})

test("sessions of KAD have the published fit's median and mean, and nodes are there a fifth of the time", () => {
  const churn = churnOfKad()
  near(
    quantile(
      sortedDraws((draws) => churn.online.draw(draws)),
      0.5,
    ),
    93.4 * MINUTE,
    0.03,
  )
  near(churn.online.meanMs, 247.1 * MINUTE, 0.001)
  near(churn.offline.meanMs, 908 * MINUTE, 0.001)
  near(availabilityOf(churn), 0.214, 0.005)
})

test('nodes are there for the share of time that is asked for', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.05, max: 0.95, noNaN: true }), (share) => {
      near(availabilityOf(churnOfMedian(HOUR, share)), share, 1e-6)
    }),
  )
})

test('the rest of a session is what a long row of sessions shows at random moments', () => {
  const lengths: Lengths = weibull(HOUR, 0.6)
  const draws = new Draws(seededRandom(3))
  const row = Array.from({ length: COUNT }, () => lengths.draw(draws))
  const total = row.reduce((sum, each) => sum + each, 0)
  const moments = Float64Array.from({ length: COUNT }, () => draws.share() * total).sort()
  const rests: number[] = []
  let end = 0
  let at = 0
  for (const each of row) {
    end += each
    while (at < COUNT && (moments[at] ?? total) < end) rests.push(end - (moments[at++] ?? 0))
  }
  const seen = Float64Array.from(rests).sort()
  const drawn = sortedDraws((other) => lengths.drawRest(other))
  for (const share of [0.25, 0.5, 0.75]) near(quantile(drawn, share), quantile(seen, share), 0.08)
})

test('the gamma function is right where it is known', () => {
  for (const [x, value] of [
    [1, 1],
    [2, 1],
    [5, 24],
    [1.5, Math.sqrt(Math.PI) / 2],
  ] as const)
    near(gamma(x), value, 1e-10)
})
