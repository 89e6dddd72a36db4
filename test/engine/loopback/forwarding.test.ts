import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatSocketAddress, type SocketAddress } from '../../../src/base/address.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { type Flow, Forwarding } from '../../../src/engine/loopback/forwarding.js'
import type { Path } from '../../../src/engine/path/path.js'
import { keyBeginningWith } from '../nodes.js'
import { at, START } from '../virtualTime.js'
import { cookieReply, data, first, second } from '../wireguardMessages.js'

const ALICE = keyBeginningWith([1])
const BOB = keyBeginningWith([2])
const REMOTE: SocketAddress = { ip: '203.0.113.1', port: 1_000 }
const PATH: Path = {
  socket: 1,
  remote: REMOTE,
  type: 'host',
  proof: 'check',
  provedAt: START,
  rttMs: undefined,
}
const NOT_DATA = [
  first(1),
  second(1, 2),
  cookieReply(1),
  new Uint8Array(0),
  new Uint8Array(40),
  data(1).slice(1),
]

describe('outbound', () => {
  it('data leaves at once over the path of its peer', () => {
    const forwarding = new Forwarding()
    openFlow(forwarding, ALICE)
    assert.equal(forwarding.outbound(ALICE, data(1), START), PATH)
  })

  it('nothing leaves for a peer that is not there, has no path, or is looked after', () => {
    const forwarding = new Forwarding()
    assert.equal(forwarding.outbound(ALICE, data(1), START), undefined)
    const flow = forwarding.add(ALICE)
    assert.equal(forwarding.outbound(ALICE, data(1), START), undefined)
    flow.path = PATH
    assert.equal(forwarding.outbound(ALICE, data(1), START), undefined)
    flow.path = undefined
    flow.attentive = false
    assert.equal(forwarding.outbound(ALICE, data(1), START), undefined)
    assert.equal(flow.txBytes, 0)
    openFlow(forwarding, BOB)
    forwarding.remove(BOB)
    assert.equal(forwarding.outbound(BOB, data(1), START), undefined)
  })

  it('only data takes the short way', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    for (const datagram of NOT_DATA) assert.equal(forwarding.outbound(ALICE, datagram, START), undefined)
    assert.equal(flow.txBytes, 0)
  })
})

