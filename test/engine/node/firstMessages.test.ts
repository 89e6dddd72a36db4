import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { formatSocketAddress } from '../../../src/base/address.js'
import { SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
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
