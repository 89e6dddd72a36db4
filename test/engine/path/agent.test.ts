import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../src/base/random.js'
import { after, asInstant, elapsed, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { LocalSocket, MachineRoute } from '../../../src/engine/inputs.js'
import { PathAgent, type PathContext } from '../../../src/engine/path/agent.js'
import type { Route } from '../../../src/engine/path/path.js'
import { DEFAULT_PUNCH_LIMITS, PunchBudget } from '../../../src/engine/path/punchLimits.js'
import { PUNCH_MS } from '../../../src/engine/path/series.js'
import { Transactions } from '../../../src/engine/path/transactions.js'
import type { Candidate } from '../../../src/wire/candidate.js'
import { verifyIntegrity } from '../../../src/wire/stun/integrity.js'
import { EffectLog, type Sent } from '../effectLog.js'
import { pairKeysOf, testNode } from '../nodes.js'
import { at, nowAt, START, sleepUntil, UNIX_START } from '../virtualTime.js'
import { candidate, DEVICE, HOME, HOME6, OFFICE, remote, route } from './machines.js'
import { readStun } from './stunMessages.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const KEYS = pairKeysOf(ALICE, BOB)
const PUNCH_TIMES = [0, 100, 250, 500, 1_000, 2_000, 4_000]
const MAX_PAIRS = 64

/** Where Bob is: {@link HOSTS} are candidates of his record, the last one is none. */
const NEAR = remote(1)
const FAR = remote(2)
const ELSEWHERE = remote(3)
const HOSTS = [candidate('host', NEAR), candidate('server-reflexive', FAR)]

let log: EffectLog
let context: PathContext
let agent: PathAgent
let holds: boolean

beforeEach(() => {
  log = new EffectLog()
  holds = false
  context = {
    emit: log.emit,
    transactions: new Transactions(seededRandom(1), 1_024),
    punching: new PunchBudget(DEFAULT_PUNCH_LIMITS, START),
    sockets: [HOME],
    punchingSockets: [],
    streamSockets: [],
    routes: [],
  }
  agent = new PathAgent(BOB.publicKey, KEYS, context, () => holds)
})

describe('punching', () => {
  it('checks a pair at 0, 100, 250, 500, 1000, 2000 and 4000 ms, and fails after 7 s', () => {
    agent.offer([candidate('host', NEAR)])
    agent.punch(START)
    assert.deepEqual(
      run(0, 3_600 * SECOND).map(([ms]) => ms),
      PUNCH_TIMES,
    )
    assert.equal(PUNCH_MS, 7_000)
    assert.equal(agent.isPunching, false)
    assert.equal(agent.current, undefined)
    assert.equal(agent.nextWake, undefined)
  })

  it('lasts until then', () => {
    agent.offer([candidate('host', NEAR)])
    assert.equal(agent.isPunching, false)
    agent.punch(START)
    run(0, PUNCH_MS - 1)
    assert.equal(agent.isPunching, true)
    assert.equal(agent.nextWake, at(PUNCH_MS))
  })

  it('checks the most promising first', () => {
    agent.offer([
      candidate('server-reflexive', remote(4)),
      candidate('mapped', remote(3)),
      candidate('host', remote(2)),
    ])
    agent.punch(START)
    assert.deepEqual(
      run(0, 0).map(([, sent]) => sent.remote),
      [remote(2), remote(3), remote(4)],
    )
  })

  it('does not try what the peer calls relayed: relays are known by their own answers', () => {
    agent.offer([candidate('relayed', remote(5))])
    agent.punch(START)
    assert.deepEqual(run(0, 100), [])
  })

  it('takes an address that is named twice for what it was named first', () => {
    agent.offer([candidate('mapped', FAR), candidate('server-reflexive', FAR)])
    agent.punch(START)
    assert.equal(run(0, 0).length, 1)
    prove(FAR, 20)
    assert.equal(agent.current?.type, 'mapped')
  })

  it('pairs every candidate with every socket that can reach it', () => {
    machine([HOME, OFFICE, HOME6])
    const far6 = { ip: '2001:db8:2::1', port: 1 }
    agent.offer([candidate('host', NEAR), candidate('host', far6), candidate('host', { ip: '::1', port: 1 })])
    agent.punch(START)
    assert.deepEqual(
      run(0, 0).map(([, { socket, remote }]) => [socket, remote]),
      [
        [HOME.id, NEAR],
        [OFFICE.id, NEAR],
        [HOME6.id, far6],
      ],
    )
  })

  it('begins anew, but not what has not begun yet', () => {
    agent.offer([candidate('host', NEAR)])
    agent.punch(START)
    agent.punch(at(50))
    assert.equal(agent.nextWake, START)
    run(0, 300)
    agent.punch(at(300))
    assert.deepEqual(
      run(300, 3_600 * SECOND).map(([ms]) => ms - 300),
      PUNCH_TIMES,
    )
  })

  it('only asks a path that is sound, which is suspect if it does not answer', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    agent.punch(START)
    assert.deepEqual(
      run(0, 3_600 * SECOND)
        .filter(([, { remote }]) => remote.ip === NEAR.ip)
        .map(([ms]) => ms),
      [0, 250, 500],
    )
    assert.equal(agent.isSound, false)
  })

  it('asks a path that is being asked no more often, and costs none of the budget for it', () => {
    agent.offer([candidate('host', NEAR)])
    prove(NEAR, 0)
    while (context.punching.take(START)) {}
    agent.probe(START)
    run(0, 0)
    agent.punch(at(100))
    assert.deepEqual(
      run(100, 3_600 * SECOND).map(([ms]) => ms),
      [250, 500],
    )
  })

  it('asks every path that is proved, not only the one in use', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    prove(FAR, 0)
    agent.punch(START)
    assert.deepEqual(remotesOf(run(0, 0)), [NEAR, FAR])
    prove(FAR, 20)
    run(20, PUNCH_MS)
    assert.deepEqual(agent.current?.remote, FAR)
    assert.equal(agent.isSound, true)
  })

  it('keeps to the budget that all peers share, and neglects no pair', () => {
    const candidates = Array.from({ length: MAX_PAIRS }, (_, index) => candidate('host', remote(index + 1)))
    agent.offer(candidates)
    agent.punch(START)
    const sent = run(0, 3_600 * SECOND)
    const times = sent.map(([ms]) => ms)
    for (const [count, ms] of times.entries())
      assert.ok(count + 1 <= 20 + ms / 10, `${count} checks in ${ms} ms`)
    assert.equal(sent.length, MAX_PAIRS * PUNCH_TIMES.length)
    for (const { address } of candidates)
      assert.equal(sent.filter(([, { remote }]) => remote.ip === address.ip).length, PUNCH_TIMES.length)
  })

  it('sends nothing for a peer of whom nothing is known', () => {
    agent.offer([])
    agent.punch(START)
    assert.equal(agent.nextWake, undefined)
  })
})

