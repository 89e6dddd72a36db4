import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { Trust } from '../../../src/engine/relay/trust.js'
import { at } from '../virtualTime.js'

describe('addresses that a peer names', () => {
  it('are tried a few at once, however many it names', () => {
    const trust = new Trust()
    let underWay = 0
    while (trust.admits(underWay, at(0))) underWay += 1
    assert.equal(underWay, 4)
  })

  it('are tried ever more rarely where nobody answers, one at a time', () => {
    const trust = new Trust()
    const tried: number[] = []
    for (let second = 0; second < 3_600; second++) {
      if (!trust.admits(0, at(second * SECOND))) continue
      tried.push(second)
      trust.failed(at(second * SECOND))
      if (tried.length > 4) assert.equal(trust.admits(1, at(second * SECOND)), false)
    }
    assert.ok(tried.length <= 15, `${tried.length} in an hour`)
    const [before = 0, last = 0] = tried.slice(-2)
    assert.equal(last - before, 10 * 60)
  })

  it('are forgiven after a quarter of an hour', () => {
    const trust = new Trust()
    for (let count = 0; count < 20; count++) trust.failed(at(0))
    assert.equal(trust.admits(0, at(9 * MINUTE)), false)
    assert.equal(trust.admits(3, at(15 * MINUTE)), true)
  })
})
