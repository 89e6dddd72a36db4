import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SECOND } from '../../../src/base/time.js'
import { encodeBind } from '../../../src/engine/relay/messages.js'
import { encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING, GRANT } from '../../../src/wire/stun/registry.js'
import { sleepUntil } from '../virtualTime.js'
import { ALICE, ALICE_AT, BOB, BOB_AT, EVE, EVE_AT, RelayByHand, sessionOf } from './relayByHand.js'

const DATA = Uint8Array.of(4, 0, 0, 0, 1, 2, 3)

describe('a bind', () => {
  it('moves its side to where it came from, and the other side hears what is sent from there', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const elsewhere = { ip: '203.0.113.50', port: 5_000 }
    relay.pass(1)
    assert.ok(relay.bind(session, ALICE, BOB, elsewhere))
    assert.deepEqual(remotesOf(relay.arrive(session, BOB_AT, DATA)), [elsewhere])
    assert.deepEqual(remotesOf(relay.arrive(session, elsewhere, DATA)), [BOB_AT])
    assert.deepEqual(relay.arrive(session, ALICE_AT, DATA), [])
  })

  it('may move to the other family: each side is served from the port of its own', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const overIpv6 = { ip: '2001:db8:1::2', port: 5_000 }
    relay.pass(1)
    assert.ok(relay.bind(session, ALICE, BOB, overIpv6))
    const [toAlice] = relay.arrive(session, BOB_AT, DATA)
    assert.deepEqual(toAlice?.remote, overIpv6)
    assert.equal(toAlice?.local, '2001:db8::1')
    assert.equal(relay.arrive(session, overIpv6, DATA)[0]?.local, '192.0.2.1')
  })

  it('that was captured moves nothing, sent from anywhere', () => {
    const relay = new RelayByHand()
    relay.ask()
    const { ownName, hmac } = sessionOf(ALICE, BOB)
    const captured = encodeBind(new Uint8Array(12), ownName, relay.unix, hmac)
    assert.equal(relay.arrive(0, ALICE_AT, captured).length, 1)
    assert.deepEqual(relay.arrive(0, EVE_AT, captured), [])
    assert.equal(relay.dropped('relay-stale-bind'), 1)
    // The same from the same address is one whose answer was lost.
    assert.equal(relay.arrive(0, ALICE_AT, captured).length, 1)
    relay.pass(1)
    assert.ok(relay.bind(0, ALICE, BOB, ALICE_AT))
    assert.deepEqual(relay.arrive(0, ALICE_AT, captured), [])
    assert.ok(relay.bind(0, BOB, ALICE, BOB_AT))
    assert.deepEqual(remotesOf(relay.arrive(0, BOB_AT, DATA)), [ALICE_AT])
  })

  it('without the key, a sequence, or of another kind moves nothing and is not answered', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const { ownName, hmac } = sessionOf(ALICE, BOB)
    const eve = sessionOf(EVE, BOB)
    const request = {
      messageClass: 'request',
      method: BINDING,
      transactionId: new Uint8Array(12),
      username: ownName,
      bindSequence: Number.MAX_SAFE_INTEGER,
    } as const
    const { bindSequence: _, ...noSequence } = request
    const wrong = [
      encodeStun(request),
      encodeStun(request, eve.hmac),
      encodeStun(noSequence, hmac),
      encodeStun({ ...request, method: GRANT }, hmac),
      encodeStun({ ...request, messageClass: 'success' }, hmac),
      encodeStun({ ...request, messageClass: 'indication' }, hmac),
      encodeStun({ ...request, username: eve.ownName }, eve.hmac),
    ]
    for (const datagram of wrong) assert.deepEqual(relay.arrive(session, EVE_AT, datagram), [])
    assert.deepEqual(remotesOf(relay.arrive(session, BOB_AT, DATA)), [ALICE_AT])
  })

  it('from the address of the other side takes it: nothing goes back to where it came from', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    relay.pass(1)
    assert.ok(relay.bind(session, BOB, ALICE, ALICE_AT))
    assert.deepEqual(relay.arrive(session, ALICE_AT, DATA), [])
    assert.equal(relay.dropped('relay-other-unbound'), 1)
  })

  it('is answered with no more than was asked', () => {
    const relay = new RelayByHand()
    relay.ask()
    const { ownName, hmac } = sessionOf(ALICE, BOB)
    for (const from of [ALICE_AT, { ip: '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', port: 65_535 }]) {
      relay.pass(1)
      const bind = encodeBind(new Uint8Array(12), ownName, relay.unix, hmac)
      const [answer] = relay.arrive(0, from, bind)
      assert.ok(answer && answer.datagram.length <= bind.length)
    }
  })

  it('from where our own tunnel leads is not taken', () => {
    const relay = new RelayByHand()
    relay.ask()
    const prefix = { ip: '198.51.100.0', length: 24 }
    relay.tell({ type: 'routes-read', routes: [{ prefix, device: 'wg0', tunnel: true }] })
    assert.ok(!relay.bind(0, ALICE, BOB, ALICE_AT))
    assert.equal(relay.dropped('through-tunnel'), 1)
  })
})

