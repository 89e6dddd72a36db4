import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { streamAddress } from '../../../src/base/streamAddress.js'
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

describe('an end that has not sent the cookie of an answer back', () => {
  const first = { isAbsent: true }

  it('is sent at most three times what its binds had, and after the cookie all', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const elsewhere = { ip: '203.0.113.50', port: 5_000 }
    const check = new Uint8Array(92)
    const answer = relay.bindOnce(session, ALICE, BOB, elsewhere)
    // Checks are passed on before the cookie is back, so nobody waits for it.
    assert.equal(relay.arrive(session, BOB_AT, check).length, 1)
    assert.equal(relay.arrive(session, BOB_AT, check).length, 1)
    assert.equal(relay.arrive(session, BOB_AT, check).length, 0)
    assert.equal(relay.dropped('relay-unverified'), 1)
    assert.ok(answer?.bindCookie)
    relay.bindOnce(session, ALICE, BOB, elsewhere, { cookie: answer.bindCookie })
    for (let times = 0; times < 100; times++)
      assert.equal(relay.arrive(session, BOB_AT, new Uint8Array(1_400)).length, 1)
    // What it sends itself was never limited.
    assert.equal(relay.arrive(session, elsewhere, new Uint8Array(1_400)).length, 1)
  })

  it('earns nothing by what it sends: two relays cannot feed each other', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    relay.bindOnce(session, ALICE, BOB, EVE_AT)
    for (let times = 0; times < 50; times++) relay.arrive(session, EVE_AT, new Uint8Array(1_400))
    assert.equal(relay.arrive(session, BOB_AT, new Uint8Array(400)).length, 0)
  })

  it('is verified by no other cookie: of the other side, of another session, of another address, or made up', () => {
    const relay = new RelayByHand()
    relay.bound(2)
    const ask = relay.bound(1)
    const cookies = [
      relay.bindOnce(ask, BOB, ALICE, EVE_AT)?.bindCookie,
      relay.bindOnce(ask - 1, ALICE, BOB, EVE_AT, { nonce: 2 })?.bindCookie,
      relay.bindOnce(ask, ALICE, BOB, { ...EVE_AT, port: 1 })?.bindCookie,
      relay.bindOnce(ask, ALICE, BOB, { ...EVE_AT, ip: '198.51.100.9' })?.bindCookie,
      new Uint8Array(8),
    ]
    assert.ok(relay.bind(ask, BOB, ALICE, BOB_AT))
    const right = relay.bindOnce(ask, ALICE, BOB, EVE_AT)?.bindCookie
    for (const cookie of cookies) {
      assert.ok(cookie)
      assert.notDeepEqual(cookie, right)
      relay.bindOnce(ask, ALICE, BOB, EVE_AT, { cookie })
      assert.equal(relay.arrive(ask, BOB_AT, new Uint8Array(9_000)).length, 0)
    }
    assert.ok(right)
    relay.bindOnce(ask, ALICE, BOB, EVE_AT, { cookie: right })
    assert.equal(relay.arrive(ask, BOB_AT, new Uint8Array(1_400)).length, 1)
  })

  it('gets less than three times what it sent, whoever binds it, and however often', () => {
    const step = fc.oneof(
      fc.record({
        type: fc.constant('bind' as const),
        cookie: fc.option(fc.uint8Array({ minLength: 8, maxLength: 8 })),
      }),
      fc.record({ type: fc.constant('move' as const) }),
      fc.record({ type: fc.constant('data' as const), size: fc.nat({ max: 1_500 }) }),
      fc.record({ type: fc.constant('back' as const), size: fc.nat({ max: 1_500 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const relay = new RelayByHand()
        const session = relay.bound()
        let received = 0
        for (const each of steps) {
          if (each.type === 'bind') {
            relay.bindOnce(session, ALICE, BOB, EVE_AT, each.cookie === null ? {} : { cookie: each.cookie })
            received += 108
          } else if (each.type === 'move') relay.bindOnce(session, ALICE, BOB, ALICE_AT)
          else relay.arrive(session, each.type === 'data' ? BOB_AT : EVE_AT, new Uint8Array(each.size))
        }
        const toEve = relay.relayed.filter(({ remote }) => remote.ip === EVE_AT.ip)
        const sent = toEve.reduce((sum, { datagram }) => sum + datagram.length, 0)
        assert.ok(sent <= 3 * received, `${sent} of ${received}`)
      }),
      { numRuns: 50 },
    )
  })

  it('is verified by itself where it is a stream', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const stream = streamAddress(3)
    const answer = relay.bindOnce(session, ALICE, BOB, stream)
    assert.ok(answer !== undefined && answer.bindCookie === undefined)
    assert.equal(relay.arrive(session, BOB_AT, new Uint8Array(1_400)).length, 1)
  })

  it('starts anew where it moves, and keeps nothing of what it had', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    assert.ok(relay.bind(session, ALICE, BOB, EVE_AT, first))
    assert.ok(relay.bind(session, ALICE, BOB, ALICE_AT, first))
    assert.equal(relay.arrive(session, BOB_AT, new Uint8Array(1_400)).length, 0)
  })

  it('gets none where its bind has no room for one: the answer is never longer', () => {
    const relay = new RelayByHand()
    const session = relay.bound()
    const { ownName, hmac } = sessionOf(ALICE, BOB)
    const bind = encodeStun(
      {
        messageClass: 'request',
        method: BINDING,
        transactionId: new Uint8Array(12),
        username: ownName,
        bindSequence: relay.unix + 1_000,
      },
      hmac,
    )
    const [answer] = relay.arrive(session, { ip: '2001:db8:ffff:ffff::1', port: 65_535 }, bind)
    assert.ok(answer && answer.datagram.length <= bind.length)
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
