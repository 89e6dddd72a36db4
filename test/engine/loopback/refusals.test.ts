import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Instant } from '../../../src/base/time.js'
import { Refusals } from '../../../src/engine/loopback/refusals.js'
import { at } from '../virtualTime.js'

let flow: { lastSentAt: Instant | undefined; lastHeardAt: Instant | undefined }
let refusals: Refusals

beforeEach(() => {
  flow = { lastSentAt: undefined, lastHeardAt: undefined }
  refusals = new Refusals(flow)
})

describe('handshakes of ours', () => {
  it('that are answered, and made again without data between, were refused', () => {
    for (let ms = 0; ms <= 15_000; ms += 5_000) exchange(ms)
    assert.equal(refusals.count, 3)
  })

  it('that are followed by data were not', () => {
    for (let ms = 0; ms <= 15_000; ms += 5_000) exchange(ms)
    flow.lastSentAt = at(15_030)
    assert.equal(refusals.count, 0)
    refusals.made(at(19_000))
    assert.equal(refusals.count, 0)
  })

  it('that are not answered were not: nobody says anything of them', () => {
    for (let ms = 0; ms <= 15_000; ms += 5_000) {
      refusals.made(at(ms))
      flow.lastSentAt = at(ms)
    }
    assert.equal(refusals.count, 0)
  })

  it('that come minutes later begin anew', () => {
    for (let ms = 0; ms <= 600_000; ms += 120_000) exchange(ms)
    assert.equal(refusals.count, 0)
  })
})

describe("handshakes of the peer's", () => {
  it('that come again without data between were refused there', () => {
    for (let ms = 0; ms <= 15_000; ms += 5_000) {
      refusals.peerMade(at(ms))
      flow.lastHeardAt = at(ms)
    }
    assert.equal(refusals.count, 3)
    flow.lastHeardAt = at(15_020)
    assert.equal(refusals.count, 0)
  })
})

/** Our WireGuard makes a first message, and its answer comes after 20 ms. */
function exchange(ms: number): void {
  refusals.made(at(ms))
  flow.lastSentAt = at(ms)
  refusals.answered(at(ms + 20))
}
