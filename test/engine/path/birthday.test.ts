import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { seededRandom } from '../../../src/base/random.js'
import { elapsed, HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import type { LocalSocket } from '../../../src/engine/inputs.js'
import { PathAgent, type PathContext } from '../../../src/engine/path/agent.js'
import { Birthday } from '../../../src/engine/path/birthday.js'
import type { BirthdayPlan } from '../../../src/engine/path/birthdayPlan.js'
import { Birthdays } from '../../../src/engine/path/birthdays.js'
import { DEFAULT_PUNCH_LIMITS, PunchBudget } from '../../../src/engine/path/punchLimits.js'
import { Transactions } from '../../../src/engine/path/transactions.js'
import { EffectLog } from '../effectLog.js'
import { pairKeysOf, testNode } from '../nodes.js'
import { at, nowAt, START } from '../virtualTime.js'
import { candidate, DEVICE, HOME, remote } from './machines.js'

const ALICE = testNode(1)
const RELAY = { socket: HOME.id, remote: remote(9) }
/** It ends after this, if it leads to nothing. */
const EFFORT_MS = 40 * SECOND
const GRACE_MS = 2 * SECOND

/** One or more peers of a node, the sockets that it has opened, and the time. */
class Scene {
  readonly log = new EffectLog()
  readonly paths: PathContext = {
    emit: this.log.emit,
    transactions: new Transactions(seededRandom(1), 2_048),
    punching: new PunchBudget(DEFAULT_PUNCH_LIMITS, START),
    sockets: [HOME],
    punchingSockets: [],
    streamSockets: [],
    routes: [],
  }
  readonly birthdays: Birthdays
  readonly peers: TestPeer[] = []
  readonly sent: {
    readonly ms: number
    readonly socket: number
    readonly port: number
    readonly ip: string
  }[] = []
  ms = 0
  /** How many sockets the system opens at most. */
  most = 1_024
  #lastSocket = 100
  #open: LocalSocket[] = []

  constructor(seed = 1) {
    this.birthdays = new Birthdays(DEFAULT_PUNCH_LIMITS, this.paths, seededRandom(seed))
  }

  /** The ids of those that the system has open. */
  get open(): readonly number[] {
    return this.#open.map(({ id }) => id)
  }

  pass(ms: number): void {
    const until = this.ms + ms
    for (;;) {
      this.#perform()
      const wakes = [this.birthdays.nextWake, ...this.peers.map(({ birthday }) => birthday.nextWake)]
      const next = Math.min(...wakes.flatMap((wake) => (wake === undefined ? [] : [elapsed(START, wake)])))
      if (next > until) break
      assert.ok(next >= this.ms, 'woken in the past')
      this.ms = next
      for (const { birthday } of this.peers) birthday.settle(nowAt(this.ms))
      this.birthdays.wake(nowAt(this.ms))
    }
    this.ms = until
  }

  settle(): void {
    for (const { birthday } of this.peers) birthday.settle(nowAt(this.ms))
    this.#perform()
  }

  #perform(): void {
    for (const effect of this.log.take()) {
      if (effect.type === 'send') {
        const { ip, port } = effect.remote
        assert.ok(effect.socket === HOME.id || this.open.includes(effect.socket), 'sent over a closed socket')
        this.sent.push({ ms: this.ms, socket: effect.socket, ip, port })
      } else if (effect.type === 'close-socket') {
        assert.ok(this.open.includes(effect.id), 'closed what is not open')
        this.#open = this.#open.filter(({ id }) => id !== effect.id)
      } else if (effect.type === 'open-sockets') {
        for (let opened = 0; opened < effect.count && this.#open.length < this.most; opened++) {
          const id = ++this.#lastSocket
          this.#open.push({ id, address: { ip: effect.ip, port: id }, device: DEVICE, purpose: 'punching' })
        }
        this.birthdays.socketsChanged(this.#open, at(this.ms))
      }
    }
  }
}

class TestPeer {
  readonly agent: PathAgent
  readonly birthday: Birthday
  plan: BirthdayPlan | undefined
  isActive = true
  knocks = 0
  readonly #scene: Scene

  constructor(scene: Scene, number: number, role: 'hard' | 'easy') {
    this.#scene = scene
    const peer = testNode(number)
    const ip = remote(number).ip
    const between = { own: '198.51.100.1', peer: ip }
    this.plan =
      role === 'hard'
        ? { role, between, isMapped: false, isProved: true, ip: HOME.address.ip, target: remote(number) }
        : { role, between, isMapped: false, isProved: true, socket: HOME.id, ip, seen: [] }
    this.agent = new PathAgent(peer.publicKey, pairKeysOf(ALICE, peer), scene.paths, () => false)
    this.birthday = new Birthday({
      birthdays: scene.birthdays,
      agent: this.agent,
      plan: () => this.plan,
      isActive: () => this.isActive,
      knock: () => {
        this.knocks += 1
      },
    })
    scene.peers.push(this)
  }

  /** Its record says that it is there. */
  claim(ip: string): void {
    const between = { own: '198.51.100.1', peer: ip }
    this.plan = { role: 'easy', between, isMapped: false, isProved: true, socket: HOME.id, ip, seen: [] }
  }

  /** Nobody else says that it is there. */
  unprove(): void {
    this.plan = this.plan && { ...this.plan, isProved: false }
  }

  /** The peer and we are in touch. */
  touch(): void {
    this.birthday.touched(at(this.#scene.ms))
    this.#scene.settle()
  }

  /** A relay passes our packets on. */
  relay(): void {
    this.agent.offerRelayed([RELAY], at(this.#scene.ms))
    this.agent.answered(RELAY, at(this.#scene.ms), false, at(this.#scene.ms))
    this.#scene.settle()
  }

  /** A check over this route is answered. */
  answer(socket: number, port: number): void {
    const route = { socket, remote: { ip: this.plan?.between.peer ?? '', port } }
    const { ms } = this.#scene
    this.agent.answered(route, at(ms), false, at(ms), this.birthday.expects(route))
    this.#scene.settle()
  }
}

let scene: Scene

beforeEach(() => {
  scene = new Scene()
})

describe('birthday punching', () => {
  it('begins two seconds after the two were in touch, where both NATs call for it', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    scene.pass(MINUTE)
    assert.deepEqual(scene.sent, [])
    ben.touch()
    scene.pass(GRACE_MS - 1)
    assert.deepEqual(scene.sent, [])
    scene.pass(1)
    assert.equal(ben.birthday.isUnderWay, true)
    assert.ok(scene.sent.length > 0)
  })

  it('does not begin where there is a direct path by then, or the NATs are not known in time', () => {
    const [ben, cem] = [new TestPeer(scene, 2, 'easy'), new TestPeer(scene, 3, 'easy')]
    cem.plan = undefined
    ben.touch()
    cem.touch()
    scene.pass(SECOND)
    ben.agent.offer([candidate('host', remote(2))])
    ben.answer(HOME.id, remote(2).port)
    scene.pass(MINUTE)
    assert.deepEqual(scene.sent, [])
  })

  it('probes no port twice, in another order with another seed only', () => {
    const ports = (seed: number) => {
      scene = new Scene(seed)
      new TestPeer(scene, 2, 'easy').touch()
      scene.pass(MINUTE)
      return scene.sent.map(({ port }) => port)
    }
    const first = ports(1)
    assert.equal(new Set(first).size, first.length)
    assert.equal(first.length, 2_048)
    assert.deepEqual(ports(1), first)
    assert.notDeepEqual(ports(2), first)
  })

  it('opens 256 sockets, checks from each at once and again before 30 s, and closes them', () => {
    const ben = new TestPeer(scene, 2, 'hard')
    ben.touch()
    scene.pass(GRACE_MS + 39 * SECOND)
    const sockets = new Set(scene.sent.map(({ socket }) => socket))
    assert.equal(sockets.size, 256)
    for (const socket of sockets) {
      const [first, second] = scene.sent.filter((sent) => sent.socket === socket)
      assert.ok(first !== undefined && second !== undefined && first.ms <= GRACE_MS + 4 * SECOND)
      assert.ok(second.ms - first.ms < 30 * SECOND)
    }
    scene.pass(2 * SECOND)
    assert.deepEqual(scene.open, [])
  })

  it('makes do with the sockets that could be opened', () => {
    scene.most = 10
    new TestPeer(scene, 2, 'hard').touch()
    scene.pass(10 * SECOND)
    assert.equal(new Set(scene.sent.map(({ socket }) => socket)).size, 10)
  })

  it('keeps the socket that won, until its path is gone', () => {
    const ben = new TestPeer(scene, 2, 'hard')
    ben.touch()
    scene.pass(5 * SECOND)
    const winner = scene.sent[7]?.socket ?? 0
    ben.answer(winner, remote(2).port)
    assert.deepEqual(scene.open, [winner])
    assert.equal(ben.agent.current?.socket, winner)
    assert.equal(ben.birthday.isUnderWay, false)
    ben.agent.suspect()
    ben.agent.giveUp()
    scene.settle()
    assert.deepEqual(scene.open, [])
  })

  it('takes an answer from a port that it probed, and none from elsewhere', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.touch()
    scene.pass(5 * SECOND)
    assert.equal(ben.birthday.expects({ socket: HOME.id, remote: remote(3) }), false)
    ben.answer(HOME.id, scene.sent[0]?.port ?? 0)
    assert.equal(ben.agent.isDirect, true)
    const { length } = scene.sent
    scene.pass(MINUTE)
    assert.equal(scene.sent.length, length)
  })

  it('takes a check at its sockets only from where the peer is', () => {
    const ben = new TestPeer(scene, 2, 'hard')
    ben.touch()
    scene.pass(5 * SECOND)
    const socket = scene.open[0] ?? 0
    assert.equal(ben.birthday.expects({ socket, remote: remote(2) }), true)
    assert.equal(ben.birthday.expects({ socket, remote: remote(3) }), false)
  })
})

describe('birthday punching while a relay carries the traffic', () => {
  it('is done all the same, and ends with the traffic', () => {
    const ben = new TestPeer(scene, 2, 'hard')
    ben.relay()
    ben.touch()
    scene.pass(5 * SECOND)
    assert.equal(ben.birthday.isUnderWay, true)
    assert.equal(scene.open.length, 256)
    ben.isActive = false
    scene.settle()
    const { length } = scene.sent
    scene.pass(10 * MINUTE)
    assert.equal(scene.sent.length, length)
    assert.deepEqual([scene.open.length, ben.knocks], [0, 0])
  })

  it('is tried again after a minute, then two, with a knock, while there is traffic', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.relay()
    const knocksAt: number[] = []
    ben.touch()
    for (let second = 0; second < 600; second++) {
      scene.pass(SECOND)
      if (ben.knocks === knocksAt.length) continue
      knocksAt.push(scene.ms)
      ben.touch()
    }
    const effort = GRACE_MS + EFFORT_MS
    const first = effort + MINUTE
    const second = first + effort + 2 * MINUTE
    assert.deepEqual(knocksAt, [first, second, second + effort + 4 * MINUTE])
  })

  it('knocks again in a minute where nobody answers, and not before', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.relay()
    ben.touch()
    scene.pass(GRACE_MS + EFFORT_MS + 3 * MINUTE)
    assert.equal(ben.knocks, 3)
  })

  it('is not begun by knocks of the peer before its time, but for a few seconds', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.relay()
    ben.touch()
    scene.pass(GRACE_MS + EFFORT_MS)
    for (let knock = 0; knock < 11; knock++) {
      ben.touch()
      scene.pass(5 * SECOND)
      assert.equal(ben.birthday.isUnderWay, false)
    }
    ben.touch()
    scene.pass(6 * SECOND)
    assert.equal(ben.birthday.isUnderWay, true)
  })

  it('is begun once a minute at most, wherever the peer says that it is', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.relay()
    ben.touch()
    scene.pass(3 * SECOND)
    ben.isActive = false
    scene.settle()
    ben.isActive = true
    ben.claim(remote(5).ip)
    ben.touch()
    scene.pass(30 * SECOND)
    assert.deepEqual(
      scene.sent.filter(({ ip }) => ip === remote(5).ip),
      [],
    )
  })
})

describe('a peer that names addresses of others', () => {
  it('is tried as rarely with ever new addresses as with one, and each gets one effort', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.relay()
    for (let second = 0; second < 3_600; second++) {
      if (!ben.birthday.isUnderWay) ben.claim(remote(1 + (second % 240)).ip)
      ben.touch()
      scene.pass(SECOND)
    }
    const targets = new Set(scene.sent.map(({ ip }) => ip))
    assert.ok(targets.size <= 6, `${targets.size} addresses`)
    for (const ip of targets) assert.ok(scene.sent.filter((sent) => sent.ip === ip).length <= 2_048)
  })

  it('gains nothing by being elsewhere in truth', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.agent.offer([candidate('host', remote(7))])
    for (let minute = 0; minute < 60; minute++) {
      ben.claim(remote(10 + minute).ip)
      ben.touch()
      scene.pass(30 * SECOND)
      ben.agent.answered({ socket: HOME.id, remote: remote(7) }, at(scene.ms), false, at(scene.ms))
      scene.settle()
      ben.agent.suspect()
      ben.agent.giveUp()
      scene.pass(30 * SECOND)
    }
    assert.ok(new Set(scene.sent.map(({ ip }) => ip)).size <= 6)
  })

  it('gets nothing more once it is silent', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.touch()
    scene.pass(GRACE_MS + EFFORT_MS)
    const { length } = scene.sent
    scene.pass(60 * MINUTE)
    assert.equal(scene.sent.length, length)
  })

  it('is tried at once from another network of ours', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    ben.touch()
    scene.pass(GRACE_MS + EFFORT_MS)
    assert.ok(ben.plan)
    ben.plan = { ...ben.plan, between: { own: '198.51.100.2', peer: ben.plan.between.peer } }
    ben.touch()
    scene.pass(GRACE_MS)
    assert.equal(ben.birthday.isUnderWay, true)
  })
})

