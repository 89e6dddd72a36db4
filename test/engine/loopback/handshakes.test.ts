import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Handshakes } from '../../../src/engine/loopback/handshakes.js'
import type { Route } from '../../../src/engine/path/path.js'
import { at, START } from '../virtualTime.js'
import { data, first, second } from '../wireguardMessages.js'

const OURS = 100
const THEIRS = 200
const ROUTES: readonly Route[] = Array.from({ length: 8 }, (_, index) => ({
  socket: 1,
  remote: { ip: '203.0.113.1', port: 1_000 + index },
}))
const [NEAR = fail(), FAR = fail()] = ROUTES

describe('a handshake of ours', () => {
  it('is held until it is sent, as a copy', () => {
    const handshakes = new Handshakes()
    assert.equal(handshakes.unanswered, undefined)
    const message = first(OURS)
    const own = handshakes.begin(message, START)
    message.fill(0)
    assert.deepEqual(own.firstMessage, first(OURS))
    assert.equal(own.ourIndex, OURS)
    assert.equal(own.madeAt, START)
    assert.equal(own.sent, undefined)
    assert.equal(handshakes.unanswered, own)
  })

  it('is replaced by a newer one', () => {
    const handshakes = new Handshakes()
    send(handshakes, OURS)
    assert.ok(handshakes.answered(second(THEIRS, OURS), NEAR))
    const newer = send(handshakes, OURS + 1)
    assert.equal(handshakes.unanswered, newer)
    assert.equal(handshakes.answered(second(THEIRS, OURS), NEAR), false)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
  })

  it('proves the way of its second message, once our WireGuard uses the session', () => {
    const handshakes = new Handshakes()
    send(handshakes, OURS)
    assert.equal(handshakes.awaitsProof, false)
    assert.equal(handshakes.answered(second(THEIRS, OURS), FAR), true)
    assert.equal(handshakes.awaitsProof, true)
    assert.equal(handshakes.confirmed(data(THEIRS)), FAR)
    assert.equal(handshakes.unanswered, undefined)
    assert.equal(handshakes.awaitsProof, false)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
  })

  it('is answered by nothing before it was sent, nor under another index', () => {
    const handshakes = new Handshakes()
    assert.equal(handshakes.answered(second(THEIRS, OURS), NEAR), false)
    handshakes.begin(first(OURS), START)
    assert.equal(handshakes.answered(second(THEIRS, OURS), NEAR), false)
    send(handshakes, OURS)
    assert.equal(handshakes.answered(second(THEIRS, OURS + 1), NEAR), false)
    assert.equal(handshakes.awaitsProof, false)
  })

  it('takes second messages from four addresses, and no more', () => {
    const handshakes = new Handshakes()
    send(handshakes, OURS)
    const taken = ROUTES.map((route, index) => handshakes.answered(second(THEIRS + index, OURS), route))
    assert.deepEqual(taken, [true, true, true, true, false, false, false, false])
    assert.equal(handshakes.confirmed(data(THEIRS + 4)), undefined)
    assert.equal(handshakes.confirmed(data(THEIRS + 3)), ROUTES[3])
  })

  it('takes no more second messages once it is settled: a copy proves nothing', () => {
    const handshakes = new Handshakes()
    send(handshakes, OURS)
    handshakes.answered(second(THEIRS, OURS), NEAR)
    assert.equal(handshakes.confirmed(data(THEIRS)), NEAR)
    assert.equal(handshakes.answered(second(THEIRS, OURS), FAR), false)
    assert.equal(handshakes.awaitsProof, false)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
  })

  it('is forgotten 5.5 s after it was made, held or sent: WireGuard has made another by then, if it wants one', () => {
    for (const make of [begin, send]) {
      const handshakes = new Handshakes()
      const own = make(handshakes, OURS)
      handshakes.expire(at(5_500))
      assert.equal(handshakes.unanswered, own)
      handshakes.expire(at(5_501))
      assert.equal(handshakes.unanswered, undefined)
      assert.equal(handshakes.answered(second(THEIRS, OURS), NEAR), false)
      const newer = handshakes.begin(first(OURS + 1), at(5_600))
      handshakes.expire(at(5_600 + 5_500))
      assert.equal(handshakes.unanswered, newer)
    }
  })

  it('has nothing to forget where there is none', () => {
    const handshakes = new Handshakes()
    handshakes.expire(at(10_000))
    assert.equal(handshakes.own, undefined)
  })

  it('is settled by the second message that comes over a path, and by no other', () => {
    const handshakes = new Handshakes()
    assert.equal(handshakes.settle(second(THEIRS, OURS)), false)
    send(handshakes, OURS)
    assert.equal(handshakes.settle(second(THEIRS, OURS + 1)), false)
    assert.notEqual(handshakes.unanswered, undefined)
    assert.equal(handshakes.settle(second(THEIRS, OURS)), true)
    assert.equal(handshakes.unanswered, undefined)
    assert.equal(handshakes.answered(second(THEIRS + 1, OURS), FAR), false)
  })

  it('that was answered over a path awaits no proof, whatever else came before', () => {
    const handshakes = new Handshakes()
    send(handshakes, OURS)
    assert.equal(handshakes.answered(second(THEIRS + 1, OURS), FAR), true)
    assert.equal(handshakes.settle(second(THEIRS, OURS)), true)
    assert.equal(handshakes.awaitsProof, false)
    assert.equal(handshakes.confirmed(data(THEIRS + 1)), undefined)
  })

  it('takes no second message with the index of a session that WireGuard may be using', () => {
    const inUse: readonly ((handshakes: Handshakes) => void)[] = [
      // Ours, answered over a path.
      (handshakes) => {
        send(handshakes, OURS)
        handshakes.settle(second(THEIRS, OURS))
      },
      // Ours, answered from an address that this has proved.
      (handshakes) => {
        send(handshakes, OURS)
        handshakes.answered(second(THEIRS, OURS), NEAR)
        handshakes.confirmed(data(THEIRS))
      },
      // Theirs.
      (handshakes) => {
        handshakes.peerBegan(first(THEIRS), NEAR)
      },
    ]
    for (const make of inUse) {
      const handshakes = new Handshakes()
      make(handshakes)
      send(handshakes, OURS + 1)
      // Who forges it has seen both indices: one in WireGuard's data, one in our first message.
      assert.equal(handshakes.answered(second(THEIRS, OURS + 1), FAR), false)
      assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
      assert.equal(handshakes.answered(second(THEIRS + 1, OURS + 1), NEAR), true)
      assert.equal(handshakes.confirmed(data(THEIRS + 1)), NEAR)
    }
  })

  it('remembers the sessions of four handshakes, of which WireGuard uses three at most', () => {
    const handshakes = new Handshakes()
    for (let count = 0; count < 5; count++) {
      send(handshakes, OURS + count)
      handshakes.settle(second(THEIRS + count, OURS + count))
    }
    send(handshakes, OURS + 5)
    const taken = [0, 1, 2, 3, 4].map((count) => handshakes.answered(second(THEIRS + count, OURS + 5), FAR))
    assert.deepEqual(taken, [true, false, false, false, false])
  })

  it('is proved by no forged second message: WireGuard never sends to an index that it did not take', () => {
    const forgeries = fc.array(
      fc.record({ index: fc.integer({ min: 0, max: 50 }), route: fc.constantFrom(...ROUTES) }),
      { maxLength: 3 },
    )
    fc.assert(
      fc.property(forgeries, fc.integer({ min: 51, max: 0xffff_ffff }), (forged, real) => {
        const handshakes = new Handshakes()
        send(handshakes, OURS)
        for (const { index, route } of forged) handshakes.answered(second(index, OURS), route)
        assert.equal(handshakes.confirmed(data(real)), undefined)
        handshakes.answered(second(real, OURS), FAR)
        assert.equal(handshakes.confirmed(data(real)), FAR)
      }),
    )
  })
})

