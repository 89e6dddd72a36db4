import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { nth, ROUND_TRIP_MS, type TestMember, TestWorld } from './members.js'

/** What is measured in round trips has a floating sum of delays below it. */
const trips = (ms: number): number => Math.round((ms / ROUND_TRIP_MS) * 1e6) / 1e6

describe('a member that joins', () => {
  it('is told at once that nobody is connected', () => {
    const world = new TestWorld()
    const ana = world.member('ana', ['203.0.113.1'])
    world.mesh.join(ana)
    assert.deepEqual(ana.heard, [])
    world.queue.run(0)
    assert.deepEqual(ana.told('mesh-changed'), [
      {
        type: 'mesh-changed',
        connected: false,
        multiaddrs: ['/ip4/203.0.113.1/tcp/51821'],
        reflectors: [],
        relays: [],
        witnesses: [],
        gossips: false,
      },
    ])
  })

  it('is connected after 3 round trips, and reachable through its relays after 4', () => {
    const world = new TestWorld({ servers: 3 })
    const ana = world.member('ana')
    world.mesh.join(ana)
    assert.equal(trips(world.untilTrue(() => ana.isOnline)), 3)
    assert.deepEqual(ana.circuits, [])
    assert.equal(trips(world.untilTrue(() => ana.circuits.length > 0)), 1)
    world.queue.run(SECOND)
    assert.equal(ana.circuits.length, 2)
    assert.deepEqual(
      world.servers.map(({ reservationCount }) => reservationCount),
      [1, 1, 0],
    )
  })

  it('names its circuits first, then global addresses, then private ones', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana', ['192.168.1.2', '203.0.113.1', '2001:db8::1'])
    world.mesh.join(ana)
    world.queue.run(SECOND)
    const { peerId } = nth(world.servers, 0)
    assert.deepEqual(ana.surroundings?.multiaddrs, [
      `/ip4/198.51.100.1/tcp/51821/p2p/${peerId}/p2p-circuit`,
      '/ip4/203.0.113.1/tcp/51821',
      '/ip6/2001:db8::1/tcp/51821',
      '/ip4/192.168.1.2/tcp/51821',
    ])
  })

  it('learns where to reflect from the servers in the order in which they answer, one address each first', () => {
    const world = new TestWorld({ servers: 0 })
    world.server({ ips: ['198.51.100.1', '2001:db8:1::1'] })
    world.server({ ips: ['198.51.100.2'] })
    const ana = world.member('ana')
    ana.delays.set('198.51.100.1', 80)
    world.mesh.join(ana)
    world.queue.run(SECOND)
    assert.deepEqual(
      ana.surroundings?.reflectors.map(({ ip }) => ip),
      ['198.51.100.2', '198.51.100.1', '2001:db8:1::1'],
    )
  })

  it('dials the address to which it has a way', () => {
    const world = new TestWorld({ servers: 0 })
    world.server({ ips: ['198.51.100.1', '2001:db8:1::1'] })
    const ana = world.member('ana', ['2001:db8::1'])
    ana.delays.set('198.51.100.1', undefined)
    world.mesh.join(ana)
    assert.equal(trips(world.untilTrue(() => ana.isOnline)), 3)
    assert.equal(ana.surroundings?.reflectors[0]?.ip, '2001:db8:1::1')
  })

  it('knows servers that come later', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    world.server()
    world.queue.run(SECOND)
    assert.equal(ana?.circuits.length, 2)
  })

  it('meets a server that has no room, and tries again', () => {
    const world = new TestWorld({ servers: 0 })
    const server = world.server({ maxConnections: 1 })
    const [ana, ben] = world.settled('ana', 'ben')
    assert.ok(ana?.isOnline === true && ben?.isOnline === false)
    world.mesh.leave(ana, 'clean')
    world.untilTrue(() => ben.isOnline, 20 * SECOND)
    assert.equal(server.connectionCount, 1)
  })
})

