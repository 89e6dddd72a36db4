import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { delayBetween, REGIONS } from '../../../simulations/network/regions.js'

describe('regions', () => {
  it('are as far from each other in one direction as in the other, and farther than from themselves', () => {
    for (const from of REGIONS) {
      for (const to of REGIONS) {
        assert.equal(delayBetween(from, to), delayBetween(to, from))
        if (from !== to) assert.ok(delayBetween(from, to) > delayBetween(from, from), `${from} to ${to}`)
      }
    }
  })

  it('are no farther apart than light in glass goes half round the earth and a half more', () => {
    for (const from of REGIONS) {
      for (const to of REGIONS) {
        const ms = delayBetween(from, to)
        assert.ok(ms > 0 && ms <= 160, `${from} to ${to}: ${ms} ms`)
      }
    }
  })
})
