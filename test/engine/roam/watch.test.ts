import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../src/base/random.js'
import { elapsed, MINUTE, SECOND } from '../../../src/base/time.js'
import { type Flow, Forwarding } from '../../../src/engine/loopback/forwarding.js'
import { PathAgent } from '../../../src/engine/path/agent.js'
import { DEFAULT_PUNCH_LIMITS, PunchBudget } from '../../../src/engine/path/punchLimits.js'
import { Transactions } from '../../../src/engine/path/transactions.js'
import { PathWatch } from '../../../src/engine/roam/watch.js'
import { EffectLog } from '../effectLog.js'
import { pairKeysOf, testNode } from '../nodes.js'
import { candidate, HOME, remote } from '../path/machines.js'
import { at, nowAt, START } from '../virtualTime.js'
import { data } from '../wireguardMessages.js'

const BOB = testNode(2)
const KEYS = pairKeysOf(testNode(1), BOB)
const NEAR = remote(1)
const FAR = remote(2)
const SILENCE_MS = 750
const KEEPALIVE_MS = 20 * SECOND
const ACTIVE_MS = 120 * SECOND

let watched: Watched

beforeEach(() => {
  watched = new Watched()
})

describe('a path without traffic', () => {
  it('is not watched', () => {
    watched.prove()
    assert.equal(watched.watch.isActive(at(watched.ms)), false)
    assert.equal(watched.watch.nextWake, undefined)
    watched.watch.wake(at(watched.ms))
    assert.equal(watched.watch.nextWake, undefined)
  })

  it('is watched no more 120 s after the last message, of whichever side', () => {
    watched.prove()
    watched.question()
    watched.pass(50 * SECOND, 'answering')
    watched.hear()
    watched.pass(ACTIVE_MS - 1, 'answering')
    assert.equal(watched.watch.isActive(at(watched.ms)), true)
    watched.pass(1, 'answering')
    assert.equal(watched.watch.isActive(at(watched.ms)), false)
    assert.equal(watched.watch.nextWake, undefined)
  })
})

describe('without a path', () => {
  it('there is nothing to watch, to be stale or to be answered', () => {
    watched.question()
    assert.equal(watched.watch.isActive(at(watched.ms)), true)
    assert.equal(watched.watch.nextWake, undefined)
    assert.equal(watched.watch.isStale(at(watched.ms)), false)
    assert.equal(watched.watch.isAnswered(at(watched.ms)), false)
  })
})

describe('a path with traffic', () => {
  beforeEach(() => {
    watched.prove()
  })

  it('is asked 750 ms after a message that nobody answered, and not before', () => {
    watched.pass(100)
    watched.question()
    assert.deepEqual(watched.pass(SILENCE_MS - 1), [])
    assert.deepEqual(watched.pass(1), [100 + SILENCE_MS])
  })

  it('is not asked where all is answered, but for its mappings, every 20 s', () => {
    const asked: number[] = []
    for (let second = 0; second < 99; second++) {
      watched.question()
      asked.push(...watched.pass(100, 'answering'))
      watched.hear()
      asked.push(...watched.pass(900, 'answering'))
    }
    assert.deepEqual(
      asked,
      [1, 2, 3, 4].map((round) => round * KEEPALIVE_MS),
    )
  })

  it('is asked more often where the NAT needs it', () => {
    watched.keepaliveMs = 7 * SECOND
    const asked: number[] = []
    for (let second = 0; second < 30; second++) {
      watched.question()
      asked.push(...watched.pass(100, 'answering'))
      watched.hear()
      asked.push(...watched.pass(900, 'answering'))
    }
    assert.deepEqual(
      asked,
      [1, 2, 3, 4].map((round) => round * 7 * SECOND),
    )
  })

  it('is looked at once in 750 ms at most where all is answered at once', () => {
    let handled = 0
    for (let packet = 0; packet < 600; packet++) {
      if (watched.question()) handled += 1
      watched.pass(10, 'answering')
      watched.hear()
      watched.pass(90, 'answering')
    }
    // A look every 750 ms at most, and one message between two looks.
    assert.ok(handled <= 80, `${handled} of 600 messages were looked at`)
    assert.ok(watched.wakes <= 85, `${watched.wakes} wake-ups in a minute`)
  })

  it('is not asked by who only answers', () => {
    const asked: number[] = []
    watched.hear()
    watched.settle()
    for (let second = 0; second < 19; second++) {
      watched.hear()
      watched.pass(1)
      assert.equal(watched.question(), false, 'an answer is nothing to tell of')
      asked.push(...watched.pass(999))
    }
    assert.deepEqual(asked, [])
  })

  it('is not asked for a message before which a check was answered, but for the next one', () => {
    watched.question()
    watched.pass(500)
    watched.prove()
    watched.flow.answered()
    assert.deepEqual(watched.pass(2_000), [])
    watched.question()
    assert.deepEqual(watched.pass(SILENCE_MS), [2_500 + SILENCE_MS])
  })

  it('is answered for 750 ms after an answer to a check, and stale 25 s after it if nothing else came', () => {
    assert.equal(watched.watch.isAnswered(at(SILENCE_MS - 1)), true)
    assert.equal(watched.watch.isAnswered(at(SILENCE_MS)), false)
    assert.equal(watched.watch.isStale(at(25 * SECOND - 1)), false)
    assert.equal(watched.watch.isStale(at(25 * SECOND)), true)
    watched.pass(SECOND)
    watched.hear()
    assert.equal(watched.watch.isStale(at(26 * SECOND - 1)), false)
    assert.equal(watched.watch.isStale(at(26 * SECOND)), true)
    watched.pass(10 * SECOND)
    watched.hear(FAR.ip)
    assert.equal(watched.watch.isStale(at(26 * SECOND)), true)
  })
})