describe('a server that cannot be reached', () => {
  it('is tried again with growing pauses, up to 15 s and 30 % more', () => {
    const world = new TestWorld({ servers: 1 })
    nth(world.servers, 0).crash()
    const ana = world.member('ana')
    world.mesh.join(ana)
    const waits = dialPauses(world, 14)
    const expected = [250, 425, 722.5, 1_228, 2_088, 3_550, 6_034, 10_258, 15_000, 15_000, 15_000]
    expected.forEach((ms, at) => {
      // A refusal takes a round trip.
      const pause = nth(waits, at) - ROUND_TRIP_MS
      assert.ok(pause >= ms * 0.999 && pause <= ms * 1.3, `pause ${at}: ${pause} ms`)
    })
    assert.equal(ana.times('mesh-changed').length, 1)
  })

  it('costs 1.5 s where nothing answers: without power, without a way, and where the process hangs', () => {
    for (const fail of ['cut', 'hang', 'no way'] as const) {
      const world = new TestWorld({ servers: 1 })
      const server = nth(world.servers, 0)
      const ana = world.member('ana')
      if (fail === 'no way') ana.isPlugged = false
      else server[fail]()
      world.mesh.join(ana)
      const pause = nth(dialPauses(world, 1), 0) - 1_500
      assert.ok(pause >= 250 && pause <= 325, `${fail}: ${pause} ms`)
    }
  })

  it('costs nothing where the host has no address at all', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana', [])
    world.mesh.join(ana)
    const pause = nth(dialPauses(world, 1), 0)
    assert.ok(pause >= 250 && pause <= 325, `${pause} ms`)
  })

  it('takes a second longer to connect to where the first SYN is lost', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana')
    ana.isPlugged = false
    world.mesh.join(ana)
    world.queue.in(500, () => {
      ana.isPlugged = true
    })
    assert.equal(trips(world.untilTrue(() => ana.isOnline) - SECOND), 3)
    assert.equal(world.mesh.counts.dials, 1)
  })
})

describe('a server that is lost', () => {
  it('cleanly is known one way later, and another takes the reservation', () => {
    const world = new TestWorld({ servers: 3 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const before = ana.circuits
    nth(world.servers, 0).crash()
    assert.equal(trips(world.untilTrue(() => ana.circuits.length === 1)), 0.5)
    assert.equal(ana.isOnline, true)
    assert.equal(trips(world.untilTrue(() => ana.circuits.length === 2)), 1)
    assert.notDeepEqual(ana.circuits, before)
  })

  it('cleanly and comes back soon is connected again in half a second', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const server = nth(world.servers, 0)
    server.crash()
    world.untilTrue(() => !ana.isOnline)
    server.restore()
    const took = world.untilTrue(() => ana.isOnline)
    assert.ok(took >= 50 + 3 * ROUND_TRIP_MS && took <= 65 + 3 * ROUND_TRIP_MS, `${took} ms`)
    assert.equal(ana.surroundings?.multiaddrs.length, 1)
  })

  for (const how of ['hang', 'cut'] as const) {
    it(`without a word (${how}) is found dead by a ping: 5 to 10 s`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const world = new TestWorld({ servers: 1, seed })
        const [ana] = world.settled('ana')
        assert.ok(ana)
        world.queue.run(seed * 730)
        nth(world.servers, 0)[how]()
        const took = world.untilTrue(() => !ana.isOnline)
        assert.ok(took >= 5 * SECOND && took <= 10 * SECOND, `${took} ms`)
      }
    })
  }

  it('for as long as a ping may take, and goes on, is not lost', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    // Pings are due every 5 s after the start, which was a second ago.
    world.queue.run(3_900)
    const server = nth(world.servers, 0)
    server.hang()
    world.queue.run(4_900)
    server.restore()
    world.queue.run(MINUTE)
    assert.equal(ana.isOnline, true)
    assert.equal(world.mesh.counts.dials, 1)
  })

  it('with its power comes back with a reset, where the member has not noticed yet', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const server = nth(world.servers, 0)
    world.queue.run(5_600)
    server.cut()
    world.queue.run(300)
    server.restore()
    const took = world.untilTrue(() => !ana.isOnline)
    assert.ok(took <= 500, `${took} ms`)
    world.untilTrue(() => ana.isOnline, SECOND)
  })
})

describe('a connection of which the server knows nothing any more', () => {
  it('is reset by the first thing that is asked over it', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana, ben] = world.settled('ana', 'ben')
    assert.ok(ana && ben)
    const server = nth(world.servers, 0)
    server.cut()
    server.restore()
    ana.lookUp(ben)
    assert.equal(trips(world.untilTrue(() => !ana.isOnline)), 1)
    assert.equal(ana.times('look-up-ended').length, 1)
    assert.equal(ben.isOnline, true)
  })
})

