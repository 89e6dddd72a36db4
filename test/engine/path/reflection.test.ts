import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { formatSocketAddress, type SocketAddress } from '../../../src/base/address.js'
import { drop } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { streamAddress } from '../../../src/base/streamAddress.js'
import { after, elapsed, SECOND } from '../../../src/base/time.js'
import type { LocalSocket } from '../../../src/engine/inputs.js'
import { Reflection } from '../../../src/engine/path/reflection.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { EffectLog, type Sent } from '../effectLog.js'
import { at, START, sleepUntil } from '../virtualTime.js'
import { HOME, HOME6, OFFICE, remote, route } from './machines.js'
import { readStun, reflectorsAnswer } from './stunMessages.js'

const REFLECTORS = [remote(1, 3_478), remote(2, 3_478), remote(3, 3_478)]
const OUTSIDE: SocketAddress = { ip: '198.51.100.1', port: 40_000 }
const MOVED: SocketAddress = { ip: '198.51.100.1', port: 40_001 }
/** Nobody who asked answers: how long until the last has been given up. */
const ALL_SILENT_MS = 700
const SETTLE_MS = 300
const FRESH_MS = 20 * SECOND

let log: EffectLog
let reflection: Reflection

beforeEach(() => {
  log = new EffectLog()
  reflection = new Reflection(log.emit, seededRandom(1))
})

describe('asking', () => {
  it('begins at once, with plain Binding requests from each socket to three reflectors', () => {
    const sent = begin([HOME, OFFICE], [...REFLECTORS, remote(4)])
    assert.deepEqual(
      sent.map(({ socket, remote }) => `${socket} ${formatSocketAddress(remote)}`).sort(),
      [HOME, OFFICE].flatMap(({ id }) => REFLECTORS.map((to) => `${id} ${formatSocketAddress(to)}`)).sort(),
    )
    for (const { datagram } of sent) {
      const request = readStun(datagram)
      assert.equal(request.messageClass, 'request')
      assert.equal(request.method, BINDING)
      assert.equal(request.username, undefined)
      assert.equal(request.integrity, undefined)
    }
    assert.equal(new Set(sent.map(({ datagram }) => String(readStun(datagram).transactionId))).size, 6)
  })

  it('is of reflectors at different addresses only: ports of one host do not tell a NAT’s mapping', () => {
    const sent = begin([HOME], [remote(1, 1), remote(1, 2), remote(2, 1)])
    assert.deepEqual(
      sent.map(({ remote }) => remote),
      [remote(1, 1), remote(2, 1)],
    )
  })

  it("stays within a socket's family, and out of the tunnel", () => {
    const routes = [route('0.0.0.0/0', false), route('203.0.113.2/32', true)]
    reflection.change({ routes }, START)
    const reflector6 = { ip: '2001:db8:2::1', port: 3_478 }
    const sent = begin([HOME, HOME6], [...REFLECTORS.slice(0, 2), reflector6])
    assert.deepEqual(
      sent.map(({ socket, remote }) => [socket, remote]),
      [
        [HOME.id, REFLECTORS[0]],
        [HOME6.id, reflector6],
      ],
    )
  })

  it('is paced at 100, 200 and 400 ms, and ends', () => {
    begin([HOME], REFLECTORS.slice(0, 1))
    const times: number[] = []
    sleepUntil(reflection, 0, 3_600 * SECOND, (ms) => {
      reflection.wake(at(ms))
      for (const _ of log.takeSent()) times.push(ms)
    })
    assert.deepEqual(times, [100, 300])
    assert.equal(reflection.nextWake, undefined)
    assert.deepEqual(reflection.findings.candidates, [])
  })

  it('ends for one that has answered', () => {
    const [sent = none()] = begin([HOME], REFLECTORS.slice(0, 1))
    answer(sent, OUTSIDE, 20)
    assert.equal(reflection.nextWake, undefined)
  })

  it('is the same where it is woken early, and times mean nothing in themselves', () => {
    const wakes = fc.array(fc.nat({ max: ALL_SILENT_MS }), { maxLength: 20 })
    fc.assert(
      fc.property(wakes, fc.integer({ min: -500_000, max: 500_000 }), (early, shift) => {
        assert.deepEqual(askInVain(early, shift), askInVain([], 0))
      }),
    )
  })
})