describe("a handshake of the peer's", () => {
  it('is new once, then a copy', () => {
    const handshakes = new Handshakes()
    assert.deepEqual(handshakes.peerBegan(first(THEIRS), NEAR), { copy: false })
    assert.deepEqual(handshakes.peerBegan(first(THEIRS), NEAR), { copy: true })
    assert.deepEqual(handshakes.peerBegan(first(THEIRS, 1), NEAR), { copy: false })
  })

  it('is a copy as well where only mac2 differs, which anybody can change', () => {
    const handshakes = new Handshakes()
    const answer = second(OURS, THEIRS)
    handshakes.peerBegan(first(THEIRS), NEAR)
    handshakes.answer(answer)
    const [mac2, mac1] = [1, 17].map((fromTheEnd) => {
      const message = first(THEIRS)
      message[message.length - fromTheEnd] = 1
      return message
    })
    assert.ok(mac1 !== undefined && mac2 !== undefined)
    assert.deepEqual(handshakes.peerBegan(mac2, FAR), { copy: true, answer })
    assert.deepEqual(handshakes.peer?.firstMessage, first(THEIRS))
    assert.deepEqual(handshakes.peerBegan(mac1, FAR), { copy: false })
  })

  it('is answered to where it came from, and to where copies of it came from, before and after', () => {
    const handshakes = new Handshakes()
    const [, , third = fail()] = ROUTES
    handshakes.peerBegan(first(THEIRS), NEAR)
    assert.deepEqual(handshakes.peerBegan(first(THEIRS), FAR), { copy: true })
    const answer = second(OURS, THEIRS)
    assert.deepEqual(handshakes.answer(answer), [NEAR, FAR])
    assert.deepEqual(handshakes.peerBegan(first(THEIRS), third), { copy: true, answer })
    assert.deepEqual(handshakes.peerBegan(first(THEIRS), third), { copy: true })
  })

  it('is answered to four addresses, and no more', () => {
    const handshakes = new Handshakes()
    for (const route of ROUTES) handshakes.peerBegan(first(THEIRS), route)
    assert.deepEqual(handshakes.answer(second(OURS, THEIRS)), ROUTES.slice(0, 4))
    assert.deepEqual(handshakes.peerBegan(first(THEIRS), ROUTES[5] ?? fail()), { copy: true })
  })

  it('is answered by no message of another index', () => {
    const handshakes = new Handshakes()
    assert.equal(handshakes.answer(second(OURS, THEIRS)), undefined)
    handshakes.peerBegan(first(THEIRS), NEAR)
    assert.equal(handshakes.answer(second(OURS, THEIRS + 1)), undefined)
  })

  it('proves the way of the data that first used it, once our WireGuard answers with data', () => {
    const handshakes = answeredPeer(NEAR, FAR)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
    assert.equal(handshakes.awaitsProof, false)
    assert.equal(handshakes.used(data(OURS), FAR), true)
    assert.equal(handshakes.used(data(OURS), NEAR), true)
    assert.equal(handshakes.awaitsProof, true)
    assert.equal(handshakes.confirmed(data(OURS)), undefined)
    assert.equal(handshakes.confirmed(data(THEIRS)), FAR)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
    assert.equal(handshakes.awaitsProof, false)
  })

  it('is used by nobody before it is answered, under another index, or from another address', () => {
    const handshakes = new Handshakes()
    assert.equal(handshakes.used(data(OURS), NEAR), false)
    handshakes.peerBegan(first(THEIRS), NEAR)
    assert.equal(handshakes.used(data(OURS), NEAR), false)
    handshakes.answer(second(OURS, THEIRS))
    assert.equal(handshakes.used(data(OURS + 1), NEAR), false)
    assert.equal(handshakes.used(data(OURS), FAR), false)
    assert.equal(handshakes.used(data(OURS), { ...NEAR, socket: 2 }), false)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
  })

  it('that was captured and raced proves nothing to who cannot use the session', () => {
    const handshakes = answeredPeer(FAR)
    // The racer has our answer and no session: whatever WireGuard sends, it sends for another one.
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
    assert.equal(handshakes.confirmed(data(THEIRS + 1)), undefined)
  })

  it('is replaced by a newer one', () => {
    const handshakes = answeredPeer(NEAR)
    handshakes.used(data(OURS), NEAR)
    handshakes.peerBegan(first(THEIRS + 1), FAR)
    assert.equal(handshakes.awaitsProof, false)
    assert.equal(handshakes.used(data(OURS), NEAR), false)
    assert.equal(handshakes.confirmed(data(THEIRS)), undefined)
  })
})

