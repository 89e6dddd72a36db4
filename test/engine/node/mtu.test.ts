import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import { data } from '../wireguardMessages.js'
import { NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }
const Y: SocketAddress = { ip: '192.168.1.9', port: 2_000 }
const FULL_PACKET = 1_452

describe('a path in use', () => {
  it('is asked with a full packet of the interface while there is traffic, and suits it where that is answered', () => {
    const ana = connected()
    exchange(ana, 10)
    assert.deepEqual(ana.padded, [FULL_PACKET])
    assert.equal(mtuOf(ana), 1_420)
  })

  it('is asked nothing where nothing can be sent unfragmented', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, X)
    ana.responder = { peer: BEN, remote: X }
    exchange(ana, 10)
    assert.deepEqual(ana.padded, [])
    assert.equal(mtuOf(ana), undefined)
  })

  it('is asked nothing once there is no traffic', () => {
    const ana = connected()
    exchange(ana, 10)
    ana.pass(3 * MINUTE)
    const before = ana.padded.length
    ana.pass(60 * MINUTE)
    assert.equal(ana.padded.length, before)
  })

  it('that carries less is told once, with the MTU that suits it', () => {
    const ana = connected(1_372)
    const logs = exchange(ana, 40)
    assert.equal(mtuOf(ana), 1_340)
    assert.equal(ana.padded.includes(1_376), true)
    const warnings = logs.filter((effect) => effect.type === 'log' && effect.level === 'warn')
    assert.equal(warnings.length, 1)
    assert.match(JSON.stringify(warnings), /wg0 is too large .* ip link set wg0 mtu 1340/)
  })

  it('suits the interface once this has the MTU that was told, and is asked nothing for it', () => {
    const ana = connected(1_372)
    exchange(ana, 40)
    const before = ana.padded.length
    ana.tell({ type: 'mtu-read', device: 'wg0', mtu: 1_340 })
    exchange(ana, 5)
    assert.equal(ana.padded.length, before)
    assert.equal(mtuOf(ana), 1_340)
  })

  it('is asked anew where another one takes its place', () => {
    const ana = connected(1_372)
    exchange(ana, 40)
    ana.responder = { peer: BEN, remote: Y }
    ana.prove(BEN, Y)
    exchange(ana, 20)
    assert.equal(pathOf(ana)?.path?.remote.ip, Y.ip)
    assert.equal(mtuOf(ana), 1_420)
  })

  it('is found out at once where our own network device takes less', () => {
    const ana = connected(1_372)
    exchange(ana, 5, (effect) => {
      if (effect.type !== 'send-unfragmented' || effect.datagram.length <= 1_372) return
      const { peer, socket, remote, datagram } = effect
      ana.tell({ type: 'too-large', peer, socket, remote, size: datagram.length })
    })
    assert.equal(mtuOf(ana), 1_340)
    // None of those that could not leave was tried again.
    assert.equal(new Set(ana.padded).size, ana.padded.length)
  })

  it('that swallows what it carried is found out soon after WireGuard hears nothing any more', () => {
    const ana = connected()
    exchange(ana, 15)
    ana.responder = { peer: BEN, remote: X, carries: 1_372 }
    // Only the peer's WireGuard is silent: small checks pass.
    for (let sent = 0; sent < 300; sent++) {
      ana.wireguardSends(BEN, data(5, 1_400))
      ana.pass(100)
    }
    assert.equal(mtuOf(ana), 1_340)
  })
})

/** Ana has a path to Ben, which carries datagrams up to this length. */
function connected(carries = Number.POSITIVE_INFINITY): NodeByHand {
  const ana = new NodeByHand(ANA, [BEN])
  ana.tell({ type: 'mtu-read', device: 'wg0', mtu: 1_420 })
  ana.prove(BEN, X)
  ana.responder = { peer: BEN, remote: X, carries }
  return ana
}

/** Data goes back and forth for so many seconds; returns all effects. */
function exchange(ana: NodeByHand, seconds: number, each = (_effect: Effect): void => {}): readonly Effect[] {
  const effects: Effect[] = []
  const handle = ana.node.handle.bind(ana.node)
  ana.node.handle = (input, now) => {
    const done = handle(input, now)
    effects.push(...done)
    return done
  }
  const until = ana.ms + seconds * SECOND
  while (ana.ms < until) {
    const before = effects.length
    const remote = pathOf(ana)?.path?.remote ?? X
    ana.wireguardSends(BEN, data(5, 100))
    ana.pass(50)
    ana.node.forwarding.inbound(remote.ip, remote.port, data(6, 100), nowAt(ana.ms).instant)
    ana.pass(50)
    for (const effect of effects.slice(before)) each(effect)
  }
  ana.node.handle = handle
  return effects
}

function pathOf(ana: NodeByHand) {
  return ana.node.status(nowAt(ana.ms)).peers[0]
}

function mtuOf(ana: NodeByHand): number | undefined {
  return pathOf(ana)?.mtu
}