describe('a check', () => {
  it('is authenticated, and an open transaction about its route', () => {
    agent.offer([candidate('host', NEAR)])
    agent.punch(START)
    const [[, sent] = none()] = run(0, 0)
    const check = readStun(sent.datagram)
    assert.equal(verifyIntegrity(check, pairKeysOf(BOB, ALICE).incoming.hmac), true)
    assert.deepEqual(context.transactions.get(check.transactionId), {
      subject: { agent, route: { socket: HOME.id, remote: NEAR } },
      sentAt: START,
    })
  })

  it('says whether we hold a first message back', () => {
    agent.offer([candidate('host', NEAR)])
    agent.punch(START)
    const [[, without] = none()] = run(0, 0)
    holds = true
    const [[, holding] = none()] = run(1, 100)
    assert.equal(readStun(without.datagram).holdsFirstMessage ?? false, false)
    assert.equal(readStun(holding.datagram).holdsFirstMessage, true)
  })

  it('that is answered gives a path', () => {
    agent.offer(HOSTS)
    agent.punch(START)
    run(0, 0)
    agent.answered(over(FAR), START, false, at(30))
    assert.deepEqual(agent.current, {
      socket: HOME.id,
      remote: FAR,
      type: 'server-reflexive',
      proof: 'check',
      provedAt: at(30),
      rttMs: 30,
    })
    assert.equal(agent.isSound, true)
    assert.equal(agent.answeredAt, at(30))
    assert.deepEqual(agent.proved.remotes, [{ remote: FAR, answeredAt: at(30) }])
    assert.equal(agent.isPunching, true)
    assert.deepEqual([...new Set(remotesOf(run(30, 3_600 * SECOND)))], [NEAR])
  })

  it('says when the peer answered at its address, over each of our sockets', () => {
    machine([HOME, OFFICE])
    agent.offer(HOSTS)
    prove(NEAR, 0)
    agent.answered({ socket: OFFICE.id, remote: NEAR }, at(40), false, at(60))
    assert.deepEqual(
      agent.proved.remotes.map(({ remote, answeredAt }) => [remote, elapsed(START, answeredAt)]),
      [
        [NEAR, 0],
        [NEAR, 60],
      ],
    )
  })

  it('of a pair that is gone gives none', () => {
    agent.offer([])
    agent.answered(over(NEAR), START, false, at(30))
    assert.equal(agent.current, undefined)
  })

  it('tells the round trip, smoothed by an eighth', () => {
    agent.offer(HOSTS)
    prove(NEAR, 100, 80)
    prove(NEAR, 200, 160)
    assert.equal(agent.current?.rttMs, 90)
    assert.equal(agent.current?.provedAt, at(100))
    assert.equal(agent.answeredAt, at(200))
  })

  it('and its answer tell whether the peer holds a first message', () => {
    agent.offer(HOSTS)
    agent.checkReceived(over(NEAR), true, START)
    assert.equal(agent.peerHolds, true)
    agent.answered(over(NEAR), START, false, at(1))
    assert.equal(agent.peerHolds, false)
  })
})

