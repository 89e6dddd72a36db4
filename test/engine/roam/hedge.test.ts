import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { elapsed, type Instant, SECOND } from '../../../src/base/time.js'
import { type Flow, Forwarding } from '../../../src/engine/loopback/forwarding.js'
import { type CheckSubject, PathAgent } from '../../../src/engine/path/agent.js'
import type { Route } from '../../../src/engine/path/path.js'
import { DEFAULT_PUNCH_LIMITS, PunchBudget } from '../../../src/engine/path/punchLimits.js'
import { Transactions } from '../../../src/engine/path/transactions.js'
import type { AlarmKind } from '../../../src/engine/roam/alarms.js'
import { Hedge } from '../../../src/engine/roam/hedge.js'
import { decodeStun } from '../../../src/wire/stun/message.js'
import { EffectLog } from '../effectLog.js'
import { pairKeysOf, testNode } from '../nodes.js'
import { candidate, HOME, remote } from '../path/machines.js'
import { at, nowAt, START } from '../virtualTime.js'
import { data } from '../wireguardMessages.js'

const BOB = testNode(2)
const KEYS = pairKeysOf(testNode(1), BOB)
const NEAR: Route = { socket: HOME.id, remote: remote(1) }
const FAR: Route = { socket: HOME.id, remote: remote(2) }

/** The longest that both ways are used, but for round trips. */
const LONGEST_MS = 2 * SECOND

describe('a flow with one path', () => {
  it('has it asked where an answer is late, and goes over nothing else', () => {
    const one = new Hedged({ paths: [NEAR] })
    one.converse(20)
    one.ask()
    one.pass(60)
    assert.deepEqual([one.beside, one.hedges, one.alarms], [undefined, 0, ['answers']])
    const { checks } = one
    one.pass(3 * SECOND)
    assert.equal(one.hedge.nextWake, undefined)
    assert.ok(checks > 0 && one.checks <= checks + 2)
  })

  it('finds it silent within half a second, and then asks no more', () => {
    const one = new Hedged({ paths: [NEAR] })
    one.converse(20)
    one.alive.delete(NEAR)
    one.ask()
    one.pass(500)
    assert.equal(one.agent.isSound, false)
    const { checks } = one
    one.pass(10 * SECOND)
    assert.deepEqual([one.checks, one.alarms], [checks, ['answers']])
  })
})

