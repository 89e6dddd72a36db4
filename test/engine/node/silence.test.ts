import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { SECOND } from '../../../src/base/time.js'
import { testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import { data, second } from '../wireguardMessages.js'
import { NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }
const Y: SocketAddress = { ip: '203.0.113.2', port: 2_000 }

describe('a path in use', () => {
  it('is suspect within 2 s though data comes another way, and though the peer goes on checking it', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, X)
    ana.responder = { peer: BEN, remote: X }
    ana.prove(BEN, Y)
    assert.deepEqual(pathOf(ana)?.remote, X)
    ana.responder = { peer: BEN, remote: Y }
    const began = ana.ms
    while (pathOf(ana)?.remote.ip === X.ip) {
      ana.wireguardSends(BEN, data(5, 100))
      ana.pass(50)
      ana.node.forwarding.inbound(Y.ip, Y.port, data(6, 100), nowAt(ana.ms).instant)
      ana.check(BEN, X)
      assert.ok(ana.ms - began <= 2 * SECOND)
    }
    assert.deepEqual(pathOf(ana)?.remote, Y)
  })
})

describe('a peer whose path has just gone', () => {
  it('has data kept for it, for the next path; of anything else that cannot be sent the loss is counted', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, X)
    ana.wireguardSends(BEN, data(5, 100))
    ana.receive(X, data(6, 100))
    ana.tell({ type: 'sockets-changed', sockets: [] })
    const lost = () => ana.node.drops.toJSON()['wireguard-no-path'] ?? 0
    ana.wireguardSends(BEN, data(5, 100))
    assert.equal(lost(), 0)
    ana.wireguardSends(BEN, second(6, 7))
    assert.equal(lost(), 1)
  })
})

function pathOf(ana: NodeByHand) {
  return ana.node.status(nowAt(ana.ms)).peers[0]?.path
}