describe('an authenticated check from the peer', () => {
  it('is answered with a check of ours at once, where that one waits', () => {
    agent.offer([candidate('host', NEAR)])
    agent.punch(START)
    run(0, 1_500)
    agent.checkReceived(over(NEAR), false, at(1_500))
    assert.deepEqual(
      run(1_500, 3_600 * SECOND).map(([ms]) => ms),
      [1_500, 3_500],
    )
  })

  it('begins a series where there is none, and where the last check of one was sent', () => {
    agent.offer([candidate('host', NEAR)])
    agent.checkReceived(over(NEAR), false, START)
    assert.deepEqual(
      run(0, 5_000).map(([ms]) => ms),
      PUNCH_TIMES,
    )
    agent.checkReceived(over(NEAR), false, at(5_000))
    assert.deepEqual(
      run(5_000, 3_600 * SECOND).map(([ms]) => ms - 5_000),
      PUNCH_TIMES,
    )
  })

  it('from elsewhere makes that a peer-reflexive candidate', () => {
    agent.offer(HOSTS)
    agent.checkReceived(over(ELSEWHERE), false, START)
    assert.deepEqual(remotesOf(run(0, 0)), [ELSEWHERE])
    prove(ELSEWHERE, 20)
    assert.equal(agent.current?.type, 'peer-reflexive')
    assert.deepEqual(agent.current?.remote, ELSEWHERE)
  })

  it('has a path that is being asked asked again at once: there is an answer to be had now', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    agent.probe(START)
    run(0, 0)
    agent.checkReceived(over(NEAR), false, at(100))
    assert.deepEqual(
      run(100, 3_600 * SECOND).map(([ms]) => ms),
      [100, 350],
    )
    assert.equal(agent.isSound, false)
  })

  it('brings our next one forward, but to no less than 50 ms after the last', () => {
    agent.offer([candidate('host', NEAR)])
    agent.punch(START)
    run(0, 0)
    agent.checkReceived(over(NEAR), false, at(49))
    assert.equal(agent.nextWake, at(100))
    agent.checkReceived(over(NEAR), false, at(50))
    assert.deepEqual(
      run(50, 250).map(([ms]) => ms),
      [50, 200],
    )
  })

  it('brings none forward to which the answer may be on its way, where the path is sound', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0, 60)
    agent.probe(START)
    run(0, 0)
    agent.checkReceived(over(NEAR), false, at(119))
    assert.equal(agent.nextWake, at(250))
    agent.checkReceived(over(NEAR), false, at(120))
    assert.deepEqual(
      run(120, 120).map(([ms]) => ms),
      [120],
    )
  })

  it('from an address that only checks name begins eight series at once, and one where a path is sound', () => {
    for (let host = 10; host < 30; host++) agent.checkReceived(over(remote(host)), false, START)
    assert.equal(agent.triable, 8)
    agent.giveUp()
    agent.offer(HOSTS)
    prove(NEAR, 0)
    for (let host = 10; host < 30; host++) agent.checkReceived(over(remote(host)), false, START)
    assert.equal(agent.triable, HOSTS.length + 1)
  })

  it('from such an address, where a path is sound, is followed ever more rarely, until there is a new effort', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    const followed: number[] = []
    let host = 10
    for (let ms = 0; ms < 60 * SECOND; ms += 100) {
      agent.checkReceived(over(remote(host)), false, at(ms))
      if (remotesOf(run(ms, ms + 99)).some(({ ip }) => ip === remote(host).ip)) {
        followed.push(ms)
        host += 1
      }
    }
    const gaps = followed.slice(1).map((ms, index) => ms - (followed[index] ?? 0))
    assert.deepEqual(gaps, [8_000, 9_000, 11_000, 15_000])
    agent.punch(at(60 * SECOND))
    run(60 * SECOND, 60 * SECOND + PUNCH_MS)
    prove(NEAR, 60 * SECOND + PUNCH_MS)
    agent.checkReceived(over(remote(99)), false, at(60 * SECOND + PUNCH_MS))
    assert.notEqual(agent.nextWake, undefined)
  })

  it('does not put off the suspicion of a path that answers none of ours', () => {
    const checks = fc.array(fc.nat({ max: 750 }), { maxLength: 40 })
    fc.assert(
      fc.property(checks, (times) => {
        const asked = new PathAgent(BOB.publicKey, KEYS, context, () => false)
        asked.offer(HOSTS)
        asked.answered(over(NEAR), at(-20), false, START)
        asked.probe(START)
        let now = 0
        const pass = (until: number) => {
          sleepUntil(asked, now, until, (ms) => asked.wake(nowAt(ms)))
          now = until
        }
        for (const ms of [...times].sort((a, b) => a - b)) {
          pass(ms)
          if (!asked.isSound) return
          asked.checkReceived(over(NEAR), false, at(ms))
        }
        pass(750)
        assert.equal(asked.isSound, false)
      }),
    )
  })

  it('starts nothing on a sound path', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    agent.checkReceived(over(NEAR), false, at(1))
    assert.equal(agent.nextWake, undefined)
  })

  it('starts nothing towards an address that must not be used', () => {
    context.routes = [route('203.0.114.0/24', true)]
    const unusable = [
      { socket: HOME.id, remote: { ip: '127.0.0.1', port: 1 } },
      { socket: HOME.id, remote: { ip: '203.0.114.1', port: 1 } },
      { socket: HOME.id, remote: { ip: '2001:db8::1', port: 1 } },
      { socket: 99, remote: NEAR },
    ]
    for (const from of unusable) agent.checkReceived(from, false, START)
    assert.equal(agent.triable, 0)
    assert.equal(agent.nextWake, undefined)
  })
})