describe('a thousand members', () => {
  it('are all served, and found by their identity', () => {
    const world = new TestWorld({ servers: 2 })
    const members = Array.from({ length: 1_000 }, (_, at) => {
      const member = world.member(`member ${at}`, [`10.0.${at >> 8}.${at & 255}`])
      member.delayMs = 20 + at / 50
      return member
    })
    for (const member of members) world.mesh.join(member)
    world.queue.run(SECOND)
    assert.ok(members.every(({ isOnline, circuits }) => isOnline && circuits.length === 2))
    const [first, last] = [nth(members, 0), nth(members, 999)]
    first.knock(last)
    world.until(first, 'knock-answered')
    assert.equal(last.times('knock-received').length, 1)
  })
})

describe('a partition', () => {
  it('shorter than a ping may take is only a delay', () => {
    const { world, ana } = lateInTheInterval()
    cut(world, ana)
    world.queue.run(2 * SECOND)
    mend(world, ana)
    world.queue.run(MINUTE)
    assert.equal(world.mesh.counts.dials, 1)
    assert.equal(ana.isOnline, true)
  })

  it('longer than that is found out by both ends, the member after 10 s at most, the server after 35', () => {
    const { world, ana } = lateInTheInterval()
    const server = nth(world.servers, 0)
    cut(world, ana)
    const took = world.untilTrue(() => !ana.isOnline)
    assert.ok(took >= 5 * SECOND && took <= 10 * SECOND, `${took} ms`)
    assert.equal(server.connectionCount, 1)
    const more = world.untilTrue(() => server.connectionCount === 0)
    assert.ok(took + more >= 5 * SECOND && took + more <= 35 * SECOND, `${took + more} ms`)
    mend(world, ana)
    const back = world.untilTrue(() => ana.isOnline)
    assert.ok(back <= 22 * SECOND, `${back} ms`)
  })
})

describe('a host that moves', () => {
  it('would keep a dead connection until its ping fails if libp2p were not told', () => {
    const world = new TestWorld({ servers: 1, practice: { followsMoves: false } })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    move(world, ana)
    assert.equal(ana.isOnline, true)
    const took = world.untilTrue(() => !ana.isOnline)
    assert.ok(took >= 5 * SECOND && took <= 10 * SECOND, `${took} ms`)
    world.untilTrue(() => ana.isOnline, SECOND)
  })

  it('tells of its new address after 50 ms all the same', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    move(world, ana)
    const { multiaddrs = [] } = ana.surroundings ?? {}
    assert.ok(multiaddrs.includes('/ip4/10.9.8.7/tcp/51821'))
  })

  it('is connected again at once', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const moved = world.queue.elapsed
    move(world, ana)
    world.untilTrue(() => ana.isOnline && world.mesh.counts.dials === 2, SECOND)
    const took = world.queue.elapsed - moved
    assert.ok(took <= 50 + 65 + 3 * ROUND_TRIP_MS, `${took} ms`)
  })

  it('calls off a dial from where it was', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana')
    world.mesh.join(ana)
    world.queue.run(ROUND_TRIP_MS / 2)
    move(world, ana)
    const took = world.untilTrue(() => ana.isOnline)
    assert.ok(took <= 65 + 3 * ROUND_TRIP_MS, `${took} ms`)
    world.queue.run(MINUTE)
    assert.equal(world.mesh.counts.dials, 2)
  })

  it('finds out that a connection from an address that stays is dead', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana', ['192.168.1.2', '10.0.0.2'])
    world.mesh.join(ana)
    world.queue.run(SECOND)
    world.mesh.forgottenByGateways(ana)
    ana.ips = ['192.168.1.2']
    world.mesh.moved(ana)
    const took = world.untilTrue(() => world.mesh.counts.dials === 2)
    assert.ok(took <= 50 + 1_500 + 65, `${took} ms`)
  })

  it('keeps the connections from addresses that stay', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana', ['192.168.1.2', '10.0.0.2'])
    world.mesh.join(ana)
    world.queue.run(SECOND)
    ana.ips = ['192.168.1.2']
    world.mesh.moved(ana)
    world.queue.run(MINUTE)
    assert.equal(world.mesh.counts.dials, 1)
  })

  it('and does not wait out a pause, as it would if libp2p were not told', () => {
    const took = [false, true].map((followsMoves) => {
      const world = new TestWorld({ servers: 1, practice: { followsMoves } })
      const [ana] = world.settled('ana')
      assert.ok(ana)
      ana.ips = []
      ana.isPlugged = false
      world.mesh.moved(ana)
      world.queue.run(5 * MINUTE)
      ana.ips = ['10.9.8.7']
      ana.isPlugged = true
      world.mesh.moved(ana)
      return world.untilTrue(() => ana.isOnline)
    })
    assert.ok(nth(took, 0) > SECOND && nth(took, 0) <= 20 * SECOND, `${took} ms`)
    assert.ok(nth(took, 1) <= 500, `${took} ms`)
  })
})

