import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isDropped } from '../../../src/base/drops.js'
import { streamAddress } from '../../../src/base/streamAddress.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { encodeBind } from '../../../src/engine/relay/messages.js'
import { decodeGranted } from '../../../src/wire/relayGrant.js'
import { verifyIntegrity } from '../../../src/wire/stun/integrity.js'
import { type DecodedStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING, GRANT } from '../../../src/wire/stun/registry.js'
import { testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import {
  ALICE,
  ALICE_AT,
  asPeer,
  BOB,
  BOB_AT,
  EVE,
  EVE_AT,
  macUnder,
  RELAY_IP,
  RELAY_IP6,
  RelayByHand,
  SOCKETS,
  sessionOf,
  termsOf,
  unixBefore,
} from './relayByHand.js'

const NOW = nowAt(0)

describe('a grant of a relay', () => {
  it('is given to a member, names a port on each family, the one that was asked first, and is authenticated', () => {
    const relay = new RelayByHand()
    assert.deepEqual(addressesIn(relay.ask(), RELAY_IP), [
      { ip: RELAY_IP, port: 40_000 },
      { ip: RELAY_IP6, port: 40_000 },
    ])
    const overIpv6 = relay.ask({ nonce: 2, socket: 2, from: { ip: '2001:db8:1::2', port: 1 } })
    assert.deepEqual(addressesIn(overIpv6, RELAY_IP6, 2), [
      { ip: RELAY_IP6, port: 40_001 },
      { ip: RELAY_IP, port: 40_001 },
    ])
  })

  it('is at the address that was asked, where the relay has another one behind a 1:1 NAT', () => {
    const [address] = addressesIn(new RelayByHand().ask(), '203.0.113.9')
    assert.deepEqual(address, { ip: '203.0.113.9', port: 40_000 })
  })

  it('asked for again is the same, however often, and so it is for the other side and while ports are opened', () => {
    const relay = new RelayByHand()
    relay.opensPorts = false
    const request = relay.request()
    assert.equal(relay.receive(request, ALICE_AT), undefined)
    assert.equal(relay.receive(request, ALICE_AT), undefined)
    relay.opened(0, [RELAY_IP])
    assert.equal(relay.answers.length, 1)
    const again = [relay.receive(request, ALICE_AT), relay.ask(), relay.ask({ asker: BOB, peer: ALICE })]
    for (const answer of again)
      assert.deepEqual(addressesIn(answer, RELAY_IP), [{ ip: RELAY_IP, port: 40_000 }])
    assert.deepEqual(relay.sessions, [0])
    assert.equal(relay.node.status(NOW).relay?.granted, 1)
  })

  it('is refused to a stranger, whatever he claims, and opens nothing', () => {
    const relay = new RelayByHand()
    const wrong = { type: 'network', mac: new Uint8Array(32) } as const
    refused(relay.ask({ proof: () => wrong }), 403)
    refused(
      relay.ask({ proof: (terms) => ({ type: 'network', mac: macUnder(new Uint8Array(32), terms) }) }),
      403,
    )
    refused(relay.ask({ proof: asPeer(ALICE) }), 403)
    assert.deepEqual(relay.sessions, [])
  })

  it('of an open network is given to peers of the relay and to nobody else', () => {
    const relay = new RelayByHand({ isOpen: true, peers: [ALICE] })
    addressesIn(relay.ask({ proof: asPeer(ALICE) }), RELAY_IP)
    refused(relay.ask({ nonce: 2 }), 403, ALICE, BOB, 2)
    const eve = { asker: EVE, peer: BOB } as const
    refused(relay.ask({ ...eve, proof: asPeer(EVE) }), 403, EVE, BOB)
    // Under Alice's name, without her key.
    const forged = asPeer(EVE)
    refused(
      relay.ask({
        ...eve,
        proof: (terms) => ({ ...forged(terms), type: 'peer', publicKey: ALICE.publicKey }),
      }),
      403,
      EVE,
      BOB,
    )
    assert.deepEqual(relay.sessions, [0])
  })

  it('is refused where the clocks are hours apart', () => {
    const relay = new RelayByHand()
    refused(relay.ask({ issuedAt: unixBefore(2 * HOUR + 1) }), 403)
    refused(relay.ask({ issuedAt: unixBefore(-2 * HOUR - 1) }), 403)
    addressesIn(relay.ask({ issuedAt: unixBefore(2 * HOUR) }), RELAY_IP)
  })

  it('that was captured gives who sends it again nothing, during the session or after', () => {
    const relay = new RelayByHand()
    const request = relay.request()
    relay.receive(request, ALICE_AT)
    addressesIn(relay.receive(request, EVE_AT), RELAY_IP)
    assert.deepEqual(relay.sessions, [0])
    relay.pass(20 * SECOND)
    assert.deepEqual(relay.sessions, [])
    assert.equal(relay.receive(request, EVE_AT), undefined)
    assert.equal(relay.dropped('relay-grant-stale'), 1)
    assert.deepEqual(relay.sessions, [])
    // Who has the key may ask again.
    addressesIn(relay.ask(), RELAY_IP)
    assert.deepEqual(relay.sessions, [1])
  })

  it('under the names of another session, which all see who carry its binds, is another session', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const { names } = termsOf(ALICE, BOB)
    const { key, hmac, ownName } = sessionOf(EVE, ALICE)
    const answer = relay.ask({ from: EVE_AT, terms: { names, key } })
    assert.equal(answer?.messageClass, 'success')
    assert.deepEqual(relay.sessions, [session, session + 1])
    const bind = encodeBind(new Uint8Array(12), names[0], Number.MAX_SAFE_INTEGER, hmac)
    assert.deepEqual(relay.arrive(session, EVE_AT, bind), [])
    assert.equal(relay.dropped('stun-bad-integrity'), 1)
    assert.notDeepEqual(ownName, names[0])
    assert.deepEqual(
      relay.arrive(session, BOB_AT, Uint8Array.of(4)).map(({ remote }) => remote),
      [ALICE_AT],
    )
  })

  it('is refused with 486 beyond what one address may have, and with 508 beyond what there is; what exists stays', () => {
    const relay = new RelayByHand({ quotas: { sessions: 3, sessionsPerSource: 2 } })
    const session = relay.bound(1)
    addressesIn(relay.ask({ nonce: 2 }), RELAY_IP, 2)
    refused(relay.ask({ nonce: 3 }), 486, ALICE, BOB, 3)
    addressesIn(relay.ask({ nonce: 3, from: EVE_AT }), RELAY_IP, 3)
    refused(relay.ask({ nonce: 4, from: EVE_AT }), 508, ALICE, BOB, 4)
    addressesIn(relay.ask({ nonce: 2 }), RELAY_IP, 2)
    assert.equal(relay.arrive(session, ALICE_AT, Uint8Array.of(4)).length, 1)
    relay.pass(20 * SECOND)
    addressesIn(relay.ask({ nonce: 4 }), RELAY_IP, 4)
  })

  it('is counted where its stream comes from, together with what comes from there over UDP', () => {
    const relay = new RelayByHand({ quotas: { sessionsPerSource: 2 } })
    addressesIn(relay.ask({ nonce: 1, from: streamAddress(0, ALICE_AT.ip) }), RELAY_IP)
    addressesIn(relay.ask({ nonce: 2 }), RELAY_IP, 2)
    refused(relay.ask({ nonce: 3, from: streamAddress(1, ALICE_AT.ip) }), 486, ALICE, BOB, 3)
    addressesIn(relay.ask({ nonce: 3, from: streamAddress(2, EVE_AT.ip) }), RELAY_IP, 3)
    const request = relay.request()
    for (let stream = 3; stream < 200; stream++) relay.receive(request, streamAddress(stream, BOB_AT.ip))
    assert.equal(relay.dropped('relay-grant-rate-limited'), 97)
  })

  it('is refused with 508 where no port can be opened', () => {
    const relay = new RelayByHand()
    relay.opensPorts = false
    relay.ask()
    relay.tell({ type: 'relay-failed', session: 0, reason: 'too many open files' })
    const [answer] = relay.answers
    assert.ok(answer)
    assert.equal(relay.node.status(NOW).relay?.sessions, 0)
    assert.equal(relay.node.status(NOW).relay?.refused, 1)
  })

  it('is not read beyond a rate, of one address and in all, and that is counted', () => {
    const relay = new RelayByHand()
    const request = relay.request()
    for (let times = 0; times < 101; times++) relay.receive(request, ALICE_AT)
    assert.equal(relay.answers.length, 100)
    assert.equal(relay.dropped('relay-grant-rate-limited'), 1)
    addressesIn(relay.receive(request, EVE_AT), RELAY_IP)
    for (let host = 0; host < 700; host++)
      relay.receive(request, { ip: `198.51.${host >> 8}.${host & 255}`, port: 1 })
    assert.ok(relay.dropped('relay-grant-rate-limited') > 50)
    relay.pass(MINUTE)
    addressesIn(relay.ask(), RELAY_IP)
  })

  it('is not given by a node that is no relay, or does not serve, or through a socket that is closed', () => {
    const request = new RelayByHand().request()
    for (const options of [{ quotas: undefined }, { role: 'client' }] as const) {
      const relay = new RelayByHand(options)
      assert.equal(relay.receive(request, ALICE_AT), undefined)
      assert.equal(relay.dropped('stun-unsupported'), 1)
      assert.equal(relay.node.relayOffer(NOW), undefined)
    }
    assert.equal(new RelayByHand().receive(request, ALICE_AT, 3), undefined)
  })

  it('is never answered with more than was asked', () => {
    const relay = new RelayByHand({ quotas: { sessionsPerSource: 1 } })
    const sizes = fc.constantFrom('member', 'stranger', 'old', 'many')
    fc.assert(
      fc.property(sizes, (kind) => {
        const request = relay.request({
          ...(kind === 'many' ? { nonce: 9 } : {}),
          ...(kind === 'old' ? { issuedAt: unixBefore(9 * HOUR) } : {}),
          ...(kind === 'stranger' ? { proof: asPeer(EVE) } : {}),
        })
        relay.pass(SECOND)
        const before = relay.answers.length
        relay.receive(request, ALICE_AT)
        for (const answer of relay.answers.slice(before)) {
          assert.ok(answer.datagram.length <= request.length)
          assert.deepEqual(answer.remote, ALICE_AT)
        }
      }),
    )
  })

  it('has nothing to do with what is not sealed to it: no answer, and a counted drop', () => {
    const relay = new RelayByHand()
    const transactionId = new Uint8Array(12)
    const ask = { messageClass: 'request', method: GRANT, transactionId } as const
    assert.equal(relay.receive(encodeStun(ask), ALICE_AT), undefined)
    assert.equal(relay.receive(encodeStun({ ...ask, sealed: new Uint8Array(100) }), ALICE_AT), undefined)
    assert.equal(relay.dropped('relay-grant-malformed'), 2)
    assert.equal(
      relay.receive(encodeStun({ ...ask, sealed: new Uint8Array(240).fill(9) }), ALICE_AT),
      undefined,
    )
    assert.equal(relay.dropped('relay-grant-unreadable'), 1)
    // It still reflects.
    assert.ok(relay.receive(encodeStun({ ...ask, method: BINDING }), ALICE_AT))
  })
})