describe('a flow with two paths', () => {
  it('goes over both from 50 ms after a question on, where answers take 10 ms; what was sent is sent again', () => {
    const one = new Hedged({})
    one.converse(20)
    one.alive.delete(NEAR)
    const question = one.ask()
    one.pass(49)
    assert.equal(one.beside, undefined)
    one.pass(2)
    assert.deepEqual(one.beside, FAR.remote)
    assert.deepEqual(one.sentAgain.at(-1), question)
    const next = data(1, 100)
    assert.deepEqual(one.forwarding.outbound(BOB.publicKey, next, at(one.ms))?.remote, NEAR.remote)
    assert.deepEqual(one.forwarding.beside?.remote, FAR.remote)
  })

  it('ends that where a check is answered over the path in use, or the other one takes its place', () => {
    for (const isDead of [false, true]) {
      const one = new Hedged({})
      one.converse(20)
      if (isDead) one.alive.delete(NEAR)
      one.ask()
      one.pass(55)
      assert.notEqual(one.beside, undefined)
      one.pass(isDead ? LONGEST_MS : 20)
      assert.equal(one.beside, undefined)
      assert.deepEqual(one.flow.path?.remote, (isDead ? FAR : NEAR).remote)
    }
  })

  it('does not end it for a message that comes over the path in use: that proves one direction', () => {
    const one = new Hedged({})
    one.converse(20)
    one.alive.delete(NEAR)
    one.ask()
    one.pass(60)
    one.hear(NEAR)
    assert.notEqual(one.beside, undefined)
  })

  it('asks first where an alarm was false a moment ago', () => {
    const one = new Hedged({})
    one.converse(20)
    one.ask()
    one.pass(400)
    const { checks } = one
    one.ask()
    one.pass(400)
    assert.equal(one.hedges, 1)
    assert.ok(one.checks > checks)
  })

  it('takes part where the peer goes over to another path, but not where it always used that', () => {
    const one = new Hedged({})
    one.converse(20)
    one.hear(FAR)
    assert.deepEqual(one.beside, FAR.remote)
    const other = new Hedged({})
    for (let message = 0; message < 100; message++) {
      other.hear(FAR)
      other.pass(10)
    }
    assert.equal(other.hedges, 0)
  })

  it('is hardly impressed by forged messages over both paths', () => {
    const one = new Hedged({})
    for (let ms = 0; ms < 60 * SECOND; ms += 20) {
      one.hear(NEAR)
      one.hear(FAR)
      one.pass(20)
    }
    assert.ok(one.hedges <= 7, `${one.hedges} in a minute`)
  })

  it('takes part where the peer, which is silent, checks another path while we send', () => {
    const one = new Hedged({})
    one.converse(20)
    one.pass(SECOND)
    one.hedge.checked(FAR, at(one.ms))
    assert.equal(one.beside, undefined, 'nothing was sent')
    one.ask()
    one.hedge.checked(NEAR, at(one.ms))
    assert.equal(one.beside, undefined, 'it is the path in use')
    one.hedge.checked(FAR, at(one.ms))
    assert.deepEqual(one.beside, FAR.remote)
  })

  it('notices that a stream has ended, once, and tells the peer by checks over the other path', () => {
    const one = new Hedged({})
    for (let ms = 0; ms < 2_500; ms += 20) {
      one.hear(NEAR)
      one.pass(20)
    }
    one.pass(SECOND)
    assert.equal(one.hedges, 1)
    assert.ok(one.checked.some((route) => route.remote === FAR.remote))
    one.pass(60 * SECOND)
    assert.equal(one.hedges, 1)
  })

  it('is given up where the last other path fails, and where there is no traffic', () => {
    const one = new Hedged({})
    one.converse(20)
    one.alive.clear()
    one.ask()
    one.pass(60)
    assert.notEqual(one.beside, undefined)
    one.pass(LONGEST_MS)
    assert.equal(one.beside, undefined)
    const other = new Hedged({})
    other.isActive = false
    other.settle()
    assert.equal(other.flow.lookout, undefined)
  })
})