describe('reflection settles', () => {
  it('where there is nobody to ask', () => {
    assert.equal(reflection.settled(START), true)
    begin([HOME], [])
    begin([], REFLECTORS)
    assert.equal(reflection.settled(START), true)
    assert.equal(reflection.settlesAt, undefined)
  })

  it('when every socket has one answer', () => {
    const sent = begin([HOME, OFFICE], REFLECTORS.slice(0, 2))
    const ofHome = sent.filter(({ socket }) => socket === HOME.id)
    const ofOffice = sent.filter(({ socket }) => socket === OFFICE.id)
    assert.equal(reflection.settled(START), false)
    answer(ofHome[0] ?? none(), OUTSIDE, 1)
    answer(ofHome[1] ?? none(), OUTSIDE, 2)
    assert.equal(reflection.settled(at(2)), false)
    answer(ofOffice[1] ?? none(), MOVED, 3)
    assert.equal(reflection.settled(at(3)), true)
  })

  it('or after 300 ms, and then says no more when it will', () => {
    begin([HOME], REFLECTORS)
    assert.equal(reflection.settlesAt, at(SETTLE_MS))
    assert.equal(reflection.settled(at(SETTLE_MS - 1)), false)
    assert.equal(reflection.settled(at(SETTLE_MS)), true)
    reflection.wake(at(SETTLE_MS))
    assert.equal(reflection.settlesAt, undefined)
    assert.equal(reflection.settled(at(SETTLE_MS)), true)
  })

  it('without a socket to which nobody answers, from its second round of questions on', () => {
    officeIsSilent()
    const later = 60 * SECOND
    const [ofHome = none()] = again(later).filter(({ socket }) => socket === HOME.id)
    assert.equal(reflection.settled(at(later)), false)
    answer(ofHome, OUTSIDE, later + 20)
    assert.equal(reflection.settled(at(later + 20)), true)
  })

  it('with it again once it has had an answer, be that after it was given up', () => {
    for (const givenUp of [false, true]) {
      reflection = new Reflection(log.emit, seededRandom(1))
      officeIsSilent()
      const later = 60 * SECOND
      const sent = again(later)
      if (givenUp) silenceUntil(later, later + 5 * SECOND)
      for (const request of sent)
        answer(request, request.socket === HOME.id ? OUTSIDE : MOVED, later + 5 * SECOND)
      const latest = later + 60 * SECOND
      const [ofHome = none(), ...others] = again(latest)
      assert.equal(ofHome.socket, HOME.id)
      answer(ofHome, OUTSIDE, latest + 20)
      assert.equal(reflection.settled(at(latest + 20)), false)
      answer(others.find(({ socket }) => socket === OFFICE.id) ?? none(), MOVED, latest + 30)
      assert.equal(reflection.settled(at(latest + 30)), true)
    }
  })

  it('at once where nobody ever answered', () => {
    begin([HOME, OFFICE], REFLECTORS)
    silenceUntil(0, ALL_SILENT_MS)
    again(60 * SECOND)
    assert.equal(reflection.settled(at(60 * SECOND)), true)
  })

  it('for those who have nobody to ask as well', () => {
    const sent = begin([HOME, HOME6], REFLECTORS)
    answer(sent[0] ?? none(), OUTSIDE, 1)
    assert.equal(reflection.settled(at(1)), true)
  })
})

