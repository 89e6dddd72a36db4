import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Draws } from '../../../simulations/network/draws.js'
import { forked, seededRandom } from '../../../src/base/random.js'

describe('draws', () => {
  it('are shares from 0 to 1, evenly, also beyond the first block', () => {
    const draws = new Draws(seededRandom(1))
    const counts = new Array<number>(10).fill(0)
    for (let drawn = 0; drawn < 50_000; drawn++) {
      const share = draws.share()
      assert.ok(share >= 0 && share < 1)
      const tenth = Math.floor(share * 10)
      counts[tenth] = (counts[tenth] ?? 0) + 1
    }
    for (const count of counts) assert.ok(Math.abs(count - 5_000) < 400, `${count}`)
  })

  it('are whole numbers below a bound, each of them', () => {
    const draws = new Draws(seededRandom(1))
    assert.deepEqual(
      [...new Set(Array.from({ length: 200 }, () => draws.below(5)))].sort((a, b) => a - b),
      [0, 1, 2, 3, 4],
    )
  })

  it('repeat with their seed, and of one source each part has others', () => {
    const ten = (draws: Draws) => Array.from({ length: 10 }, () => draws.share())
    assert.deepEqual(ten(new Draws(seededRandom(1))), ten(new Draws(seededRandom(1))))
    const random = seededRandom(1)
    assert.notDeepEqual(ten(new Draws(forked(random))), ten(new Draws(forked(random))))
  })
})
