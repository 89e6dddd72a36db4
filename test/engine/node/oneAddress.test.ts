import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SocketAddress } from '../../../src/base/address.js'
import { SECOND } from '../../../src/base/time.js'
import { encodeKnock } from '../../../src/wire/knock.js'
import { firstMessage, recordOf, sealedRecordOf, signedRecordOf, testNode } from '../nodes.js'
import { nowAt, UNIX_START } from '../virtualTime.js'
import { data, second } from '../wireguardMessages.js'
import { NodeByHand, sentOf } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const CARL = testNode(3)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }
const Y: SocketAddress = { ip: '203.0.113.2', port: 2_000 }

describe('an address at which two peers were, one after the other', () => {
  it('is that of the peer who was there last', () => {
    const ana = benThenCarl()
    assert.equal(whose(ana, X), CARL.publicKey)
    assert.equal(whose(ana, Y), BEN.publicKey)
    assert.deepEqual(ana.node.forwarding.flowAt(X)?.remotes, [X])
    ana.prove(BEN, X)
    assert.equal(whose(ana, X), BEN.publicKey)
  })

  it('is delivered from the loopback endpoint of that peer, handshakes included', () => {
    const ana = benThenCarl()
    const delivered = ana.receive(X, firstMessage(CARL, ANA, { sentAt: nowAt(ana.ms).unix }))
    assert.deepEqual(
      delivered.flatMap((effect) => (effect.type === 'deliver' ? [effect.peer] : [])),
      [CARL.publicKey],
    )
  })

  it('stays with that peer, whatever happens to the one before but a proof that it is back', () => {
    const knock = () =>
      encodeKnock({ version: 1, signedRecord: signedRecordOf(BEN, { sequence: UNIX_START + 1 }) })
    const happenings: readonly ((ana: NodeByHand) => void)[] = [
      (ana) => ana.check(BEN, X),
      (ana) => ana.check(BEN, Y),
      (ana) => ana.answer(BEN, Y, sentOf(ana.check(BEN, Y))),
      (ana) => ana.receive(Y, data(5, 100)),
      (ana) => ana.receive(Y, firstMessage(BEN, ANA, { sentAt: nowAt(ana.ms).unix })),
      (ana) => ana.receive(Y, second(6, 7)),
      (ana) => ana.wireguardSends(BEN, firstMessage(ANA, BEN, { sentAt: nowAt(ana.ms).unix })),
      (ana) => ana.wireguardSends(BEN, data(5, 100)),
      (ana) => ana.wireguardSends(BEN, data(5, 32)),
      (ana) => ana.tell({ type: 'record-found', peer: BEN.publicKey, sealedRecord: sealedRecordOf(BEN) }),
      (ana) =>
        ana.tell({
          type: 'record-found',
          peer: BEN.publicKey,
          sealedRecord: sealedRecordOf(BEN, { candidates: [{ type: 'host', address: X }] }),
        }),
      (ana) => ana.tell({ type: 'knock-received', id: 1, from: recordOf(BEN).identity, knock: knock() }),
      (ana) => ana.tell({ type: 'look-up-ended', peer: BEN.publicKey }),
      (ana) => ana.tell({ type: 'knock-failed', peer: BEN.publicKey, reason: 'no answer' }),
      (ana) =>
        ana.tell({
          type: 'mesh-changed',
          connected: true,
          multiaddrs: [],
          reflectors: [],
          relays: [],
          gossips: true,
        }),
      (ana) =>
        ana.tell({
          type: 'routes-read',
          routes: [{ prefix: { ip: '0.0.0.0', length: 0 }, device: 'eth0', tunnel: false }],
        }),
      (ana) => ana.tell({ type: 'woken' }),
    ]
    const story = fc.array(
      fc.record({
        happens: fc.constantFrom(...happenings),
        after: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 30 * SECOND })),
      }),
      { maxLength: 15 },
    )
    fc.assert(
      fc.property(story, (taken) => {
        const ana = benThenCarl()
        // Whoever does not answer is forgotten in the end, and the address with him.
        ana.responder = { peer: CARL, remote: X }
        for (const { happens, after } of taken) {
          happens(ana)
          assert.equal(whose(ana, X), CARL.publicKey)
          ana.pass(after)
          assert.equal(whose(ana, X), CARL.publicKey)
        }
      }),
    )
  })

  it('is that of the one before again when the other is no peer any more', () => {
    const ana = benThenCarl()
    ana.readInterface([BEN])
    ana.tell({ type: 'woken' })
    assert.equal(whose(ana, X), BEN.publicKey)
  })
})

/** Ben was at X, is at Y as well, and Carl is at X now. */
function benThenCarl(): NodeByHand {
  const ana = new NodeByHand(ANA, [BEN, CARL])
  ana.prove(BEN, X)
  ana.prove(BEN, Y)
  assert.equal(whose(ana, X), BEN.publicKey)
  ana.prove(CARL, X)
  return ana
}

/** To whose loopback endpoint data from there goes. */
function whose(ana: NodeByHand, from: SocketAddress) {
  return ana.node.forwarding.inbound(from.ip, from.port, data(9), nowAt(ana.ms).instant)
}
