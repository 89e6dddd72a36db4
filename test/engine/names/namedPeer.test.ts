import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatSocketAddress, type SocketAddress } from '../../../src/base/address.js'
import { after, type Now, SECOND } from '../../../src/base/time.js'
import type { OwnHandshake } from '../../../src/engine/loopback/handshakes.js'
import { HostNames } from '../../../src/engine/names/hostNames.js'
import { NamedPeer, type NamedSituation } from '../../../src/engine/names/namedPeer.js'
import type { Path } from '../../../src/engine/path/path.js'
import { nowAt } from '../virtualTime.js'

const NAME = 'a.example.org'
const PORT = 51_820

/** A peer at a name, without a path; all that has a route is `usable`. */
function named(usable: (ip: string) => boolean = () => true) {
  let questions = 0
  const names = new HostNames(
    ({ type }) => {
      if (type === 'resolve-name') questions += 1
    },
    [NAME],
  )
  const tried: { readonly to: string; readonly at: number }[] = []
  let checks = 0
  const peer = new NamedPeer(
    { host: NAME, port: PORT },
    {
      names,
      routesTo: (remote: SocketAddress) => (usable(remote.ip) ? [{ socket: 1, remote }] : []),
      tryOver: (_handshake, { remote }, now) => tried.push({ to: formatSocketAddress(remote), at: now }),
      check: () => {
        checks += 1
      },
    },
  )
  const resolve = (now: Now, ips: readonly string[], ttlMs = 60 * SECOND) =>
    names.answered({ type: 'name-resolved', name: NAME, ips, ttlMs }, now.instant)
  return { peer, names, tried, resolve, questions: () => questions, checks: () => checks }
}

const handshake = (): OwnHandshake => ({
  firstMessage: new Uint8Array(148),
  ourIndex: 1,
  madeAt: nowAt(0).instant,
  sent: undefined,
  settled: false,
  answers: [],
})

const WANTED: NamedSituation = {
  handshake: undefined,
  path: undefined,
  needsPath: true,
  isUnderWay: true,
  isActive: true,
}

const pathTo = (ip: string): Path => ({
  socket: 1,
  remote: { ip, port: PORT },
  type: 'configured',
  proof: 'handshake',
  provedAt: nowAt(0).instant,
  rttMs: undefined,
})

describe('a peer at a name', () => {
  it('costs nothing while nobody wants it', () => {
    const { peer, questions } = named()
    peer.settle({ ...WANTED, isUnderWay: false, isActive: false }, nowAt(0))
    assert.equal(questions(), 0)
    assert.equal(peer.nextWake, undefined)
  })

  it('is tried at the first of each family at once, and at the others in turn', () => {
    const { peer, tried, resolve } = named()
    const own = handshake()
    peer.settle({ ...WANTED, handshake: own }, nowAt(0))
    resolve(nowAt(10), ['192.0.2.1', '192.0.2.2', '2001:db8::1'])
    for (let ms = 10; ms < 2_000; ms += 10) peer.settle({ ...WANTED, handshake: own }, nowAt(ms))
    assert.deepEqual(
      tried.map(({ to, at }) => [to, at - nowAt(0).instant]),
      [
        [`[2001:db8::1]:${PORT}`, 10],
        [`192.0.2.1:${PORT}`, 10],
        [`192.0.2.2:${PORT}`, 260],
      ],
    )
  })

  it('that has answered somewhere is tried nowhere else', () => {
    const { peer, tried, resolve } = named()
    const own = handshake()
    peer.settle({ ...WANTED, handshake: own }, nowAt(0))
    resolve(nowAt(10), ['192.0.2.1', '192.0.2.2'])
    peer.settle({ ...WANTED, handshake: own }, nowAt(10))
    own.answers.push({ from: { socket: 1, remote: { ip: '192.0.2.1', port: PORT } }, peerIndex: 7 })
    peer.settle({ ...WANTED, handshake: own }, nowAt(300))
    assert.equal(tried.length, 1)
    assert.notEqual(peer.nextWake, nowAt(260).instant)
  })

  it('that has a sound path is tried elsewhere only where its name leads elsewhere', () => {
    for (const [ips, tries] of [
      [['192.0.2.1', '192.0.2.2'], 0],
      [['192.0.2.2'], 1],
    ] as const) {
      const { peer, names, tried, resolve, checks } = named()
      names.ask(NAME, nowAt(0).instant)
      resolve(nowAt(0), ips)
      const own = handshake()
      const remote = { ip: '192.0.2.1', port: PORT }
      own.sent = { at: nowAt(5).instant, over: { socket: 1, remote }, proved: true, doubtful: false }
      peer.settle(
        { ...WANTED, handshake: own, path: pathTo('192.0.2.1'), needsPath: false, isUnderWay: false },
        nowAt(5),
      )
      assert.equal(tried.length, tries)
      assert.equal(checks(), 1)
    }
  })

  it('is asked for in growing pauses while it is wanted in vain, and at once when it was of use', () => {
    const { peer, resolve, questions } = named()
    const at: number[] = []
    for (let ms = 0; ms <= 100_000; ms += 100) {
      const before = questions()
      peer.settle(WANTED, nowAt(ms))
      if (questions() === before) continue
      at.push(ms / SECOND)
      resolve(nowAt(ms), ['192.0.2.1'])
    }
    assert.deepEqual(at, [0, 1, 3, 7, 15, 31, 63])
    peer.settle({ ...WANTED, needsPath: false, path: pathTo('192.0.2.1') }, nowAt(100_100))
    peer.settle(WANTED, nowAt(100_200))
    assert.equal(questions(), at.length + 2 - 1)
  })

  it('says what became of its name', () => {
    const { peer, names, resolve } = named((ip) => ip !== '192.0.2.9')
    assert.equal(peer.reason, `resolving ${NAME}`)
    names.ask(NAME, nowAt(0).instant)
    names.answered({ type: 'name-failed', name: NAME, reason: 'there is no such name' }, nowAt(0).instant)
    assert.equal(peer.reason, `${NAME} could not be resolved: there is no such name`)
    resolve(nowAt(5), ['192.0.2.9'])
    assert.equal(peer.reason, `nothing leads from here to 192.0.2.9:${PORT}`)
    resolve(nowAt(9), ['192.0.2.1', '192.0.2.9'])
    assert.equal(peer.reason, `no answer from 192.0.2.1:${PORT}`)
  })
})