describe('an answer', () => {
  it('gives a server-reflexive candidate, each address once', () => {
    const sent = begin([HOME, OFFICE], REFLECTORS)
    for (const request of sent) answer(request, request.socket === HOME.id ? OUTSIDE : MOVED, 10)
    assert.deepEqual(reflection.findings.candidates, [
      { type: 'server-reflexive', address: OUTSIDE },
      { type: 'server-reflexive', address: MOVED },
    ])
  })

  it('that shows the socket’s own address gives none: there is no NAT', () => {
    for (const request of begin([HOME], REFLECTORS)) answer(request, HOME.address, 10)
    assert.deepEqual(reflection.findings.candidates, [])
    assert.equal(reflection.findings.mapping, 'none')
  })

  it('counts once', () => {
    const [sent = none()] = begin([HOME], REFLECTORS)
    assert.equal(answer(sent, OUTSIDE, 10), undefined)
    assert.equal(answer(sent, MOVED, 20), drop('stun-unknown-transaction'))
    assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: OUTSIDE }])
  })

  it('to an earlier request of three is as good', () => {
    const [sent = none()] = begin([HOME], REFLECTORS.slice(0, 1))
    reflection.wake(at(100))
    assert.equal(answer(sent, OUTSIDE, 110), undefined)
    assert.equal(reflection.findings.candidates.length, 1)
  })

  it('is refused from another address or socket than was asked', () => {
    const [sent = none()] = begin([HOME], REFLECTORS)
    const response = reflectorsAnswer(sent.datagram, OUTSIDE)
    for (const from of [
      { socket: HOME.id, remote: remote(9) },
      { socket: HOME.id, remote: { ...sent.remote, port: 9 } },
      { socket: HOME.id, remote: REFLECTORS[1] ?? none() },
      { socket: OFFICE.id, remote: sent.remote },
    ]) {
      assert.equal(reflection.answered(response, from, at(1)), drop('stun-unknown-transaction'))
    }
    assert.deepEqual(reflection.findings.candidates, [])
    assert.equal(answer(sent, OUTSIDE, 2), undefined)
  })

  it('is refused more than ten seconds after it was asked for', () => {
    for (const [ms, refused] of [
      [10_000, undefined],
      [10_001, drop('stun-unknown-transaction')],
    ] as const) {
      reflection = new Reflection(log.emit, seededRandom(1))
      const [sent = none()] = begin([HOME], REFLECTORS.slice(0, 1))
      silenceUntil(0, 9 * SECOND)
      assert.equal(answer(sent, OUTSIDE, ms), refused)
      assert.equal(reflection.findings.candidates.length, refused === undefined ? 1 : 0)
    }
  })

  it('is refused to a request that was never made', () => {
    const [sent = none()] = begin([HOME], REFLECTORS)
    const response = reflectorsAnswer(sent.datagram, OUTSIDE, { transactionId: new Uint8Array(12) })
    assert.equal(reflection.isOurs(response), false)
    assert.equal(reflection.answered(response, sent, at(1)), drop('stun-unknown-transaction'))
  })

  it('is refused where it is an error, of another method, without an address, or of another family', () => {
    const [sent = none()] = begin([HOME], REFLECTORS)
    const refused = [
      [reflectorsAnswer(sent.datagram, OUTSIDE, { messageClass: 'error' }), 'stun-unsupported'],
      [reflectorsAnswer(sent.datagram, OUTSIDE, { method: 3 }), 'stun-unsupported'],
      [reflectorsAnswer(sent.datagram, undefined), 'stun-malformed'],
      [reflectorsAnswer(sent.datagram, { ip: '2001:db8::1', port: 1 }), 'stun-malformed'],
    ] as const
    for (const [response, reason] of refused) {
      assert.equal(reflection.isOurs(response), true)
      assert.equal(reflection.answered(response, sent, at(1)), drop(reason))
    }
    assert.deepEqual(reflection.findings.candidates, [])
    assert.equal(reflection.findings.mapping, 'unknown')
  })

  it('is refused where it says that we are at an address that stands for a stream', () => {
    const [sent = none()] = begin([HOME6], [{ ip: '2001:db8:2::1', port: 3_478 }])
    assert.equal(answer(sent, streamAddress(3), 1), drop('stun-malformed'))
    assert.deepEqual(reflection.findings.candidates, [])
  })
})

