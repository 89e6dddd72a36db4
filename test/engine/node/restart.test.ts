import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { firstMessage, signedRecordOf, testNode } from '../nodes.js'
import { checksTo, NodeByHand, sentOf } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const BENS: SocketAddress = { ip: '203.0.113.5', port: 51_821 }
const REMEMBERED = [signedRecordOf(BEN, { candidates: [{ type: 'host', address: BENS }] })]

describe('a node that was started again', () => {
  it('checks a peer where its remembered record says, and knocks on it, before anybody of the mesh is there', () => {
    const ana = new NodeByHand(ANA, [BEN], REMEMBERED)
    const datagram = firstMessage(ANA, BEN)
    const effects = ana.tell({ type: 'wireguard-sent', peer: BEN.publicKey, datagram })
    assert.equal(checksTo(BENS, sentOf(effects)).length, 1)
    assert.equal(effects.filter(({ type }) => type === 'knock').length, 1)
  })

  it('sends nothing for a remembered peer that nobody sends to', () => {
    const ana = new NodeByHand(ANA, [BEN], REMEMBERED)
    assert.deepEqual(ana.pass(60 * 60 * 1_000), [])
  })
})
