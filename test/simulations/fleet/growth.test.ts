import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { curveText, fit, valueAt } from '../../../simulations/fleet/growth.js'

const SIZES = [100, 400, 1_600, 6_400]
const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b))

test('what grows with the logarithm, or with a power, is known for what it is, and carried on', () => {
  const coefficient = fc.double({ min: 0.5, max: 50, noNaN: true })
  const exponent = fc.double({ min: 0.3, max: 1.5, noNaN: true })
  fc.assert(
    fc.property(coefficient, coefficient, exponent, (offset, slope, power) => {
      const logarithmic = (nodes: number): number => offset + slope * Math.log2(nodes)
      const rising = (nodes: number): number => offset * nodes ** power
      for (const of of [logarithmic, rising]) {
        const curve = fit(SIZES.map((nodes) => ({ nodes, value: of(nodes) }))) ?? assert.fail()
        assert(curve.error < 1e-6)
        assert(near(valueAt(curve, 100_000), of(100_000)))
      }
    }),
  )
})

test('the error is that of the worst point', () => {
  const curve = fit([
    { nodes: 2, value: 10 },
    { nodes: 4, value: 20 },
    { nodes: 8, value: 10 },
  ])
  assert(curve !== undefined && curve.error > 0.2 && curve.error < 1)
})

test('what does not change, or is nothing, stays so', () => {
  for (const value of [0, 6]) {
    const curve = fit(SIZES.map((nodes) => ({ nodes, value }))) ?? assert.fail()
    assert(near(valueAt(curve, 1e6), value))
    assert.equal(curveText(curve), String(value))
  }
})

test('one size says nothing of growth', () => {
  assert.equal(fit([{ nodes: 10, value: 1 }]), undefined)
})
