/** Who maps by destination meets who keeps one port but lets in only whom it sent to. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { classify } from '../../../src/wire/classify.js'
import { World } from '../world.js'

/** Of all checks of a node in any second. */
const MOST_EACH_SECOND = 100

/** More would say something of luck, and no more of us. */
const SEEDS = 20

describe('a symmetric gateway and one that filters by port', () => {
  for (const [from, to] of [
    ['symmetric', 'port-restricted'],
    ['port-restricted', 'symmetric'],
  ] as const) {
    it(`are crossed within 30 s, with 100 checks a second: from ${from} to ${to}`, () => {
      for (let seed = 1; seed <= SEEDS / 2; seed++) {
        const world = new World({ seed, uneven: true })
        const ana = world.node('ana', world.place(from))
        const ben = world.node('ben', world.place(to))
        world.startFleet(ana, ben)
        const checks = countChecks(world)
        const took = untilDirect(world, ana, [ben])
        assert.ok(took <= 30 * SECOND, `seed ${seed}: ${took} ms`)
        untilDirect(world, ben, [ana])
        for (const daemon of [ana, ben]) assert.ok(checks.busiest(daemon) <= MOST_EACH_SECOND, `seed ${seed}`)
      }
    })
  }

  it('are crossed with few packets where the ports are counted', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = new World({ seed, uneven: true })
      const ana = world.node('ana', world.placeIn(world.house('symmetric', { ports: 'sequential' }), 2))
      const ben = world.node('ben', world.place('port-restricted'))
      world.startFleet(ana, ben)
      const checks = countChecks(world)
      const took = untilDirect(world, ana, [ben])
      assert.ok(took <= 4 * SECOND, `seed ${seed}: ${took} ms`)
      assert.ok(checks.of(ben) <= 150, `seed ${seed}: ${checks.of(ben)} checks`)
    }
  })

  it('leave one socket open, until the path over it is gone', () => {
    const { world, ana, ben } = aHardPair(1)
    untilDirect(world, ana, [ben])
    world.queue.run(SECOND)
    assert.equal(punchingSockets(ana), 1)
    assert.equal(punchingSockets(ben), 0)
    assert.equal(ana.status(ben.publicKey).path?.type, 'peer-reflexive')
    ben.host.detach(ben.host.ips[0] ?? '')
    ben.setOnline(false)
    for (let second = 0; second < 120; second++) {
      ana.host.ping(ben.publicKey)
      world.queue.run(SECOND)
    }
    assert.equal(punchingSockets(ana), 0)
  })

  it('cost nothing where there is no traffic', () => {
    const { world, ana, ben } = aHardPair(2)
    const before = ana.counts.sent + ben.counts.sent
    world.queue.run(5 * MINUTE)
    assert.equal(ana.counts.sent + ben.counts.sent, before)
    untilDirect(world, ana, [ben])
    world.queue.run(3 * MINUTE)
    const after = ana.counts.sent + ben.counts.sent
    world.queue.run(5 * MINUTE)
    assert.equal(ana.counts.sent + ben.counts.sent, after)
  })

  it('are tried ever more rarely where something else stands between them', () => {
    const { world, ana, ben } = aHardPair(3)
    world.internet.watchers.push(
      ({ author, to }) => ![ana, ben].some(({ name }) => name === author) || isServer(world, to.ip),
    )
    const checks = countChecks(world)
    const spentIn = (minutes: number): number => {
      const before = checks.of(ana) + checks.of(ben)
      for (let second = 0; second < minutes * 60; second++) {
        ana.host.ping(ben.publicKey)
        ben.host.ping(ana.publicKey)
        world.queue.run(SECOND)
      }
      return checks.of(ana) + checks.of(ben) - before
    }
    const efforts = [spentIn(30), spentIn(30), spentIn(30)]
    // An effort is 2,048 probes, and 256 checks twice.
    assert.ok((efforts[0] ?? 0) <= 6 * 2_600 + 3_000, `${efforts}`)
    assert.ok((efforts[2] ?? 0) <= 2 * 2_600 + 3_000, `${efforts}`)
    for (const daemon of [ana, ben]) assert.ok(checks.busiest(daemon) <= MOST_EACH_SECOND)
  })

  it('are crossed for several peers at a time, with no more packets and sockets', () => {
    const world = new World({ seed: 4, uneven: true })
    const ana = world.node('ana', world.place('symmetric'))
    const others = ['ben', 'cem', 'dan'].map((name) => world.node(name, world.place('port-restricted')))
    world.startFleet(ana, ...others)
    const checks = countChecks(world)
    let mostSockets = 0
    const took = untilDirect(world, ana, others, () => {
      mostSockets = Math.max(mostSockets, punchingSockets(ana))
    })
    assert.ok(took <= 60 * SECOND, `${took} ms`)
    // Those that are paths stay.
    assert.ok(mostSockets <= 256 + others.length, `${mostSockets} sockets`)
    for (const daemon of [ana, ...others]) assert.ok(checks.busiest(daemon) <= MOST_EACH_SECOND)
    assert.equal(punchingSockets(ana), others.length)
  })
})

describe('two symmetric gateways', () => {
  it('are not worth a packet', () => {
    const world = new World({ seed: 5 })
    const ana = world.node('ana', world.place('symmetric'))
    const ben = world.node('ben', world.place('symmetric'))
    world.startFleet(ana, ben)
    const checks = countChecks(world)
    for (let second = 0; second < 60; second++) {
      ana.host.ping(ben.publicKey)
      world.queue.run(SECOND)
    }
    assert.ok(checks.of(ana) <= 300, `${checks.of(ana)} checks`)
    assert.equal(punchingSockets(ana) + punchingSockets(ben), 0)
  })
})

function aHardPair(seed: number) {
  const world = new World({ seed, uneven: true })
  const ana = world.node('ana', world.place('symmetric'))
  const ben = world.node('ben', world.place('port-restricted'))
  world.startFleet(ana, ben)
  return { world, ana, ben }
}

/** Pings all twice a second until the paths to all are direct; returns how long that took, in milliseconds. */
function untilDirect(world: World, from: Daemon, to: readonly Daemon[], look = () => {}): number {
  const began = world.queue.elapsed
  const isDone = () => to.every(({ publicKey }) => from.status(publicKey).state === 'direct')
  while (!isDone()) {
    assert.ok(world.queue.elapsed < began + 2 * MINUTE, 'no direct path in 2 minutes')
    for (const { publicKey } of to) from.host.ping(publicKey)
    world.queue.run(500)
    look()
  }
  return world.queue.elapsed - began
}

function isServer(world: World, ip: string): boolean {
  return world.reflectors.some((reflector) => reflector.ip === ip)
}

/** Counts the checks that leave from now on. */
function countChecks(world: World) {
  const times = new Map<string, number[]>()
  world.internet.watchers.unshift(({ author, bytes }) => {
    // A check has a user name; a question to a reflector is short.
    if (classify(bytes) !== 'stun' || bytes[0] !== 0 || bytes.length <= 50) return true
    const own = times.get(author) ?? []
    own.push(world.queue.elapsed)
    times.set(author, own)
    return true
  })
  return {
    of: ({ name }: Daemon): number => times.get(name)?.length ?? 0,
    busiest: ({ name }: Daemon): number => busiestSecond(times.get(name) ?? []),
  }
}

function busiestSecond(times: readonly number[]): number {
  let first = 0
  let most = 0
  for (const [last, time] of times.entries()) {
    while (time - (times[first] ?? time) >= SECOND) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}

function punchingSockets(daemon: Daemon): number {
  return daemon.sockets.filter(({ purpose }) => purpose === 'punching').length
}