describe('the mapping of the NAT', () => {
  it('is unknown from one host', () => {
    const [sent = none()] = begin([HOME], REFLECTORS)
    answer(sent, OUTSIDE, 1)
    assert.equal(reflection.findings.mapping, 'unknown')
  })

  it('is endpoint-independent where different hosts see the same', () => {
    for (const sent of begin([HOME], REFLECTORS.slice(0, 2))) answer(sent, OUTSIDE, 1)
    assert.equal(reflection.findings.mapping, 'endpoint-independent')
  })

  it('depends on the address where they don’t', () => {
    for (const [index, sent] of begin([HOME], REFLECTORS).entries())
      answer(sent, { ...OUTSIDE, port: 40_000 + index }, 1)
    assert.equal(reflection.findings.mapping, 'address-dependent')
    assert.equal(reflection.findings.candidates.length, 3)
  })

  it('is that of the strictest uplink', () => {
    for (const sent of begin([HOME, OFFICE], REFLECTORS.slice(0, 2))) {
      const strict = sent.socket === OFFICE.id && sent.remote.ip === REFLECTORS[0]?.ip
      answer(sent, strict ? MOVED : OUTSIDE, 1)
    }
    assert.equal(reflection.findings.mapping, 'address-dependent')
  })
})

describe('asking again', () => {
  it('is spared while the answers are fresh', () => {
    for (const sent of begin([HOME], REFLECTORS)) answer(sent, OUTSIDE, 10)
    reflection.refresh(at(10 + FRESH_MS - 1))
    assert.deepEqual(log.take(), [])
    reflection.refresh(at(10 + FRESH_MS))
    assert.equal(log.takeSent().length, 3)
    assert.equal(reflection.settled(at(10 + FRESH_MS)), false)
  })

  it('is spared while the answers are fresh, though there is a socket to which nobody answers', () => {
    officeIsSilent()
    reflection.refresh(at(10 + FRESH_MS - 1))
    assert.deepEqual(log.take(), [])
    reflection.refresh(at(10 + FRESH_MS))
    assert.equal(log.takeSent().length, 6)
  })

  it('is done where nobody ever answered: there may be somebody now', () => {
    begin([HOME, OFFICE], REFLECTORS)
    silenceUntil(0, ALL_SILENT_MS)
    reflection.refresh(at(ALL_SILENT_MS))
    const sent = log.takeSent()
    assert.equal(sent.length, 6)
    for (const request of sent) answer(request, OUTSIDE, ALL_SILENT_MS + 10)
    reflection.refresh(at(ALL_SILENT_MS + 20))
    assert.deepEqual(log.take(), [])
  })

  it('is spared while answers are on their way', () => {
    begin([HOME], REFLECTORS)
    reflection.refresh(at(SETTLE_MS - 1))
    assert.deepEqual(log.take(), [])
    reflection.refresh(at(SETTLE_MS))
    assert.equal(log.takeSent().length, 3)
  })

  it('keeps what was known until there is something newer', () => {
    for (const sent of begin([HOME], REFLECTORS.slice(0, 2))) answer(sent, OUTSIDE, 10)
    const later = 60 * SECOND
    const [first = none(), second = none()] = again(later)
    assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: OUTSIDE }])
    assert.equal(reflection.findings.mapping, 'endpoint-independent')
    answer(first, MOVED, later + 10)
    assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: MOVED }])
    assert.equal(reflection.findings.mapping, 'endpoint-independent')
    answer(second, OUTSIDE, later + 20)
    assert.equal(reflection.findings.mapping, 'address-dependent')
  })

  it('of a symmetric NAT neither loses nor gains an address while the answers come, in whatever order', () => {
    const orders = fc.shuffledSubarray([0, 1, 2], { minLength: 3 })
    fc.assert(
      fc.property(orders, fc.subarray([0, 1, 2]), (order, moves) => {
        reflection = new Reflection(log.emit, seededRandom(1))
        log.take()
        const ports = [40_000, 40_001, 40_002]
        for (const [index, sent] of begin([HOME], REFLECTORS).entries())
          answer(sent, outside(ports, index), 10)
        const later = 60 * SECOND
        const sent = again(later)
        const told = () => reflection.findings.candidates.map(({ address }) => address.port)
        for (const [place, index] of order.entries()) {
          assert.deepEqual(told(), ports)
          if (moves.includes(index)) ports[index] = 50_000 + index
          answer(sent[index] ?? none(), outside(ports, index), later + 10 * (1 + place))
          assert.deepEqual(told(), ports)
          assert.equal(reflection.findings.mapping, 'address-dependent')
        }
      }),
    )
  })

  it('takes the former address of a reflector for gone when it goes silent, and not before', () => {
    const ports = [40_000, 40_001, 40_002]
    for (const [index, sent] of begin([HOME], REFLECTORS).entries()) answer(sent, outside(ports, index), 10)
    const later = 60 * SECOND
    const sent = again(later)
    for (const index of [0, 1]) answer(sent[index] ?? none(), outside(ports, index), later + 10)
    silenceUntil(later, later + ALL_SILENT_MS - 1)
    assert.equal(reflection.findings.candidates.length, 3)
    silenceUntil(later + ALL_SILENT_MS - 1, later + ALL_SILENT_MS)
    assert.deepEqual(
      reflection.findings.candidates.map(({ address }) => address.port),
      [40_000, 40_001],
    )
  })

  it('changes nothing twice where all see the same: a mapping that one sees replaced is replaced for all', () => {
    for (const sent of begin([HOME], REFLECTORS)) answer(sent, OUTSIDE, 10)
    const later = 60 * SECOND
    for (const sent of again(later)) {
      answer(sent, MOVED, later + 10)
      assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: MOVED }])
      assert.equal(reflection.findings.mapping, 'endpoint-independent')
    }
  })

  it('leaves what another socket knows alone, and how the NAT maps', () => {
    const first = begin([HOME, OFFICE], REFLECTORS.slice(0, 2))
    for (const sent of first) answer(sent, OUTSIDE, 10)
    const later = 60 * SECOND
    const sent = again(later)
    answer(sent.find(({ socket }) => socket === HOME.id) ?? none(), HOME.address, later + 10)
    assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: OUTSIDE }])
    assert.equal(reflection.findings.mapping, 'endpoint-independent')
  })

  it('in vain says in the end that nothing is known any more', () => {
    for (const sent of begin([HOME], REFLECTORS.slice(0, 2))) answer(sent, OUTSIDE, 10)
    const later = 60 * SECOND
    again(later)
    sleepUntil(reflection, later, later + 10 * SECOND, (ms) => reflection.wake(at(ms)))
    assert.deepEqual(reflection.findings.candidates, [])
    assert.equal(reflection.findings.mapping, 'unknown')
  })

  it('on a sign that the answers are wrong does not mind that they are fresh, but is done once a second at most', () => {
    for (const sent of begin([HOME], REFLECTORS)) answer(sent, OUTSIDE, 10)
    reflection.renew(at(999))
    assert.deepEqual(log.take(), [])
    reflection.renew(at(1_000))
    assert.equal(log.takeSent().length, 3)
    assert.equal(reflection.settled(at(1_000)), false)
    assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: OUTSIDE }])
    reflection.renew(at(1_999))
    assert.deepEqual(log.take(), [])
  })

  it('on signs, however many, is done once a second at most, and as soon as that is over', () => {
    const signs = fc.array(fc.nat({ max: 10 * SECOND }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(signs, (times) => {
        const rounds: number[] = []
        let now = 0
        const asking = new Reflection(() => rounds.push(now), seededRandom(1))
        asking.change({ sockets: [HOME], reflectors: REFLECTORS.slice(0, 1) }, START)
        let begun = 0
        for (now of [...times].sort((a, b) => a - b)) {
          const before = rounds.length
          asking.renew(at(now))
          assert.equal(rounds.length - before, now - begun >= SECOND ? 1 : 0, `${now} ms`)
          if (rounds.length > before) begun = now
        }
      }),
    )
  })

  it('on a sign does not end the wait of those who wait', () => {
    begin([HOME], REFLECTORS)
    for (const sent of again(5_000)) answer(sent, OUTSIDE, 5_010)
    reflection.renew(at(6_000))
    assert.equal(reflection.settled(at(6_000)), false)
    assert.equal(reflection.settlesAt, at(6_000 + SETTLE_MS))
    reflection.refresh(at(6_100))
    assert.equal(reflection.settlesAt, at(6_000 + SETTLE_MS))
  })

  it('on a sign is nothing where there is nobody to ask', () => {
    reflection.renew(START)
    assert.deepEqual(log.take(), [])
    assert.equal(reflection.settled(START), true)
  })

  it('never keeps more transactions open than 256', () => {
    const [sent = none()] = begin([HOME], REFLECTORS)
    for (let round = 1; round <= 300; round++) again(round * SECOND)
    const response = reflectorsAnswer(sent.datagram, OUTSIDE)
    assert.equal(reflection.isOurs(response), false)
  })
})

