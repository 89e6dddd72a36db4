import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { firstMessage, testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import { checksTo, NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }

describe('the answer to a check', () => {
  it('that is kept back for more than ten seconds proves nothing', () => {
    for (const [ms, drops, proved] of [
      [10_000, {}, X],
      [10_001, { 'stun-unknown-transaction': 1 }, undefined],
    ] as const) {
      const ana = new NodeByHand(ANA, [])
      ana.readInterface([BEN], X)
      ana.wireguardSends(BEN, firstMessage(ANA, BEN))
      // The second check goes out after 100 ms.
      const sent = ana.pass(101)
      assert.equal(checksTo(X, sent).length, 1)
      ana.pass(ms - 1)
      ana.answer(BEN, X, sent)
      assert.deepEqual(ana.node.drops.toJSON(), drops, `${ms} ms`)
      assert.deepEqual(ana.node.status(nowAt(ana.ms)).peers[0]?.path?.remote, proved, `${ms} ms`)
    }
  })
})