describe('the decision', () => {
  const anyRtt = fc.integer({ min: 1, max: 300 })

  it('is never taken while answers come as they always do, within 20 ms', () => {
    const jitter = fc.array(fc.nat({ max: 20 }), { minLength: 50, maxLength: 50 })
    fc.assert(
      fc.property(anyRtt, jitter, fc.integer({ min: 0, max: 400 }), (rttMs, late, idleMs) => {
        const one = new Hedged({ rttMs })
        for (const ms of late) {
          one.ask()
          one.pass(rttMs + ms)
          one.hear(NEAR)
          one.pass(idleMs)
        }
        assert.equal(one.hedges, one.streamEnds)
      }),
      { numRuns: 40 },
    )
  })

  it('is taken 40 ms after the answer was due, where answers come regularly and then no more', () => {
    fc.assert(
      fc.property(anyRtt, (rttMs) => {
        const one = new Hedged({ rttMs })
        one.converse(40)
        const { hedges } = one
        one.alive.delete(NEAR)
        one.ask()
        one.pass(rttMs + 39)
        assert.equal(one.hedges, hedges)
        one.pass(3)
        assert.equal(one.hedges, hedges + 1)
      }),
      { numRuns: 40 },
    )
  })

  const anyEvents = fc.array(
    fc.record({
      gap: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 300 }), fc.nat({ max: 3_000 })),
      event: fc.constantFrom<Event[]>(
        'ask',
        'ask',
        'hear',
        'hear elsewhere',
        'checked',
        'dies',
        'lives',
        'settle',
      ),
    }),
    { maxLength: 80 },
  )

  it('is bounded whatever happens: both ways for two seconds and some round trips, and at rest thereafter', () => {
    fc.assert(
      fc.property(anyEvents, anyRtt, (events, rttMs) => {
        const one = new Hedged({ rttMs })
        play(one, events)
        one.alive.clear()
        const { longestHedgeMs } = one
        assert.ok(longestHedgeMs <= LONGEST_MS + 3 * rttMs + 1, `${longestHedgeMs} ms`)
        // Questions without end, and nobody there.
        for (let ms = 0; ms < 8 * SECOND; ms += 50) {
          one.ask()
          one.pass(50)
        }
        assert.equal(one.beside, undefined)
        const { checks } = one
        one.pass(10 * SECOND)
        assert.equal(one.checks, checks)
      }),
      { numRuns: 60 },
    )
  })

  it('is the same at another time, and where it is woken early', () => {
    fc.assert(
      fc.property(anyEvents, anyRtt, fc.integer({ min: 1, max: 1_000_000 }), (events, rttMs, startMs) => {
        const one = new Hedged({ rttMs })
        const shifted = new Hedged({ rttMs, startMs })
        const early = new Hedged({ rttMs })
        early.isWokenEarly = true
        const log = play(one, events)
        assert.deepEqual(play(shifted, events), log)
        assert.deepEqual(play(early, events), log)
      }),
      { numRuns: 60 },
    )
  })
})

type Event = 'ask' | 'hear' | 'hear elsewhere' | 'checked' | 'dies' | 'lives' | 'settle'

function play(one: Hedged, events: readonly { readonly gap: number; readonly event: Event }[]) {
  return events.map(({ gap, event }) => {
    one.pass(gap)
    switch (event) {
      case 'ask':
        one.ask()
        break
      case 'hear':
        one.hear(NEAR)
        break
      case 'hear elsewhere':
        one.hear(FAR)
        break
      case 'checked':
        one.hedge.checked(FAR, at(one.ms))
        one.settle()
        break
      case 'dies':
        one.alive.delete(NEAR)
        break
      case 'lives':
        one.alive.add(NEAR)
        break
      case 'settle':
        one.settle()
    }
    return [one.flow.path?.remote.ip, one.beside?.ip, one.checks, one.sentAgain.length]
  })
}

/** A flow with its agent and its hedge, told what happens as a peer tells them. */
class Hedged {
  ms: number
  isActive = true
  isWokenEarly = false
  readonly forwarding = new Forwarding()
  readonly flow: Flow
  readonly agent: PathAgent
  readonly hedge: Hedge
  /** The paths over which checks are answered. */
  readonly alive: Set<Route>
  readonly sentAgain: Uint8Array[] = []
  /** Where checks went. */
  readonly checked: Route[] = []
  hedges = 0
  streamEnds = 0
  readonly alarms: AlarmKind[] = []
  longestHedgeMs = 0
  readonly #rttMs: number
  readonly #paths: readonly Route[]
  readonly #log = new EffectLog()
  readonly #answers: { readonly at: number; readonly sentAt: Instant; readonly route: Route }[] = []
  #hedgedAt: number | undefined = undefined