describe('handshakes of both sides', () => {
  it('are followed side by side', () => {
    const handshakes = answeredPeer(NEAR)
    const own = send(handshakes, OURS + 1)
    assert.ok(handshakes.answered(second(THEIRS + 1, OURS + 1), FAR))
    assert.ok(handshakes.used(data(OURS), NEAR))
    assert.equal(handshakes.confirmed(data(THEIRS)), NEAR)
    assert.equal(handshakes.unanswered, own)
    assert.equal(handshakes.confirmed(data(THEIRS + 1)), FAR)
  })

  it('keep a bounded number of routes, whatever arrives', () => {
    const indices = fc.integer({ min: 0, max: 3 })
    const messages = fc.array(
      fc.record({
        kind: fc.constantFrom('begin', 'answered', 'settle', 'peerBegan', 'answer', 'used', 'confirmed'),
        a: indices,
        b: indices,
        from: fc.constantFrom(...ROUTES),
      }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(messages, (taken) => {
        const handshakes = new Handshakes()
        const heardFrom: Route[] = []
        for (const { kind, a, b, from } of taken) {
          if (kind === 'begin') send(handshakes, a)
          else if (kind === 'answered') handshakes.answered(second(a, b), from)
          else if (kind === 'settle') handshakes.settle(second(a, b))
          else if (kind === 'peerBegan') handshakes.peerBegan(first(a, b), from)
          else if (kind === 'answer') handshakes.answer(second(a, b))
          else if (kind === 'used') handshakes.used(data(a), from)
          else {
            const proved = handshakes.confirmed(data(a))
            if (proved !== undefined) assert.ok(heardFrom.includes(proved))
          }
          if (kind === 'answered' || kind === 'used') heardFrom.push(from)
          assert.ok((handshakes.own?.answers.length ?? 0) <= 4)
          assert.ok((handshakes.peer?.sources.length ?? 0) <= 4)
        }
      }),
    )
  })
})

function begin(handshakes: Handshakes, ourIndex: number): ReturnType<Handshakes['begin']> {
  return handshakes.begin(first(ourIndex), START)
}

function send(handshakes: Handshakes, ourIndex: number): ReturnType<Handshakes['begin']> {
  const own = begin(handshakes, ourIndex)
  own.sent = { at: at(1), over: NEAR, proved: false, doubtful: true }
  return own
}

/** The peer's first message came by `routes`, and our WireGuard answered. */
function answeredPeer(...routes: readonly Route[]): Handshakes {
  const handshakes = new Handshakes()
  for (const route of routes) handshakes.peerBegan(first(THEIRS), route)
  assert.deepEqual(handshakes.answer(second(OURS, THEIRS)), routes)
  return handshakes
}

function fail(): never {
  throw new TypeError('no such route')
}
