import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ReplayWindow, WINDOW } from '../../../simulations/hosts/replayWindow.js'

/** All counters that were ever received, and how far back they are asked for. */
class SlowWindow {
  readonly #received = new Set<number>()
  #newest = -1

  accept(counter: number): boolean {
    if (this.#received.has(counter) || counter + WINDOW < this.#newest) return false
    this.#received.add(counter)
    this.#newest = Math.max(this.#newest, counter)
    return true
  }
}

describe('a replay window', () => {
  it('takes each counter once, in any order, if it is not too old', () => {
    const step = fc.oneof(
      fc.integer({ min: -3, max: 40 }),
      fc.integer({ min: -WINDOW - 40, max: WINDOW + 40 }),
      fc.integer({ min: -40, max: 4 * WINDOW }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.nat(2 ** 40), (steps, start) => {
        const [window, slow] = [new ReplayWindow(), new SlowWindow()]
        let newest = start
        for (const by of steps) {
          const counter = Math.max(0, newest + by)
          assert.equal(window.accept(counter), slow.accept(counter), `${counter}`)
          newest = Math.max(newest, counter)
        }
      }),
    )
  })

  it('knows what is just within it, and refuses what is just beyond', () => {
    const window = new ReplayWindow()
    assert.ok(window.accept(10_000))
    assert.ok(window.accept(10_000 - WINDOW))
    assert.ok(!window.accept(10_000 - WINDOW))
    assert.ok(!window.accept(10_000 - WINDOW - 1))
  })
})