describe('inbound', () => {
  it('an unmapped remote names nobody', () => {
    const forwarding = new Forwarding()
    forwarding.map(REMOTE, forwarding.add(ALICE), START)
    assert.equal(forwarding.inbound(REMOTE.ip, REMOTE.port, data(1), START), ALICE)
    assert.equal(forwarding.inbound(REMOTE.ip, REMOTE.port + 1, data(1), START), undefined)
    assert.equal(forwarding.inbound('203.0.113.2', REMOTE.port, data(1), START), undefined)
    forwarding.unmap(REMOTE)
    assert.equal(forwarding.inbound(REMOTE.ip, REMOTE.port, data(1), START), undefined)
  })

  it('only data takes the short way', () => {
    const forwarding = new Forwarding()
    const flow = forwarding.add(ALICE)
    forwarding.map(REMOTE, flow, START)
    for (const datagram of NOT_DATA)
      assert.equal(forwarding.inbound(REMOTE.ip, REMOTE.port, datagram, START), undefined)
    assert.equal(flow.rxBytes, 0)
    assert.equal(flow.lastHeardAt, undefined)
  })

  it('the newest proof wins where two peers had one address', () => {
    const forwarding = new Forwarding()
    const alice = forwarding.add(ALICE)
    const bob = forwarding.add(BOB)
    forwarding.map(REMOTE, alice, at(1))
    forwarding.map(REMOTE, bob, at(2))
    // What alice proved before is not proved again by looking at it once more.
    forwarding.map(REMOTE, alice, at(1))
    assert.equal(forwarding.inbound(REMOTE.ip, REMOTE.port, data(1), START), BOB)
    assert.deepEqual(alice.remotes, [])
    assert.deepEqual(bob.remotes, [REMOTE])
    forwarding.remove(ALICE)
    assert.equal(forwarding.flowAt(REMOTE), bob)
  })

  it('a peer that is removed is named by no address', () => {
    const forwarding = new Forwarding()
    const flow = forwarding.add(ALICE)
    const remotes = [REMOTE, { ip: REMOTE.ip, port: 2 }, { ip: '2001:db8::1', port: 3 }]
    for (const remote of remotes) forwarding.map(remote, flow, START)
    forwarding.remove(ALICE)
    forwarding.remove(ALICE)
    for (const remote of remotes) assert.equal(forwarding.flowAt(remote), undefined)
  })

  it('a flow has 64 remotes at most, and the oldest is forgotten first', () => {
    const forwarding = new Forwarding()
    const flow = forwarding.add(ALICE)
    for (let port = 1; port <= 1_000; port++) {
      forwarding.map({ ip: REMOTE.ip, port }, flow, START)
      assert.ok(flow.remotes.length <= 64)
    }
    assert.equal(forwarding.flowAt({ ip: REMOTE.ip, port: 936 }), undefined)
    for (let port = 937; port <= 1_000; port++)
      assert.equal(forwarding.flowAt({ ip: REMOTE.ip, port }), flow, String(port))
  })

  it('no flow of one peer is ever delivered as another’s', () => {
    const steps = fc.array(
      fc.record({
        step: fc.constantFrom('map', 'map', 'map', 'unmap', 'remove'),
        peer: fc.constantFrom(ALICE, BOB, keyBeginningWith([3])),
        remote: fc.record({
          ip: fc.constantFrom('203.0.113.1', '::2'),
          port: fc.integer({ min: 1, max: 3 }),
        }),
      }),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(steps, (taken) => {
        const forwarding = new Forwarding()
        const flows = new Map<PublicKey, Flow>()
        const expected = new Map<string, PublicKey>()
        for (const [index, { step, peer, remote }] of taken.entries()) {
          const flow = flows.get(peer) ?? forwarding.add(peer)
          flows.set(peer, flow)
          if (step === 'map') {
            forwarding.map(remote, flow, at(index))
            expected.set(formatSocketAddress(remote), peer)
          } else if (step === 'unmap') {
            forwarding.unmap(remote)
            expected.delete(formatSocketAddress(remote))
          } else {
            forwarding.remove(peer)
            flows.delete(peer)
            for (const [name, owner] of [...expected]) if (owner === peer) expected.delete(name)
          }
          for (const ip of ['203.0.113.1', '::2']) {
            for (const port of [1, 2, 3]) {
              const named = expected.get(formatSocketAddress({ ip, port }))
              assert.equal(forwarding.inbound(ip, port, data(1), START), named)
              assert.equal(forwarding.flowAt({ ip, port })?.peer, named)
            }
          }
        }
        const remotes = [...flows.values()].flatMap((flow) => flow.remotes)
        assert.equal(remotes.length, expected.size)
      }),
    )
  })
})

describe('a flow', () => {
  it('counts bytes each way, and knows when they went', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    forwarding.map(REMOTE, flow, START)
    forwarding.outbound(ALICE, data(1, 100), at(1))
    forwarding.outbound(ALICE, data(1, 32), at(2))
    forwarding.inbound(REMOTE.ip, REMOTE.port, data(1, 50), at(3))
    assert.deepEqual([flow.txBytes, flow.rxBytes, flow.lastSentAt, flow.lastHeardAt], [132, 50, at(2), at(3)])
  })

  it('knows since when it sends and hears nothing over the path in use', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    assert.equal(flow.unheardSince, undefined)
    flow.sent(1, at(1))
    flow.sent(1, at(2))
    assert.equal(flow.unheardSince, at(1))
    flow.heard(1, '192.0.2.99', PATH.remote.port, at(3))
    assert.equal(flow.unheardSince, at(1))
    flow.heard(1, PATH.remote.ip, PATH.remote.port, at(3))
    assert.equal(flow.unheardSince, undefined)
    assert.equal(flow.carriedAt, at(3))
    flow.sent(1, at(4))
    assert.equal(flow.unheardSince, at(4))
  })
})

/** A flow with a path, and nothing to decide. */
function openFlow(forwarding: Forwarding, peer: PublicKey): Flow {
  const flow = forwarding.add(peer)
  flow.path = PATH
  flow.attentive = false
  return flow
}