describe('pairs', () => {
  it('are 64 at most, and of those that are offered the first are kept', () => {
    const sockets = Array.from(
      { length: 8 },
      (_, index): LocalSocket => ({
        id: index + 1,
        address: { ip: `10.0.${index}.2`, port: 1 },
        device: DEVICE,
        purpose: 'shared',
      }),
    )
    machine(sockets)
    agent.offer(Array.from({ length: 16 }, (_, index) => candidate('server-reflexive', remote(index + 1))))
    assert.equal(agent.triable, MAX_PAIRS)
    agent.punch(START)
    const [[, firstSent] = none()] = run(0, 0)
    assert.deepEqual(firstSent.remote, remote(1))
  })

  it('are 64 at most, from however many addresses checks come in', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    for (let host = 10; host < 500; host++) {
      agent.checkReceived(over(remote(host)), false, START)
      assert.ok(agent.triable <= MAX_PAIRS)
    }
    assert.deepEqual(agent.current?.remote, NEAR)
  })

  it('make room: a peer that moved any number of times is still found', () => {
    let ms = 0
    for (let host = 1; host <= 100; host++) {
      agent.checkReceived(over(remote(host)), false, at(ms))
      run(ms, ms + 20)
      prove(remote(host), ms + 20)
      assert.deepEqual(agent.current?.remote, remote(host), `at its address number ${host}`)
      agent.probe(at(ms + 1_000))
      run(ms + 20, ms + 2_000)
      assert.equal(agent.isSound, false)
      agent.punch(at(ms + 2_000))
      run(ms + 2_000, ms + 10_000)
      ms += 10_000
    }
    assert.ok(agent.proved.remotes.length < 10)
    assert.ok(agent.triable < 10)
  })

  it('that are offered no more are forgotten, unless they are proved: the peer says that it is not there', () => {
    agent.offer([...HOSTS, candidate('host', ELSEWHERE)])
    prove(NEAR, 0)
    agent.checkReceived(over(FAR), false, START)
    agent.offer([])
    assert.equal(agent.triable, 1)
    assert.deepEqual(agent.current?.remote, NEAR)
  })

  it('take the type that the peer gives them', () => {
    agent.checkReceived(over(NEAR), false, START)
    prove(NEAR, 10)
    assert.equal(agent.current?.type, 'peer-reflexive')
    agent.offer(HOSTS)
    assert.equal(agent.current?.type, 'host')
    assert.equal(agent.triable, 2)
  })
})

