import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatSocketAddress, type SocketAddress } from '../../../src/base/address.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { type Flow, Forwarding } from '../../../src/engine/loopback/forwarding.js'
import { Lookout } from '../../../src/engine/loopback/lookout.js'
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

describe('a flow with another path beside the one in use', () => {
  it('names both, and the other one only as long as it is there', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    openFlow(forwarding, BOB)
    const beside: Path = { ...PATH, socket: 2 }
    flow.beside = beside
    assert.equal(forwarding.outbound(ALICE, data(1), START), PATH)
    assert.equal(forwarding.beside, beside)
    assert.equal(forwarding.outbound(BOB, data(1), START), PATH)
    assert.equal(forwarding.beside, undefined)
    flow.beside = undefined
    assert.equal(forwarding.outbound(ALICE, data(1), START), PATH)
    assert.equal(forwarding.beside, undefined)
  })

  it('keeps what was sent, and questions and detours from the short way where the engine wants them', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    const elsewhere = { ip: REMOTE.ip, port: REMOTE.port + 1 }
    for (const remote of [REMOTE, elsewhere]) forwarding.map(remote, flow, START)
    const lookout = new Lookout()
    lookout.streamMs = 2_000
    flow.lookout = lookout
    assert.equal(forwarding.outbound(ALICE, data(1, 100), at(1)), undefined)
    lookout.tellsOfQuestions = false
    const message = data(1, 100)
    assert.equal(forwarding.outbound(ALICE, message, at(2)), PATH)
    assert.deepEqual([...lookout.recent(START, at(3))], [message])
    assert.equal(forwarding.inbound(REMOTE.ip, REMOTE.port, data(1, 100), at(4)), ALICE)
    assert.equal(forwarding.inbound(elsewhere.ip, elsewhere.port, data(1, 100), at(5)), undefined)
    assert.equal(flow.lastHeardAt, at(4))
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

  it('an older proof takes no address back, not even after a look at one that is older still', () => {
    const forwarding = new Forwarding()
    const alice = forwarding.add(ALICE)
    const bob = forwarding.add(BOB)
    forwarding.map(REMOTE, alice, at(9))
    // Over another socket of ours she answered there before.
    forwarding.map(REMOTE, alice, at(1))
    for (const ms of [0, 1, 5, 9]) forwarding.map(REMOTE, bob, at(ms))
    assert.equal(forwarding.flowAt(REMOTE), alice)
    forwarding.map(REMOTE, bob, at(10))
    assert.equal(forwarding.flowAt(REMOTE), bob)
    assert.deepEqual([alice.remotes, bob.remotes], [[], [REMOTE]])
  })

  it('an address is free again when its newest owner loses it: then an older proof will do', () => {
    const forwarding = new Forwarding()
    const alice = forwarding.add(ALICE)
    forwarding.map(REMOTE, forwarding.add(BOB), at(2))
    forwarding.map(REMOTE, alice, at(1))
    forwarding.unmap(REMOTE)
    forwarding.map(REMOTE, alice, at(1))
    assert.equal(forwarding.flowAt(REMOTE), alice)
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

  it('what comes from an address is always of the peer with the newest proof', () => {
    const steps = fc.array(
      fc.record({
        step: fc.constantFrom('map', 'map', 'map', 'unmap', 'remove'),
        peer: fc.constantFrom(ALICE, BOB, keyBeginningWith([3])),
        provedAt: fc.nat({ max: 20 }),
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
        const expected = new Map<string, { readonly peer: PublicKey; readonly provedAt: number }>()
        for (const { step, peer, remote, provedAt } of taken) {
          const flow = flows.get(peer) ?? forwarding.add(peer)
          flows.set(peer, flow)
          if (step === 'map') {
            forwarding.map(remote, flow, at(provedAt))
            const name = formatSocketAddress(remote)
            const owner = expected.get(name)
            if (owner === undefined || provedAt > owner.provedAt) expected.set(name, { peer, provedAt })
          } else if (step === 'unmap') {
            forwarding.unmap(remote)
            expected.delete(formatSocketAddress(remote))
          } else {
            forwarding.remove(peer)
            flows.delete(peer)
            for (const [name, owner] of [...expected]) if (owner.peer === peer) expected.delete(name)
          }
          for (const ip of ['203.0.113.1', '::2']) {
            for (const port of [1, 2, 3]) {
              const named = expected.get(formatSocketAddress({ ip, port }))?.peer
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

describe('a flow that tells of questions', () => {
  it('keeps the next message that may go unanswered from the short way, until it was sent', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    flow.tellsOfQuestions = true
    assert.equal(forwarding.outbound(ALICE, data(1, 100), at(1)), undefined)
    assert.deepEqual([flow.txBytes, flow.unheardSince, flow.lastSentAt], [0, undefined, undefined])
    flow.sent(100, at(1))
    assert.equal(forwarding.outbound(ALICE, data(1, 100), at(2)), PATH)
    flow.heard(100, REMOTE.ip, REMOTE.port, at(3))
    assert.equal(forwarding.outbound(ALICE, data(1, 100), at(4)), undefined)
  })

  it('lets keepalives and answers pass', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    flow.tellsOfQuestions = true
    assert.equal(forwarding.outbound(ALICE, data(1, 32), at(1)), PATH)
    forwarding.map(REMOTE, flow, START)
    forwarding.inbound(REMOTE.ip, REMOTE.port, data(1, 100), at(2))
    assert.equal(forwarding.outbound(ALICE, data(1, 100), at(3)), PATH)
    assert.equal(forwarding.outbound(ALICE, data(1, 100), at(4)), undefined)
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
    flow.sent(100, at(1))
    flow.sent(100, at(2))
    assert.equal(flow.unheardSince, at(1))
    flow.heard(1, PATH.remote.ip, PATH.remote.port, at(3))
    assert.equal(flow.unheardSince, undefined)
    assert.equal(flow.carriedAt, at(3))
    flow.sent(100, at(4))
    assert.equal(flow.unheardSince, at(4))
  })

  it('awaits no answer to its answers, but to what it sends after them', () => {
    const flow = openFlow(new Forwarding(), ALICE)
    flow.heard(100, PATH.remote.ip, PATH.remote.port, at(1))
    flow.sent(100, at(2))
    assert.equal(flow.unheardSince, undefined)
    flow.heard(100, PATH.remote.ip, PATH.remote.port, at(1_000))
    flow.sent(100, at(1_001))
    assert.equal(flow.unheardSince, undefined)
    flow.sent(100, at(1_002))
    assert.equal(flow.unheardSince, at(1_002))
    flow.heard(100, PATH.remote.ip, PATH.remote.port, at(1_010))
    // What it heard was an answer: this is a new question.
    flow.sent(100, at(1_011))
    assert.equal(flow.unheardSince, at(1_011))
  })

  it('knows beforehand which message asks', () => {
    const flow = openFlow(new Forwarding(), ALICE)
    assert.equal(flow.asks(100, at(1)), true)
    assert.equal(flow.asks(32, at(1)), false)
    assert.equal(flow.unheardSince, undefined)
    flow.sent(100, at(1))
    assert.equal(flow.asks(100, at(2)), false)
    flow.heard(100, REMOTE.ip, REMOTE.port, at(3))
    assert.equal(flow.asks(100, at(4)), true)
    flow.heard(100, REMOTE.ip, REMOTE.port, at(5))
    assert.equal(flow.asks(100, at(6)), false)
    flow.heard(100, '192.0.2.99', REMOTE.port, at(7))
    assert.equal(flow.asks(100, at(54)), false)
    assert.equal(flow.asks(100, at(55)), true)
  })

  it('awaits nothing any more once a check was answered, but what it sends after that', () => {
    const flow = openFlow(new Forwarding(), ALICE)
    flow.sent(100, at(1))
    flow.answered()
    assert.equal(flow.unheardSince, undefined)
    assert.equal(flow.carriedAt, undefined)
    flow.sent(100, at(2))
    assert.equal(flow.unheardSince, at(2))
  })

  it('counts a keepalive as no answer', () => {
    const flow = openFlow(new Forwarding(), ALICE)
    flow.heard(100, REMOTE.ip, REMOTE.port, at(1))
    flow.sent(32, at(2))
    assert.equal(flow.asks(100, at(3)), false)
    flow.sent(100, at(3))
    assert.equal(flow.asks(100, at(4)), true)
  })

  it('takes nothing that comes late for an answer', () => {
    const flow = openFlow(new Forwarding(), ALICE)
    flow.heard(100, PATH.remote.ip, PATH.remote.port, at(1))
    flow.sent(100, at(51))
    assert.equal(flow.unheardSince, at(51))
  })

  it('is not taken for carried by what comes another way, nor where it has no path', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    flow.sent(100, at(1))
    flow.heard(7, '192.0.2.99', REMOTE.port, at(2))
    flow.heard(7, REMOTE.ip, REMOTE.port + 1, at(3))
    flow.path = undefined
    flow.heard(7, REMOTE.ip, REMOTE.port, at(4))
    assert.deepEqual(
      [flow.rxBytes, flow.lastHeardAt, flow.carriedAt, flow.unheardSince],
      [21, at(4), undefined, at(1)],
    )
  })

  it('is carried by data on the short way as well, over the path in use only', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    const elsewhere = { ip: REMOTE.ip, port: REMOTE.port + 1 }
    for (const remote of [REMOTE, elsewhere]) forwarding.map(remote, flow, START)
    forwarding.outbound(ALICE, data(1, 100), at(1))
    assert.equal(forwarding.inbound(elsewhere.ip, elsewhere.port, data(1), at(2)), ALICE)
    assert.deepEqual([flow.carriedAt, flow.unheardSince], [undefined, at(1)])
    forwarding.inbound(REMOTE.ip, REMOTE.port, data(1), at(3))
    assert.deepEqual([flow.carriedAt, flow.unheardSince], [at(3), undefined])
  })

  it('awaits no answer to a keepalive, which is 32 bytes long', () => {
    const forwarding = new Forwarding()
    const flow = openFlow(forwarding, ALICE)
    forwarding.outbound(ALICE, data(1, 32), at(1))
    assert.equal(flow.unheardSince, undefined)
    assert.equal(flow.lastSentAt, at(1))
    forwarding.outbound(ALICE, data(1, 48), at(2))
    assert.equal(flow.unheardSince, at(2))
  })
})

/** A flow with a path, and nothing to decide. */
function openFlow(forwarding: Forwarding, peer: PublicKey): Flow {
  const flow = forwarding.add(peer)
  flow.path = PATH
  flow.attentive = false
  return flow
}
