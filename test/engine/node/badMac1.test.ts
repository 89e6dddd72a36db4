import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { mac1Of, senderIndex } from '../../../src/wire/wireguard.js'
import { firstMessage, testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import { second, withMac1 } from '../wireguardMessages.js'
import { NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }

describe('a message with a wrong mac1 from an address where the peer is', () => {
  it('is dropped where it is a first one, and changes nothing', () => {
    const newer = firstMessage(BEN, ANA, { sentAt: nowAt(60 * SECOND).unix, senderIndex: 9 })
    const genuine = firstMessage(BEN, ANA, { sentAt: nowAt(50 * SECOND).unix, senderIndex: 8 })
    changesNothing(wrong(newer), genuine)
  })

  it('is dropped where it is a second one, and changes nothing', () => {
    const own = senderIndex(firstMessage(ANA, BEN))
    changesNothing(wrong(withMac1(ANA, second(66, own))), withMac1(ANA, second(7, own)))
  })

  it('is dropped where it says nothing but that: the same with a right one is delivered', () => {
    const own = senderIndex(firstMessage(ANA, BEN))
    for (const right of [firstMessage(BEN, ANA), withMac1(ANA, second(7, own))]) {
      const ana = anaAwaitsBen()
      assert.deepEqual(delivered(ana.receive(X, wrong(right))), [])
      assert.deepEqual(ana.node.drops.toJSON(), { 'wireguard-bad-mac1': 1 })
      assert.deepEqual(delivered(ana.receive(X, right)), [right])
      assert.deepEqual(ana.node.drops.toJSON(), { 'wireguard-bad-mac1': 1 })
    }
  })
})

/** Whether the forged message comes or not, all goes the same way: with the genuine one after it, and without that. */
function changesNothing(forged: Uint8Array, genuine: Uint8Array): void {
  for (const comes of [[genuine], []]) {
    const stories = [[], [forged]].map((before) => {
      const ana = anaAwaitsBen()
      for (const datagram of before) {
        assert.deepEqual(ana.receive(X, datagram), [])
        assert.deepEqual(ana.node.drops.toJSON(), { 'wireguard-bad-mac1': 1 })
      }
      const effects = comes.map((datagram) => ana.receive(X, datagram))
      const soon = ana.node.status(nowAt(ana.ms)).peers
      const sent = ana.pass(2 * SECOND)
      return { effects, soon, sent, later: ana.node.status(nowAt(ana.ms)).peers }
    })
    const [without, withIt] = stories
    assert.deepEqual(withIt, without)
    const path = without?.later[0]?.path
    assert.deepEqual(path?.remote, X)
  }
}

/** Ben is at X, and Ana's WireGuard waits for the answer to its first message. */
function anaAwaitsBen(): NodeByHand {
  const ana = new NodeByHand(ANA, [BEN])
  ana.prove(BEN, X)
  ana.wireguardSends(BEN, firstMessage(ANA, BEN))
  // Until then ours, of the lower key, goes before his.
  ana.pass(300)
  return ana
}

function wrong(message: Uint8Array): Uint8Array {
  const altered = message.slice()
  const mac1 = mac1Of(altered)
  mac1[0] = (mac1[0] ?? 0) ^ 1
  return altered
}

function delivered(effects: readonly Effect[]): readonly Uint8Array[] {
  return effects.flatMap((effect) => (effect.type === 'deliver' ? [effect.datagram] : []))
}