describe('laws of a peer at a name', () => {
  const ips = fc.uniqueArray(
    fc.oneof(
      fc.integer({ min: 1, max: 250 }).map((last) => `192.0.2.${last}`),
      fc.integer({ min: 1, max: 250 }).map((last) => `2001:db8::${last.toString(16)}`),
    ),
    { minLength: 1, maxLength: 20 },
  )

  it('each usable address gets each first message once, two at a time at most, and none is forgotten', () => {
    fc.assert(
      fc.property(ips, ips, fc.integer({ min: 0, max: 3_000 }), (first, second, changeMs) => {
        const { peer, names, tried, resolve } = named((ip) => !ip.endsWith('7'))
        const own = handshake()
        const run = (from: number, to: number) => {
          let ms = from
          while (ms <= to) {
            peer.settle({ ...WANTED, handshake: own }, nowAt(ms))
            const wake = peer.nextWake
            assert.ok(wake === undefined || wake > nowAt(ms).instant, 'its next wake-up is in the past')
            if (wake === undefined) break
            ms = Math.max(ms + 1, Math.ceil(wake - nowAt(0).instant))
          }
        }
        run(0, 0)
        resolve(nowAt(1), first)
        run(1, changeMs)
        const answered = Math.max(changeMs + 1, 1_100)
        names.ask(NAME, nowAt(answered).instant)
        resolve(nowAt(answered), second)
        run(answered, answered + 20 * 250)
        const targets = tried.map(({ to }) => to)
        assert.equal(new Set(targets).size, targets.length)
        for (const address of peer.addresses) {
          const isUsable = !address.ip.endsWith('7')
          assert.equal(targets.includes(formatSocketAddress(address)), isUsable)
        }
        for (const { at } of tried) assert.ok(tried.filter((each) => each.at === at).length <= 2)
      }),
    )
  })

  it('to settle it more often changes nothing', () => {
    fc.assert(
      fc.property(ips, fc.array(fc.integer({ min: 2, max: 6_000 }), { maxLength: 30 }), (all, extra) => {
        const run = (times: readonly number[]) => {
          const { peer, tried, resolve } = named()
          const own = handshake()
          peer.settle({ ...WANTED, handshake: own }, nowAt(0))
          resolve(nowAt(1), all, 600 * SECOND)
          let ms = 1
          const early = [...times].sort((a, b) => a - b)
          for (;;) {
            // Past all tries nothing is of interest but questions.
            if (ms > 5_000) break
            peer.settle({ ...WANTED, handshake: own }, nowAt(ms))
            const wake = peer.nextWake
            const next = wake === undefined ? 6_001 : Math.ceil(wake - nowAt(0).instant)
            while (early[0] !== undefined && early[0] <= ms) early.shift()
            ms = Math.min(next, early[0] ?? next)
          }
          return tried
        }
        assert.deepEqual(run(extra), run([]))
      }),
    )
  })

  it('all times shifted by a constant give the same', () => {
    fc.assert(
      fc.property(ips, fc.integer({ min: 0, max: 1_000_000 }), (all, shift) => {
        const run = (start: number) => {
          const { peer, tried, resolve } = named()
          const own = handshake()
          const shifted = (ms: number) => nowAt(start + ms)
          peer.settle({ ...WANTED, handshake: own }, shifted(0))
          resolve(shifted(1), all)
          for (let ms = 1; ms < 6_000; ms += 50) peer.settle({ ...WANTED, handshake: own }, shifted(ms))
          return tried.map(({ to, at }) => ({ to, at: at - after(shifted(0).instant, 0) }))
        }
        assert.deepEqual(run(shift), run(0))
      }),
    )
  })
})