describe('what a relay offers', () => {
  it('is its key and its load, which grows with its sessions', () => {
    const relay = new RelayByHand({ quotas: { sessions: 4 } })
    assert.equal(relay.node.relayOffer(NOW)?.load, 0)
    relay.ask()
    assert.equal(relay.node.relayOffer(NOW)?.load, 64)
    for (const nonce of [2, 3, 4]) relay.ask({ nonce })
    assert.equal(relay.node.relayOffer(NOW)?.load, 255)
  })

  it('is nothing in an open network as long as it has no peers', () => {
    assert.equal(new RelayByHand({ isOpen: true }).node.relayOffer(NOW), undefined)
    assert.ok(new RelayByHand({ isOpen: true, peers: [testNode(9)] }).node.relayOffer(NOW))
  })

  it('ends with the addresses that it was at', () => {
    const relay = new RelayByHand()
    relay.bound()
    relay.tell({ type: 'sockets-changed', sockets: SOCKETS.slice(1) })
    assert.deepEqual(relay.sessions, [0])
    relay.tell({ type: 'sockets-changed', sockets: [] })
    assert.deepEqual(relay.sessions, [])
  })
})

/** The addresses of a grant that must be one. */
function addressesIn(answer: DecodedStun | undefined, asked: string, nonce = 1) {
  assert.ok(answer, 'there is an answer')
  assert.equal(answer.messageClass, 'success', answer.error?.reason)
  assert.ok(verifyIntegrity(answer, sessionOf(ALICE, BOB, nonce).hmac))
  const addresses = decodeGranted(answer.granted ?? new Uint8Array(0), asked)
  assert.ok(!isDropped(addresses))
  return addresses
}

function refused(answer: DecodedStun | undefined, code: number, asker = ALICE, peer = BOB, nonce = 1): void {
  assert.equal(answer?.messageClass, 'error')
  assert.equal(answer.error?.code, code)
  assert.ok((answer.error?.reason ?? '').length > 10)
  assert.ok(verifyIntegrity(answer, sessionOf(asker, peer, nonce).hmac))
}
