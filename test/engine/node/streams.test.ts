/** Streams in place of UDP come and go, and that alone is no news of where the node is. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { streamAddress } from '../../../src/base/streamAddress.js'
import { SECOND } from '../../../src/base/time.js'
import { membershipKey } from '../../../src/crypto/relayGrant.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input, LocalSocket } from '../../../src/engine/inputs.js'
import { firstMessage, signedRecordOf, testNode } from '../nodes.js'
import { NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const RELAY = testNode(11)
const RELAY_AT = { ip: '203.0.113.1', port: 51_821 }

const SHARED: LocalSocket = {
  id: 1,
  address: { ip: '192.0.2.1', port: 51_821 },
  device: 'eth0',
  purpose: 'shared',
}
const STREAM: LocalSocket = {
  id: -1,
  address: streamAddress(0),
  device: '',
  purpose: 'stream',
  relay: { identity: RELAY.keys.relay.publicKey, ip: RELAY_AT.ip },
}

it('a peer that is not there is looked for no more often because streams come and go', () => {
  assert.equal(knocksInVain({ streams: true }), knocksInVain({ streams: false }))
})

/** How often it knocks on a peer that is not there, to whom WireGuard sends each second, in five minutes. */
function knocksInVain({ streams }: { readonly streams: boolean }): number {
  const membership = membershipKey(new Uint8Array(32).fill(7))
  const ana = new NodeThatKnocksInVain(ANA, [BEN], [signedRecordOf(BEN)], { membership })
  ana.tell({
    type: 'mesh-changed',
    connected: true,
    multiaddrs: [],
    reflectors: [],
    relays: [],
    gossips: false,
  })
  for (let second = 0; second < 300; second++) {
    const sockets = second % 2 === 0 ? [SHARED, STREAM] : [SHARED]
    if (streams) ana.tell({ type: 'sockets-changed', sockets })
    const datagram = firstMessage(ANA, BEN, { senderIndex: second + 1 })
    ana.tell({ type: 'wireguard-sent', peer: BEN.publicKey, datagram })
    ana.pass(SECOND)
  }
  assert.ok(ana.knocks > 0)
  return ana.knocks
}

/** Its knocks fail at once. */
class NodeThatKnocksInVain extends NodeByHand {
  knocks = 0

  override tell(input: Input): readonly Effect[] {
    const effects = super.tell(input)
    const knocks = effects.filter(({ type }) => type === 'knock').length
    if (knocks === 0) return effects
    this.knocks += knocks
    const reason = 'nobody is there'
    return [...effects, ...this.tell({ type: 'knock-failed', peer: BEN.publicKey, reason })]
  }
}