describe('where a gateway has opened a port for one of the two', () => {
  it('an effort waits until a whole series of checks has failed', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    assert.ok(ben.plan)
    ben.plan = { ...ben.plan, isMapped: true }
    ben.touch()
    scene.pass(6 * SECOND)
    assert.equal(ben.birthday.isUnderWay, false)
    scene.pass(2 * SECOND)
    assert.equal(ben.birthday.isUnderWay, true)
  })
})

describe('an address at which nobody but the peer itself says that it is', () => {
  for (const role of ['easy', 'hard'] as const) {
    it(`gets one effort of eight paced checks, and no more in a day: ${role}`, () => {
      const ben = new TestPeer(scene, 2, role)
      ben.relay()
      ben.unprove()
      for (let minute = 0; minute < 24 * 60; minute++) {
        ben.touch()
        scene.pass(MINUTE)
      }
      assert.equal(scene.sent.length, 8)
      for (const [index, { ms }] of scene.sent.entries())
        assert.ok(ms - (scene.sent[index - 1]?.ms ?? 0) >= 500)
      assert.deepEqual([scene.open.length, ben.knocks], [0, 0])
    })
  }

  it('gets a whole effort as soon as somebody else says so', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    const { plan } = ben
    ben.relay()
    ben.unprove()
    ben.touch()
    scene.pass(10 * SECOND)
    assert.equal(ben.birthday.isUnderWay, true)
    ben.plan = plan
    scene.settle()
    scene.pass(10 * SECOND)
    assert.ok(scene.sent.length > 500, `${scene.sent.length} checks`)
  })

  it('gets it also where a gateway has opened a port meanwhile, once ordinary checks had time for that', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    const { plan } = ben
    assert.ok(plan)
    ben.relay()
    ben.unprove()
    ben.touch()
    scene.pass(10 * SECOND)
    const before = scene.sent.length
    ben.plan = { ...plan, isMapped: true }
    scene.settle()
    scene.pass(20 * SECOND)
    assert.ok(scene.sent.length > before + 500, `${scene.sent.length - before} checks`)
  })

  it('is looked at again without a knock, and knocked on once somebody says so', () => {
    const ben = new TestPeer(scene, 2, 'easy')
    const { plan } = ben
    ben.relay()
    ben.unprove()
    ben.touch()
    scene.pass(HOUR)
    assert.equal(ben.knocks, 0)
    ben.plan = plan
    scene.pass(5 * MINUTE)
    assert.equal(ben.knocks > 0, true)
  })
})