describe('a change', () => {
  it('that brings nothing new asks nothing', () => {
    begin([HOME], REFLECTORS)
    assert.deepEqual(begin([HOME], REFLECTORS), [])
    assert.deepEqual(begin([HOME], REFLECTORS.slice(0, 2)), [])
  })

  it('that brings a socket or a reflector asks', () => {
    for (const sent of begin([HOME], REFLECTORS.slice(0, 1))) answer(sent, OUTSIDE, 1)
    assert.equal(begin([HOME], REFLECTORS.slice(0, 2)).length, 2)
    assert.equal(begin([HOME, OFFICE], REFLECTORS.slice(0, 2)).length, 4)
  })

  it('that closes a socket or loses a reflector forgets what it said', () => {
    for (const sent of begin([HOME, OFFICE], REFLECTORS))
      answer(sent, sent.socket === HOME.id ? OUTSIDE : MOVED, 1)
    begin([OFFICE], REFLECTORS)
    assert.deepEqual(reflection.findings.candidates, [{ type: 'server-reflexive', address: MOVED }])
    begin([OFFICE], [])
    assert.deepEqual(reflection.findings.candidates, [])
    assert.equal(reflection.findings.mapping, 'unknown')
  })
})

/** {@link HOME} has answers, {@link OFFICE} has none, and all was tried. */
function officeIsSilent(): void {
  for (const request of begin([HOME, OFFICE], REFLECTORS))
    if (request.socket === HOME.id) answer(request, OUTSIDE, 10)
  silenceUntil(0, ALL_SILENT_MS)
}