describe('a path in use', () => {
  beforeEach(() => {
    agent.offer(HOSTS)
    prove(NEAR, 0, 20)
  })

  it('is asked at 0, 250 and 500 ms, and suspect at 750', () => {
    agent.probe(START)
    assert.deepEqual(
      run(0, 749).map(([ms]) => ms),
      [0, 250, 500],
    )
    assert.equal(agent.isSound, true)
    assert.equal(agent.wake(nowAt(750)), true)
    assert.equal(agent.isSound, false)
    assert.equal(agent.wake(nowAt(750)), false)
    assert.deepEqual(agent.current?.remote, NEAR)
    assert.equal(agent.nextWake, undefined)
  })

  it('that is far away is given two round trips for each answer', () => {
    prove(FAR, 0, 400)
    agent.suspect()
    assert.deepEqual(agent.current?.remote, FAR)
    agent.probe(START)
    assert.deepEqual(
      run(0, 3_600 * SECOND).map(([ms]) => ms),
      [0, 800, 1_600],
    )
  })

  it('that answers any of three probes is believed', () => {
    agent.probe(START)
    run(0, 700)
    agent.answered(over(NEAR), at(500), false, at(720))
    assert.deepEqual(run(720, 3_600 * SECOND), [])
    assert.equal(agent.isSound, true)
  })

  it('is asked once at a time', () => {
    agent.probe(START)
    run(0, 300)
    agent.probe(at(300))
    assert.deepEqual(
      run(300, 3_600 * SECOND).map(([ms]) => ms),
      [500],
    )
  })

  it('is asked in a hurry at 0, 50 and 100 ms, and suspect at 200', () => {
    agent.probeQuickly(START)
    agent.probeQuickly(at(10))
    assert.deepEqual(
      run(0, 199).map(([ms]) => ms),
      [0, 50, 100],
    )
    assert.equal(agent.isSound, true)
    assert.equal(agent.wake(nowAt(200)), true)
    assert.equal(agent.isSound, false)
  })

  it('that is far away is given two round trips also where it is asked in a hurry', () => {
    prove(FAR, 0, 400)
    agent.suspect()
    agent.probeQuickly(START)
    run(0, 899)
    agent.answered(over(FAR), START, false, at(400))
    assert.equal(agent.isSound, true)
    assert.equal(agent.nextWake, undefined)
  })

  it('that is being asked is asked in a hurry instead, once, and one that is punched is not', () => {
    agent.probe(START)
    run(0, 300)
    agent.probeQuickly(at(300))
    assert.deepEqual(
      run(300, 3_600 * SECOND).map(([ms]) => ms),
      [300, 350, 400],
    )
    agent.punch(at(1_000))
    run(1_000, 1_000)
    agent.probeQuickly(at(1_001))
    assert.deepEqual(
      run(1_001, 1_099).map(([ms]) => ms),
      [],
    )
  })

  it('is not asked in a hurry where a handshake proved it, nor where there is none', () => {
    agent.giveUp()
    machine([])
    agent.probeQuickly(START)
    machine([HOME])
    agent.provedByHandshake(over(ELSEWHERE), START)
    agent.probeQuickly(START)
    assert.equal(agent.nextWake, undefined)
  })

  it('and any other that is proved can be asked by name, once at a time; what is not proved cannot', () => {
    prove(FAR, 0, 20)
    assert.deepEqual(agent.current?.remote, NEAR)
    agent.ask(over(FAR), START)
    run(0, 0)
    agent.ask(over(FAR), at(100))
    agent.ask(over(ELSEWHERE), at(100))
    assert.deepEqual(
      run(100, 3_600 * SECOND).map(([ms, sent]) => [ms, sent.remote]),
      [
        [250, FAR],
        [500, FAR],
      ],
    )
    assert.equal(agent.isSound, true)
  })

  it('stays in use, suspect, until a better one is proved', () => {
    agent.suspect()
    assert.deepEqual(agent.current?.remote, NEAR)
    assert.equal(agent.isSound, false)
    prove(FAR, 10, 500)
    assert.deepEqual(agent.current?.remote, FAR)
    assert.equal(agent.isSound, true)
  })

  it('that is suspect is punched, and believed again when it answers', () => {
    agent.suspect()
    agent.punch(START)
    assert.deepEqual(remotesOf(run(0, 0)), [NEAR, FAR])
    prove(NEAR, 30)
    assert.equal(agent.isSound, true)
  })

  it('stays in use where it fails a punch as well, but one out of use does not stay proved', () => {
    agent.suspect()
    agent.punch(START)
    run(0, PUNCH_MS)
    assert.deepEqual(agent.current?.remote, NEAR)
    assert.equal(agent.isSound, false)
    prove(FAR, PUNCH_MS + 1)
    assert.deepEqual(agent.proved.remotes, [
      { remote: NEAR, answeredAt: at(0) },
      { remote: FAR, answeredAt: at(PUNCH_MS + 1) },
    ])
    agent.punch(at(PUNCH_MS + 1))
    run(PUNCH_MS + 1, PUNCH_MS + 1)
    prove(FAR, PUNCH_MS + 21)
    run(PUNCH_MS + 21, 2 * PUNCH_MS + 1)
    assert.deepEqual(agent.proved.remotes, [{ remote: FAR, answeredAt: at(PUNCH_MS + 21) }])
    assert.equal(agent.isSound, true)
  })

  it('is suspect once the peer says that it is elsewhere, unless it never said where it is', () => {
    agent.offer(HOSTS)
    agent.suspectWithdrawn()
    assert.equal(agent.isSound, true)
    agent.offer([candidate('host', ELSEWHERE)])
    agent.suspectWithdrawn()
    assert.equal(agent.isSound, false)
    assert.deepEqual(agent.current?.remote, NEAR)
    agent.checkReceived(over(remote(4)), false, START)
    prove(remote(4), 10)
    agent.suspectWithdrawn()
    assert.deepEqual(agent.current?.remote, remote(4))
    assert.equal(agent.isSound, true)
  })

  it('is given up in the end', () => {
    agent.suspect()
    agent.punch(START)
    agent.giveUp()
    assert.equal(agent.current, undefined)
    assert.equal(agent.answeredAt, undefined)
    assert.deepEqual(agent.proved.remotes, [])
    assert.equal(agent.nextWake, undefined)
  })

  it('that is sound is not given up', () => {
    agent.giveUp()
    assert.deepEqual(agent.current?.remote, NEAR)
  })

  it('is not left for one that is not better in a way that matters', () => {
    prove(FAR, 10, 19)
    assert.deepEqual(agent.current?.remote, NEAR)
    prove(FAR, 20, 0)
    assert.deepEqual(agent.current?.remote, NEAR)
    for (let ms = 30; ms < 40; ms++) prove(FAR, ms, 0)
    assert.deepEqual(agent.current?.remote, FAR)
  })

  it('is not left for one that was nearer once, and has not answered since', () => {
    prove(FAR, 0, 20)
    agent.probe(at(20 * SECOND))
    agent.ask(over(FAR), at(20 * SECOND))
    run(20 * SECOND, 20 * SECOND)
    // Its round trips grow, and the other one is silent: it may be dead.
    prove(NEAR, 20 * SECOND + 500, 500)
    assert.deepEqual(agent.current?.remote, NEAR)
    prove(FAR, 20 * SECOND + 510, 20)
    assert.deepEqual(agent.current?.remote, FAR)
  })

  it('is left, when it goes silent, for one that answers rather than for one that was nearer once', () => {
    agent.offer([...HOSTS, candidate('host', ELSEWHERE)])
    prove(FAR, 0, 20)
    prove(ELSEWHERE, 0, 60)
    prove(ELSEWHERE, 20 * SECOND, 60)
    agent.suspect()
    assert.deepEqual(agent.current?.remote, ELSEWHERE)
  })
})

