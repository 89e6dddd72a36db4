import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatSocketAddress, type SocketAddress } from '../../../src/base/address.js'
import type { Effect } from '../../../src/engine/effects.js'
import { testNode } from '../nodes.js'
import { nowAt, UNIX_START } from '../virtualTime.js'
import { NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const CARL = testNode(3)
const MAX_TRIES = 8

describe('a loopback endpoint that cannot be opened', () => {
  it('is another one at the next try, which WireGuard is told when it has been asked for', () => {
    const ana = new NodeByHand(ANA, [])
    const [first] = opened(ana.readInterface([BEN]))
    assert.ok(first)
    const effects = fails(ana)
    const [other] = opened(effects)
    assert.ok(other)
    assert.notDeepEqual(other, first)
    assert.deepEqual(effects, [
      { type: 'open-loopback', peer: BEN.publicKey, address: other },
      { type: 'set-endpoint', peer: BEN.publicKey, endpoint: other },
    ])
    assert.deepEqual(loopbackOf(ana), other)
    assert.deepEqual(ana.readInterface([BEN], other), [])
  })

  it('is given up after eight different ones, with a warning', () => {
    const ana = new NodeByHand(ANA, [])
    const tried = opened(ana.readInterface([BEN]))
    while (tried.length < MAX_TRIES) tried.push(...opened(fails(ana)))
    assert.equal(new Set(tried.map((address) => formatSocketAddress(address))).size, MAX_TRIES)
    const effects = fails(ana)
    assert.deepEqual(
      effects.map((effect) => (effect.type === 'log' ? [effect.level, effect.fields] : effect.type)),
      [['warn', { peer: BEN.publicKey }]],
    )
    assert.deepEqual(loopbackOf(ana), tried.at(-1))
  })

  it('is tried anew for a peer that comes again', () => {
    const ana = new NodeByHand(ANA, [BEN])
    for (let tries = 0; tries < MAX_TRIES; tries++) fails(ana)
    ana.readInterface([])
    const [first] = opened(ana.readInterface([BEN]))
    assert.ok(first)
    assert.equal(opened(fails(ana)).length, 1)
  })

  it("does not cost an external peer its endpoint, nor another peer its own, nor anything for one that's gone", () => {
    const ana = new NodeByHand(ANA, [CARL])
    const carls = loopbackOf(ana)
    ana.tell({
      type: 'interface-read',
      peers: [
        { publicKey: CARL.publicKey, endpoint: carls, isLinkLocal: false, latestHandshake: undefined },
        {
          publicKey: BEN.publicKey,
          endpoint: { ip: '203.0.113.1', port: 51_820 },
          isLinkLocal: false,
          latestHandshake: UNIX_START,
        },
      ],
    })
    const effects = fails(ana)
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['open-loopback'],
    )
    assert.deepEqual(loopbackOf(ana), carls)
    ana.readInterface([CARL], carls)
    assert.deepEqual(fails(ana), [])
  })
})

/** The shell could not open Ben's loopback endpoint. */
function fails(ana: NodeByHand): readonly Effect[] {
  return ana.tell({ type: 'loopback-failed', peer: BEN.publicKey })
}

/** The loopback endpoints to open. */
function opened(effects: readonly Effect[]): SocketAddress[] {
  return effects.flatMap((effect) => (effect.type === 'open-loopback' ? [effect.address] : []))
}

/** What status says of the first peer. */
function loopbackOf(ana: NodeByHand): SocketAddress | undefined {
  return ana.node.status(nowAt(ana.ms)).peers[0]?.loopback
}