describe('the laws of an engine', () => {
  const events = fc.array(
    fc.record({
      gap: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 2_000 }), fc.nat({ max: 150_000 })),
      event: fc.constantFrom('question', 'keepalive', 'hear', 'hear elsewhere', 'check answered', 'settle'),
    }),
    { maxLength: 40 },
  )

  it('hold: whatever came before, a message without any answer has the path asked 750 ms later', () => {
    fc.assert(
      fc.property(events, (taken) => {
        const one = new Watched()
        one.prove()
        play(one, taken)
        one.pass(ACTIVE_MS + 1, 'answering')
        // The first of two may count as an answer to what was heard.
        one.question()
        one.question()
        const asked = one.pass(SILENCE_MS)
        assert.ok(asked.length > 0, 'it was not asked in time')
      }),
    )
  })

  it('hold: silence that begins in the midst of traffic is found no later', () => {
    fc.assert(
      fc.property(events, (taken) => {
        const one = new Watched()
        one.prove()
        play(one, taken)
        one.question()
        one.question()
        const asked = one.pass(SILENCE_MS)
        assert.ok(asked.length > 0, 'it was not asked in time')
      }),
    )
  })

  it('hold: it wants to be woken neither in the past nor without end', () => {
    fc.assert(
      fc.property(events, (taken) => {
        const one = new Watched()
        one.prove()
        play(one, taken)
        const before = one.wakes
        one.pass(10 * MINUTE, 'answering')
        assert.equal(one.watch.nextWake, undefined)
        // Two minutes of looks every 750 ms at most.
        assert.ok(one.wakes - before <= 170, `${one.wakes - before} wake-ups`)
      }),
    )
  })

  it('hold: waking it early changes nothing', () => {
    fc.assert(
      fc.property(events, (taken) => {
        const one = new Watched()
        const other = new Watched()
        other.isWokenEarly = true
        for (const each of [one, other]) each.prove()
        assert.deepEqual(play(other, taken), play(one, taken))
        assert.equal(other.watch.nextWake, one.watch.nextWake)
      }),
    )
  })
})

function play(one: Watched, events: readonly { readonly gap: number; readonly event: string }[]) {
  return events.flatMap(({ gap, event }) => {
    const asked = one.pass(gap, 'answering')
    switch (event) {
      case 'question':
        one.question()
        break
      case 'keepalive':
        one.question(32)
        break
      case 'hear':
        one.hear()
        break
      case 'hear elsewhere':
        one.hear(FAR.ip)
        break
      case 'check answered':
        one.prove()
        one.flow.answered()
        break
    }
    one.settle()
    return asked
  })
}

/** A watch with its flow and its agent, told what happens as a peer tells it. */
class Watched {
  ms = 0
  wakes = 0
  isWokenEarly = false
  keepaliveMs = KEEPALIVE_MS
  readonly flow: Flow
  readonly agent: PathAgent
  readonly watch: PathWatch
  readonly #forwarding = new Forwarding()
  readonly #log = new EffectLog()

  constructor() {
    this.flow = this.#forwarding.add(BOB.publicKey)
    const context = {
      emit: this.#log.emit,
      transactions: new Transactions<never>(seededRandom(1), 1_024),
      punching: new PunchBudget(DEFAULT_PUNCH_LIMITS, START),
      sockets: [HOME],
      punchingSockets: [],
      streamSockets: [],
      routes: [],
    }
    this.agent = new PathAgent(BOB.publicKey, KEYS, context, () => false)
    this.agent.offer([candidate('host', NEAR)])
    this.watch = new PathWatch(this.flow, this.agent, () => this.keepaliveMs)
  }

  /** A check over the path is answered now, at once. */
  prove(): void {
    this.agent.answered({ socket: HOME.id, remote: NEAR }, at(this.ms), false, at(this.ms))
    this.settle()
  }

  settle(): void {
    this.flow.path = this.agent.current
    this.watch.settle(at(this.ms))
    this.flow.attentive = !this.watch.isActive(at(this.ms))
  }

  /** WireGuard sends. True where the engine had to see it. */
  question(bytes = 100): boolean {
    if (this.#forwarding.outbound(BOB.publicKey, data(1, bytes), at(this.ms)) !== undefined) return false
    this.flow.sent(bytes, at(this.ms))
    this.settle()
    return true
  }

  hear(ip = NEAR.ip): void {
    this.flow.heard(100, ip, NEAR.port, at(this.ms))
  }

  /** Lets time pass; returns when the path was asked. */
  pass(ms: number, peer: 'answering' | 'silent' = 'silent'): readonly number[] {
    const until = this.ms + ms
    const asked: number[] = []
    for (;;) {
      if (this.isWokenEarly && this.watch.nextWake !== undefined && this.watch.nextWake > at(this.ms))
        this.#wake()
      const due = [this.watch.nextWake, this.agent.nextWake].flatMap((instant) =>
        instant === undefined ? [] : [elapsed(START, instant)],
      )
      const next = Math.min(...due)
      assert.ok(next >= this.ms, `woken for ${next} ms, at ${this.ms} ms`)
      if (next > until) break
      this.ms = next
      this.#wake()
      this.agent.wake(nowAt(this.ms))
      const sent = this.#log.takeSent()
      if (sent.length === 0) continue
      asked.push(this.ms)
      if (peer === 'silent') continue
      this.prove()
      this.flow.answered()
    }
    this.ms = until
    return asked
  }

  #wake(): void {
    if (this.watch.nextWake !== undefined && this.watch.nextWake <= at(this.ms)) this.wakes += 1
    this.watch.wake(at(this.ms))
    this.settle()
  }
}