describe("WireGuard's own handshake", () => {
  it('proves a path, of any remote that may be used', () => {
    agent.provedByHandshake(over(ELSEWHERE), at(5))
    assert.deepEqual(agent.current, {
      socket: HOME.id,
      remote: ELSEWHERE,
      type: 'peer-reflexive',
      proof: 'handshake',
      provedAt: at(5),
      rttMs: undefined,
    })
    assert.equal(agent.isSound, true)
    agent.provedByHandshake({ socket: HOME.id, remote: { ip: '127.0.0.1', port: 1 } }, at(6))
    assert.deepEqual(agent.proved.remotes, [{ remote: ELSEWHERE, answeredAt: at(5) }])
  })

  it('does not displace a path that checks proved, nor take its proof', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    agent.provedByHandshake(over(NEAR), at(5))
    assert.equal(agent.current?.proof, 'check')
    agent.provedByHandshake(over(FAR), at(6))
    assert.deepEqual(agent.current?.remote, NEAR)
    agent.suspect()
    assert.deepEqual(agent.current?.remote, FAR)
  })

  it('proves a path that is not asked: its peer may not run Tunnelbore', () => {
    agent.provedByHandshake(over(ELSEWHERE), START)
    agent.probe(START)
    agent.punch(START)
    assert.equal(agent.nextWake, undefined)
  })

  it('is not doubted because no check is answered, in use or not', () => {
    agent.offer(HOSTS)
    agent.punch(START)
    run(0, 100)
    agent.provedByHandshake(over(NEAR), at(100))
    let suspected = false
    sleepUntil(agent, 100, 3_600 * SECOND, (ms) => {
      suspected ||= agent.wake(nowAt(ms))
    })
    assert.equal(suspected, false)
    assert.equal(agent.isSound, true)
    assert.equal(agent.current?.proof, 'handshake')

    agent.suspect()
    agent.provedByHandshake(over(ELSEWHERE), at(8_000))
    agent.punch(at(8_000))
    run(8_000, 3_600 * SECOND)
    assert.deepEqual(
      agent.proved.remotes.map(({ remote }) => remote),
      [NEAR, ELSEWHERE],
    )
  })
})