  constructor({ paths = [NEAR, FAR], rttMs = 10, startMs = 0 }) {
    this.#rttMs = rttMs
    this.#paths = paths
    this.ms = startMs
    this.alive = new Set(paths)
    this.flow = this.forwarding.add(BOB.publicKey)
    const context = {
      emit: this.#log.emit,
      transactions: new Transactions<CheckSubject>(seededRandom(1), 1_024),
      punching: new PunchBudget(DEFAULT_PUNCH_LIMITS, START),
      sockets: [HOME],
      punchingSockets: [],
      streamSockets: [],
      routes: [],
    }
    this.agent = new PathAgent(BOB.publicKey, KEYS, context, () => false)
    this.agent.offer(paths.map((route) => candidate('host', route.remote)))
    this.hedge = new Hedge(this.flow, this.agent, {
      send: (_route, datagram) => this.sentAgain.push(datagram),
      alarmed: (kind) => this.alarms.push(kind),
      log: (_message, { alarm }) => {
        if (alarm !== undefined) this.hedges += 1
        if (alarm === 'stream') this.streamEnds += 1
      },
    })
    for (const route of paths) {
      this.forwarding.map(route.remote, this.flow, at(this.ms))
      this.agent.answered(route, at(this.ms - rttMs), false, at(this.ms))
    }
    this.settle()
  }

  /** Where everything goes as well. */
  get beside(): SocketAddress | undefined {
    return this.flow.beside?.remote
  }

  get checks(): number {
    return this.checked.length
  }

  settle(): void {
    const now = at(this.ms)
    this.flow.path = this.agent.current
    if (this.hedge.settle(this.isActive, now)) this.agent.wake(nowAt(this.ms))
    this.flow.path = this.agent.current
    this.flow.attentive = false
    const isHedging = this.beside !== undefined
    if (!isHedging) this.#hedgedAt = undefined
    else this.#hedgedAt ??= this.ms
    if (this.#hedgedAt !== undefined)
      this.longestHedgeMs = Math.max(this.longestHedgeMs, this.ms - this.#hedgedAt)
    this.#noteChecks()
  }

  /** WireGuard sends something that asks for an answer. */
  ask(): Uint8Array {
    const message = data(1, 100)
    if (this.forwarding.outbound(BOB.publicKey, message, at(this.ms)) !== undefined) return message
    this.flow.sent(message.length, at(this.ms))
    this.flow.lookout?.sent(message, at(this.ms))
    this.settle()
    return message
  }

  hear(route: Route): void {
    const now = at(this.ms)
    const { ip, port } = route.remote
    if (this.forwarding.inbound(ip, port, data(1, 100), now) !== undefined) return
    this.hedge.heard(route, now)
    this.flow.heard(100, ip, port, now)
    this.settle()
  }

  /** Questions that are answered in time, a second apart so that they are no stream. */
  converse(questions: number): void {
    for (let question = 0; question < questions; question++) {
      this.ask()
      this.pass(this.#rttMs)
      this.hear(NEAR)
      this.pass(200)
    }
  }

  pass(ms: number): void {
    const until = this.ms + ms
    for (;;) {
      if (this.isWokenEarly) this.settle()
      const due = [this.hedge.nextWake, this.agent.nextWake].flatMap((instant) =>
        instant === undefined ? [] : [Math.max(this.ms, elapsed(START, instant))],
      )
      const next = Math.min(...due, ...this.#answers.map((answer) => answer.at))
      if (next > until) break
      this.ms = next
      this.agent.wake(nowAt(this.ms))
      this.#noteChecks()
      const answer = this.#answers.findIndex((each) => each.at <= this.ms)
      const [taken] = answer < 0 ? [] : this.#answers.splice(answer, 1)
      if (taken !== undefined) {
        this.agent.answered(taken.route, taken.sentAt, false, at(this.ms))
        this.hedge.answered(taken.route, taken.sentAt, at(this.ms))
        this.flow.answered()
      }
      this.settle()
    }
    this.ms = until
  }

  #noteChecks(): void {
    for (const { remote: to, datagram } of this.#log.takeSent()) {
      assert.equal(isDropped(decodeStun(datagram)), false)
      const route = this.#paths.find((known) => known.remote.ip === to.ip)
      assert.ok(route !== undefined)
      this.checked.push(route)
      if (this.alive.has(route)) this.#answers.push({ at: this.ms + this.#rttMs, sentAt: at(this.ms), route })
    }
  }
}