/** Whoever has been asked goes on being asked, in vain. */
function silenceUntil(fromMs: number, untilMs: number): void {
  sleepUntil(reflection, fromMs, untilMs, (ms) => reflection.wake(at(ms)))
  log.take()
}

function outside(ports: readonly number[], index: number): SocketAddress {
  return { ip: OUTSIDE.ip, port: ports[index] ?? 0 }
}

function begin(sockets: readonly LocalSocket[], reflectors: readonly SocketAddress[]): readonly Sent[] {
  reflection.change({ sockets, reflectors }, START)
  return log.takeSent()
}

function again(ms: number): readonly Sent[] {
  reflection.refresh(at(ms))
  return log.takeSent()
}

/** A reflector answers that it saw a request come from `seen`; returns why that was dropped. */
function answer(request: Sent, seen: SocketAddress, ms: number): ReturnType<Reflection['answered']> {
  return reflection.answered(reflectorsAnswer(request.datagram, seen), request, at(ms))
}

/** What is sent where nobody answers, and when; `early` are needless wake-ups. All of it `shift` later. */
function askInVain(early: readonly number[], shift: number): readonly (readonly [number, Sent])[] {
  const start = after(START, shift)
  const sent: (readonly [number, Sent])[] = []
  const asking = new Reflection((effect) => {
    assert.equal(effect.type, 'send')
    if (effect.type === 'send') sent.push([elapsed(start, now), effect])
  }, seededRandom(1))
  let now = start
  asking.change({ sockets: [HOME, OFFICE], reflectors: REFLECTORS }, now)
  for (const ms of [...early, 100, 300, ALL_SILENT_MS].sort((a, b) => a - b)) {
    now = after(start, ms)
    asking.wake(now)
  }
  assert.equal(asking.nextWake, undefined)
  return sent
}

function none(): never {
  throw new TypeError('nothing was sent')
}