describe('a peer without Tunnelbore that roams', () => {
  it('is where it was last, and never fills the pairs: of its former paths the latest four are kept', () => {
    for (let host = 1; host <= 200; host++) {
      agent.provedByHandshake(over(remote(host)), at(host * SECOND))
      const latest = Array.from({ length: 5 }, (_, index) => host - index).filter((number) => number > 0)
      assert.deepEqual(
        agent.proved.remotes.map(({ remote }) => remote),
        latest.reverse().map((number) => remote(number)),
      )
      assert.equal(agent.triable, agent.proved.remotes.length)
      assert.deepEqual(agent.current?.remote, remote(host))
      assert.equal(agent.isSound, true)
    }
  })

  it('may come back to where it was', () => {
    for (let host = 1; host <= 5; host++) agent.provedByHandshake(over(remote(host)), at(host))
    agent.provedByHandshake(over(remote(2)), at(10))
    assert.deepEqual(agent.current?.remote, remote(2))
    for (let host = 6; host <= 8; host++) agent.provedByHandshake(over(remote(host)), at(10 + host))
    assert.deepEqual(agent.current?.remote, remote(8))
    assert.deepEqual(
      agent.proved.remotes.map(({ remote }) => remote),
      [remote(2), remote(5), remote(6), remote(7), remote(8)],
    )
  })

  it('loses no path that checks proved', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    prove(FAR, 0)
    for (let host = 10; host <= 50; host++) agent.provedByHandshake(over(remote(host)), at(host))
    const proved = agent.proved.remotes.map(({ remote }) => remote)
    assert.deepEqual(proved.slice(0, 2), [NEAR, FAR])
    assert.equal(proved.length, 6)
  })
})

describe('when the machine changes', () => {
  it('paths of sockets that are closed are gone', () => {
    machine([HOME, OFFICE])
    agent.offer([candidate('host', NEAR)])
    agent.answered({ socket: OFFICE.id, remote: NEAR }, START, false, at(20))
    assert.equal(agent.current?.socket, OFFICE.id)
    machine([HOME])
    assert.equal(agent.current, undefined)
    assert.equal(agent.triable, 1)
  })

  it('the next best path takes over', () => {
    machine([HOME, OFFICE])
    agent.offer([candidate('host', NEAR)])
    agent.answered({ socket: OFFICE.id, remote: NEAR }, START, false, at(20))
    agent.answered({ socket: HOME.id, remote: NEAR }, START, false, at(30))
    assert.equal(agent.current?.socket, OFFICE.id)
    machine([HOME])
    assert.equal(agent.current?.socket, HOME.id)
  })

  it('what is known of the peer is paired with new sockets', () => {
    machine([])
    agent.offer(HOSTS)
    assert.equal(agent.triable, 0)
    machine([HOME, OFFICE])
    assert.equal(agent.triable, 4)
  })

  it('no path stays in use that would enter the tunnel now', () => {
    agent.offer(HOSTS)
    prove(NEAR, 0)
    machine([HOME], [route('203.0.113.0/24', true)])
    assert.equal(agent.current, undefined)
    assert.equal(agent.triable, 0)
  })
})