describe('a session', () => {
  it('ends 15 s after it was given where no side, or only one, is bound', () => {
    for (const binds of [false, true]) {
      const relay = new RelayByHand()
      relay.ask()
      if (binds) relay.bind(0, ALICE, BOB, ALICE_AT)
      relay.pass(14 * SECOND)
      assert.deepEqual(relay.sessions, [0])
      relay.pass(2 * SECOND)
      assert.deepEqual(relay.sessions, [])
      assert.deepEqual(relay.arrive(0, ALICE_AT, DATA), [])
    }
  })

  it('that carries something, or is bound again, stays; one that does neither for 90 s ends', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    for (let times = 0; times < 5; times++) {
      relay.pass(80 * SECOND)
      relay.arrive(session, times % 2 === 0 ? ALICE_AT : BOB_AT, DATA)
      relay.pass(80 * SECOND)
      assert.ok(relay.bind(session, ALICE, BOB, ALICE_AT))
    }
    relay.pass(89 * SECOND)
    assert.deepEqual(relay.sessions, [session])
    relay.pass(3 * SECOND)
    assert.deepEqual(relay.sessions, [])
  })

  it('is not kept by strangers who send to its port', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    for (let second = 0; second < 92; second++) {
      relay.pass(SECOND)
      assert.deepEqual(relay.arrive(session, EVE_AT, DATA), [])
    }
    assert.deepEqual(relay.sessions, [])
  })

  it('that ended before its ports were open has them closed', () => {
    const relay = new RelayByHand()
    relay.opensPorts = false
    relay.ask()
    relay.pass(20 * SECOND)
    const closed = () => relay.effects.filter(({ type }) => type === 'close-relay').length
    assert.equal(closed(), 1)
    relay.opened(0, ['192.0.2.1'])
    assert.equal(closed(), 2)
    assert.equal(relay.answers.length, 0)
  })

  it('wakes the node as rarely as its end needs, and never in the past', () => {
    const relay = new RelayByHand()
    for (let nonce = 1; nonce <= 20; nonce++) relay.bound(nonce)
    let ms = 0
    const wakes = sleepUntil(relay.node, 0, 120 * SECOND, (at) => {
      relay.pass(at - ms)
      ms = at
    })
    assert.ok(wakes.length < 20, `${wakes.length} wake-ups`)
    assert.deepEqual(relay.sessions, [])
  })

  it('that nobody comes to is nothing, but eight in a row are said once: a firewall is in the way', () => {
    const relay = new RelayByHand()
    const warnings = () => relay.effects.filter(({ type }) => type === 'log').length
    for (let nonce = 1; nonce <= 7; nonce++) relay.ask({ nonce })
    relay.pass(20 * SECOND)
    assert.equal(warnings(), 0)
    relay.ask({ nonce: 8 })
    relay.bind(7, ALICE, BOB, ALICE_AT, { nonce: 8 })
    relay.pass(20 * SECOND)
    for (let nonce = 9; nonce <= 15; nonce++) relay.ask({ nonce })
    relay.pass(20 * SECOND)
    assert.equal(warnings(), 0)
    for (let nonce = 16; nonce <= 40; nonce++) relay.ask({ nonce })
    relay.pass(20 * SECOND)
    assert.equal(warnings(), 1)
  })

  it('costs a relay nothing that stays, however many come and go', () => {
    const relay = new RelayByHand({ quotas: { sessions: 2 } })
    for (let nonce = 1; nonce < 250; nonce++) {
      relay.ask({ nonce: nonce % 250 })
      relay.pass(16 * SECOND)
      assert.ok(relay.sessions.length <= 2)
    }
    assert.deepEqual(relay.sessions, [])
  })
})

describe('no bytes that come to a session', () => {
  it('make the relay throw, or send to anywhere but the two sides', () => {
    const { ownName, hmac } = sessionOf(ALICE, BOB)
    const bindLike = fc
      .record({ sequence: fc.maxSafeNat(), signed: fc.boolean(), cut: fc.nat({ max: 100 }) })
      .map(({ sequence, signed, cut }) => {
        const bind = encodeBind(
          new Uint8Array(12),
          ownName,
          sequence,
          signed ? hmac : (data) => data.slice(0, 32),
        )
        return bind.subarray(0, Math.max(0, bind.length - cut))
      })
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            from: fc.constantFrom(ALICE_AT, BOB_AT, EVE_AT),
            datagram: fc.oneof(fc.uint8Array({ maxLength: 200 }), bindLike),
          }),
          { maxLength: 30 },
        ),
        (arrivals) => {
          const relay = new RelayByHand()
          const session = relay.bound()
          for (const { from, datagram } of arrivals) {
            // Eve does not have the key.
            const sent = relay.arrive(session, from, from === EVE_AT ? datagram.subarray(1) : datagram)
            for (const { remote } of sent) assert.notDeepEqual(remote, EVE_AT)
          }
        },
      ),
      { numRuns: 30 },
    )
  })
})

function remotesOf(sent: readonly { readonly remote: unknown }[]) {
  return sent.map(({ remote }) => remote)
}