describe('several efforts', () => {
  it('send in turn', () => {
    for (const number of [2, 3, 4]) new TestPeer(scene, number, 'easy').touch()
    scene.pass(10 * SECOND)
    const counts = [2, 3, 4].map((number) => scene.sent.filter(({ ip }) => ip === remote(number).ip).length)
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts}`)
    assert.ok((counts[0] ?? 0) > 150)
  })

  it('share the sockets, and the rest gets those of one that ended', () => {
    const [ben, cem] = [new TestPeer(scene, 2, 'hard'), new TestPeer(scene, 3, 'hard')]
    ben.touch()
    scene.pass(5 * SECOND)
    assert.equal(scene.open.length, 256)
    cem.touch()
    scene.pass(5 * SECOND)
    assert.equal(scene.open.length, 256)
    const ofCem = () =>
      new Set(scene.sent.filter(({ ip }) => ip === remote(3).ip).map(({ socket }) => socket))
    assert.equal(ofCem().size, 128)
    ben.answer(scene.sent[0]?.socket ?? 0, remote(2).port)
    scene.pass(5 * SECOND)
    assert.equal(ofCem().size, 256)
    assert.equal(scene.open.length, 257)
  })

  it('are without sockets where there are too few for one more', () => {
    for (let number = 2; number < 12; number++) {
      new TestPeer(scene, number, 'hard').touch()
      scene.pass(GRACE_MS)
    }
    assert.ok(scene.open.length <= 256)
    assert.equal(scene.peers.filter(({ birthday }) => birthday.isUnderWay).length, 8)
  })
})