describe('the laws of an engine', () => {
  const anyRemote = fc.constantFrom(NEAR, FAR, ELSEWHERE, remote(4))
  const offers = fc.subarray<Candidate>([
    ...HOSTS,
    candidate('mapped', remote(4)),
    candidate('host', { ip: '2001:db8:2::1', port: 1 }),
  ])
  const anySockets = fc.subarray<LocalSocket>([HOME, OFFICE, HOME6])
  const steps: fc.Arbitrary<readonly Step[]> = fc.array(
    fc.tuple(
      fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 4_000 })),
      fc.oneof(
        offers.map((candidates) => (it: Scene) => it.agent.offer(candidates)),
        fc
          .subarray([over(remote(4)), over(remote(6))])
          .map((routes) => (it: Scene, ms: number) => it.agent.offerRelayed(routes, it.at(ms))),
        fc.constant((it: Scene, ms: number) => it.agent.punch(it.at(ms))),
        fc.constant((it: Scene, ms: number) => it.agent.probe(it.at(ms))),
        fc.constant((it: Scene, ms: number) => it.agent.probeQuickly(it.at(ms))),
        anyRemote.map((to) => (it: Scene, ms: number) => it.agent.ask(over(to), it.at(ms))),
        fc.constant((it: Scene) => it.agent.suspect()),
        fc.constant((it: Scene) => it.agent.giveUp()),
        anyRemote.map((from) => (it: Scene, ms: number) => {
          it.agent.checkReceived(over(from), ms % 2 === 0, it.at(ms))
        }),
        fc.tuple(anyRemote, fc.nat({ max: 300 })).map(([to, rtt]) => (it: Scene, ms: number) => {
          it.agent.answered(over(to), it.at(ms - rtt), false, it.at(ms))
        }),
        anyRemote.map((from) => (it: Scene, ms: number) => it.agent.provedByHandshake(over(from), it.at(ms))),
        anySockets.map((sockets) => (it: Scene) => {
          it.context.sockets = sockets
          it.agent.machineChanged()
        }),
      ),
    ),
    { maxLength: 20 },
  )

  it('hold: without input it settles, and it is never to be woken in the past', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const scene = play(taken, 0, [])
        assert.equal(scene.agent.nextWake, undefined)
        assert.equal(scene.agent.isPunching, false)
      }),
    )
  })

  it('hold: waking it early changes nothing', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat({ max: 20_000 }), { maxLength: 30 }), (taken, early) => {
        assert.deepEqual(play(taken, 0, early).effects, play(taken, 0, []).effects)
      }),
    )
  })

  it('hold: times mean nothing in themselves', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: -900_000, max: 900_000 }), (taken, shift) => {
        assert.deepEqual(play(taken, shift, []).effects, play(taken, 0, []).effects)
      }),
    )
  })

  it('hold: the path in use is one that was proved, over a socket that is open', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { agent, context } = play(taken, 0, [])
        const path = agent.current
        if (path === undefined) return
        assert.ok(context.sockets.some(({ id }) => id === path.socket))
        assert.ok(agent.proved.remotes.some(({ remote }) => remote.ip === path.remote.ip))
      }),
    )
  })
})

/** What happens so many milliseconds after what was before. */
type Step = readonly [gap: number, happen: (scene: Scene, ms: number) => void]

interface Scene {
  readonly agent: PathAgent
  readonly context: PathContext
  readonly effects: readonly (readonly [ms: number, Effect])[]
  at(ms: number): ReturnType<typeof at>
}

/** Plays a story `shift` milliseconds later than {@link START}, and on until nothing more happens. */
function play(steps: readonly Step[], shift: number, early: readonly number[]): Scene {
  const start = after(START, shift)
  const effects: (readonly [ms: number, Effect])[] = []
  let now = 0
  const shared: PathContext = {
    emit: (effect) => effects.push([now, effect]),
    transactions: new Transactions(seededRandom(1), 1_024),
    punching: new PunchBudget(DEFAULT_PUNCH_LIMITS, start),
    sockets: [HOME],
    punchingSockets: [],
    streamSockets: [],
    routes: [],
  }
  const played = new PathAgent(BOB.publicKey, KEYS, shared, () => false)
  const scene = { agent: played, context: shared, effects, at: (ms: number) => after(start, ms) }
  const wake = (ms: number) => {
    now = ms
    played.wake({ instant: scene.at(ms), unix: after(UNIX_START, ms) })
  }
  const needless = [...early].sort((a, b) => a - b)
  const pass = (until: number) => {
    const sleeper = {
      get nextWake() {
        const next = played.nextWake
        const wanted = next === undefined ? Number.POSITIVE_INFINITY : elapsed(start, next)
        while ((needless[0] ?? Number.POSITIVE_INFINITY) < Math.min(wanted, until))
          wake(needless.shift() ?? 0)
        return next === undefined ? undefined : asInstant(next - shift)
      },
    }
    sleepUntil(sleeper, now, until, wake)
    now = Math.max(now, until)
  }
  for (const [gap, happen] of steps) {
    pass(now + gap)
    happen(scene, now)
  }
  pass(now + 3_600 * SECOND)
  return scene
}

/** Wakes the agent whenever it wants, and returns what it sent. */
function run(fromMs: number, untilMs: number): readonly (readonly [ms: number, Sent])[] {
  const sent: (readonly [number, Sent])[] = []
  sleepUntil(agent, fromMs, untilMs, (ms) => {
    agent.wake(nowAt(ms))
    sent.push(...log.takeSent().map((effect) => [ms, effect] as const))
  })
  return sent
}

function remotesOf(sent: readonly (readonly [number, Sent])[]): readonly Sent['remote'][] {
  return sent.map(([, { remote }]) => remote)
}

function over(address: Route['remote']): Route {
  return { socket: HOME.id, remote: address }
}

/** A check over {@link HOME} is answered. */
function prove(address: Route['remote'], ms: number, rttMs = 20): void {
  agent.answered(over(address), at(ms - rttMs), false, at(ms))
}

function machine(sockets: readonly LocalSocket[], routes: readonly MachineRoute[] = []): void {
  context.sockets = sockets
  context.routes = routes
  agent.machineChanged()
}

function none(): never {
  throw new TypeError('nothing was sent')
}
