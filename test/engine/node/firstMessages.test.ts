import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compare } from 'uint8arrays'
import type { SocketAddress } from '../../../src/base/address.js'
import { formatSocketAddress } from '../../../src/base/address.js'
import { publicKeyBytes } from '../../../src/base/publicKey.js'
import { SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { LocalSocket, MachineRoute } from '../../../src/engine/inputs.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { firstMessage, testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import { checksTo, NodeByHand, sentOf } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }

describe('a first message of ours', () => {
  it('is held until a check of the peer comes in, and goes once', () => {
    const ana = new NodeByHand(ANA, [BEN])
    assert.deepEqual(firstMessagesIn(makes(ana)), [])
    const effects = ana.check(BEN, X)
    assert.deepEqual(firstMessagesIn(effects), [formatSocketAddress(X)])
    ana.pass(20)
    assert.deepEqual(firstMessagesIn(ana.answer(BEN, X, sentOf(effects))), [])
    assert.deepEqual(firstMessagesIn(ana.pass(400)), [])
  })

  it('that went over a path in use goes again when the path answers, if it was silent for 25 s', () => {
    for (const [idle, copies] of [
      [1 * SECOND, []],
      [24 * SECOND, []],
      [60 * SECOND, [formatSocketAddress(X)]],
    ] as const) {
      const ana = new NodeByHand(ANA, [BEN])
      ana.prove(BEN, X)
      ana.pass(idle)
      const effects = makes(ana)
      assert.deepEqual(firstMessagesIn(effects), [formatSocketAddress(X)], `${idle} ms`)
      const asked = [...sentOf(effects), ...sentOf(ana.check(BEN, X))]
      ana.pass(20)
      const answered = checksTo(X, asked).length > 0
      assert.equal(answered, idle > 24 * SECOND)
      assert.deepEqual(firstMessagesIn(ana.answer(BEN, X, asked)), copies, `${idle} ms`)
    }
  })

  it("does not go again once the peer's own has come: that would end the handshake under way", () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, X)
    ana.pass(60 * SECOND)
    const effects = makes(ana)
    assert.deepEqual(firstMessagesIn(effects), [formatSocketAddress(X)])
    ana.pass(300)
    const theirs = ana.receive(X, firstMessage(BEN, ANA, { sentAt: nowAt(ana.ms).unix }))
    assert.ok(theirs.some(({ type }) => type === 'deliver'))
    assert.deepEqual(firstMessagesIn(theirs), [])
    assert.deepEqual(firstMessagesIn(ana.answer(BEN, X, sentOf(effects))), [])
  })

  it("goes before the peer's that crosses it, but not again and again: the peer may refuse all of ours", () => {
    // Of the two, the one with the lower key.
    const [lower, higher] =
      compare(publicKeyBytes(ANA.publicKey), publicKeyBytes(BEN.publicKey)) < 0 ? [ANA, BEN] : [BEN, ANA]
    const node = new NodeByHand(lower, [higher])
    node.prove(higher, X)
    node.responder = { peer: higher, remote: X }
    const crossing = (senderIndex: number): boolean => {
      node.wireguardSends(higher, firstMessage(lower, higher, { senderIndex, sentAt: nowAt(node.ms).unix }))
      node.pass(20)
      const theirs = firstMessage(higher, lower, {
        senderIndex: 100 + senderIndex,
        sentAt: nowAt(node.ms).unix,
      })
      const delivered = node.receive(X, theirs).some(({ type }) => type === 'deliver')
      node.pass(5 * SECOND)
      return delivered
    }
    assert.deepEqual([crossing(1), crossing(2), crossing(3)], [false, true, true])
  })

  it('that found no path within 5.5 s goes no more', () => {
    for (const [waits, goes] of [
      [5_400, [formatSocketAddress(X)]],
      [5_600, []],
    ] as const) {
      const ana = new NodeByHand(ANA, [BEN])
      makes(ana)
      ana.pass(waits)
      const effects = ana.check(BEN, X)
      ana.pass(20)
      assert.deepEqual(firstMessagesIn([...effects, ...ana.answer(BEN, X, sentOf(effects))]), goes)
    }
  })
})

describe('a first message to a configured endpoint', () => {
  const configured: SocketAddress = { ip: '203.0.113.1', port: 51_820 }

  it('goes at once from every socket that can reach it, and from no other', () => {
    const { ana, from } = anaWithManySockets()
    ana.readInterface([BEN], configured)
    assert.deepEqual(from(makes(ana)), ['1 203.0.113.1:51820', '2 203.0.113.1:51820'])
    ana.tell({ type: 'routes-read', routes: [routeBy('eth1')] })
    assert.deepEqual(from(makes(ana)), ['2 203.0.113.1:51820'])
  })

  it('is held nevertheless, and goes over the path of a peer that runs Tunnelbore', () => {
    const { ana, from } = anaWithManySockets()
    ana.readInterface([BEN], configured)
    makes(ana)
    const effects = ana.check(BEN, X)
    ana.pass(20)
    assert.deepEqual(from([...effects, ...ana.answer(BEN, X, sentOf(effects))]), [
      `1 ${formatSocketAddress(X)}`,
    ])
  })

  it('goes nowhere while no socket reaches it', () => {
    const { ana, from } = anaWithManySockets()
    ana.tell({ type: 'routes-read', routes: [routeBy('bridge0', '172.17.0.0', 16)] })
    ana.readInterface([BEN], configured)
    assert.deepEqual(from(makes(ana)), [])
  })
})

/** Ana has two uplinks, a bridge without a way out, and IPv6. */
function anaWithManySockets() {
  const ana = new NodeByHand(ANA, [])
  const sockets: readonly LocalSocket[] = [
    { id: 1, address: { ip: '192.0.2.1', port: 1 }, device: 'eth0', purpose: 'shared' },
    { id: 2, address: { ip: '192.0.2.129', port: 1 }, device: 'eth1', purpose: 'shared' },
    { id: 3, address: { ip: '172.17.0.1', port: 1 }, device: 'bridge0', purpose: 'shared' },
    { id: 4, address: { ip: '2001:db8::1', port: 1 }, device: 'eth0', purpose: 'shared' },
  ]
  ana.tell({ type: 'sockets-changed', sockets })
  const routes = [routeBy('eth0'), routeBy('eth1'), routeBy('bridge0', '172.17.0.0', 16)]
  ana.tell({ type: 'routes-read', routes })
  const from = (effects: readonly Effect[]) =>
    sentOf(effects).flatMap(({ socket, remote, datagram }) =>
      wireguardType(datagram) === 1 ? [`${socket} ${formatSocketAddress(remote)}`] : [],
    )
  return { ana, from }
}

function routeBy(device: string, ip = '0.0.0.0', length = 0): MachineRoute {
  return { prefix: { ip, length }, device, tunnel: false }
}

/** Our WireGuard makes a first message for Ben. */
function makes(ana: NodeByHand): readonly Effect[] {
  const datagram = firstMessage(ANA, BEN, { sentAt: nowAt(ana.ms).unix })
  return ana.tell({ type: 'wireguard-sent', peer: BEN.publicKey, datagram })
}

/** Where first messages went. */
function firstMessagesIn(effects: readonly Effect[]): readonly string[] {
  return sentOf(effects).flatMap(({ remote, datagram }) =>
    wireguardType(datagram) === 1 ? [formatSocketAddress(remote)] : [],
  )
}