describe('a gateway that forgot the connection', () => {
  it('has it reset by the next ping', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    world.mesh.forgottenByGateways(ana)
    const took = world.untilTrue(() => !ana.isOnline)
    assert.ok(took <= 5 * SECOND, `${took} ms`)
  })

  it('is no concern of hosts with public addresses', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana', ['203.0.113.1'])
    world.mesh.join(ana)
    world.queue.run(SECOND)
    world.mesh.forgottenByGateways(ana)
    world.queue.run(MINUTE)
    assert.equal(world.mesh.counts.dials, 1)
  })
})

describe('a host that sleeps', () => {
  it('for seconds keeps its connections', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    sleep(world, ana, 2 * SECOND)
    world.queue.run(MINUTE)
    assert.equal(world.mesh.counts.dials, 1)
  })

  it('for an hour finds them reset within 5 s of waking up, and is back', () => {
    const world = new TestWorld({ servers: 2 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const before = ana.heard.length
    sleep(world, ana, 60 * MINUTE)
    assert.equal(ana.heard.length, before)
    assert.equal(nth(world.servers, 0).connectionCount, 0)
    const took = world.untilTrue(() => !ana.isOnline)
    assert.ok(took <= 5 * SECOND + ROUND_TRIP_MS, `${took} ms`)
    world.untilTrue(() => ana.isOnline && ana.circuits.length === 2, 2 * SECOND)
  })
})

describe('a member that leaves', () => {
  it('cleanly is gone from the servers one way later', () => {
    const world = new TestWorld({ servers: 2 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    world.mesh.leave(ana, 'clean')
    assert.equal(
      trips(world.untilTrue(() => world.servers.every((server) => server.connectionCount === 0))),
      0.5,
    )
  })

  it('without power is gone when the pings of the servers fail', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    world.mesh.leave(ana, 'silent')
    const took = world.untilTrue(() => nth(world.servers, 0).connectionCount === 0)
    assert.ok(took >= 5 * SECOND && took <= 35 * SECOND, `${took} ms`)
  })

  it('is told nothing more, whatever was under way, and may come again', () => {
    for (const how of ['clean', 'silent'] as const) {
      const world = new TestWorld({ servers: 2 })
      const [ana, ben] = world.settled('ana', 'ben')
      assert.ok(ana && ben)
      ben.onKnock = 'wait'
      ana.onKnock = 'wait'
      ana.lookUp(ben)
      ana.knock(ben)
      ana.publish(ana.record(1))
      ben.knock(ana)
      world.queue.run(ROUND_TRIP_MS / 4)
      const before = ana.heard.length
      world.mesh.leave(ana, how)
      world.queue.run(MINUTE)
      assert.equal(ana.heard.length, before)
      assert.equal(ben.times('knock-failed').length, 1)
      world.mesh.join(ana)
      world.queue.run(SECOND)
      assert.equal(ana.circuits.length, 2)
    }
  })

  it('cannot join twice', () => {
    const world = new TestWorld()
    const [ana] = world.settled('ana')
    assert.ok(ana)
    assert.throws(() => world.mesh.join(ana), /ana is in the mesh already/)
  })
})

/** The times from one dial to the next. */
function dialPauses(world: TestWorld, count: number): readonly number[] {
  const pauses: number[] = []
  let dials = world.mesh.counts.dials
  while (pauses.length < count) {
    const took = world.untilTrue(() => world.mesh.counts.dials > dials, MINUTE)
    dials = world.mesh.counts.dials
    pauses.push(took)
  }
  return pauses
}

/** A moment before a ping of the member is due. */
function lateInTheInterval() {
  const world = new TestWorld({ servers: 1 })
  const [ana] = world.settled('ana')
  assert.ok(ana)
  world.queue.run(3_900)
  return { world, ana }
}

function cut(world: TestWorld, member: TestMember): void {
  member.isPlugged = false
  world.mesh.waysChanged()
}

function mend(world: TestWorld, member: TestMember): void {
  member.isPlugged = true
  world.mesh.waysChanged()
}

function sleep(world: TestWorld, member: TestMember, ms: number): void {
  member.clock.sleep()
  world.mesh.waysChanged(member)
  world.queue.run(ms)
  member.clock.wake()
}

function move(world: TestWorld, member: TestMember): void {
  member.ips = ['10.9.8.7']
  world.mesh.moved(member)
  world.queue.run(60)
}
