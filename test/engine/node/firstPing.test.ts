import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import { randomBelow, seededRandom } from '../../../src/base/random.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { type Access, ROUND_TRIP_MS, World } from '../world.js'

const ACCESSES: readonly Access[] = ['open', 'full-cone', 'address-restricted', 'port-restricted']
const PAIRS = ACCESSES.flatMap((from) => ACCESSES.map((to) => ({ from, to })))

describe('the first ping', () => {
  for (const { from, to } of PAIRS) {
    it(`from ${from} to ${to} is answered over a direct path within 6 round trips, cold`, (t) => {
      const { world, ana, ben } = twoHosts(from, to)
      const trips = world.awaitPing(ana.host.ping(ben.publicKey)) / ROUND_TRIP_MS
      t.diagnostic(`${from} to ${to}, cold: ${trips} round trips`)
      assert.ok(trips <= 6, `${trips} round trips`)
      assertDirect(ana, ben)
    })

    it(`from ${from} to ${to} is answered within 3 round trips where the record is known`, (t) => {
      for (const idleMs of [5 * SECOND, 40 * SECOND, 10 * MINUTE]) {
        const { world, ana, ben } = twoHosts(from, to)
        world.mesh.lookUpUnasked(ana, ben.publicKey)
        world.queue.run(idleMs)
        const trips = world.awaitPing(ana.host.ping(ben.publicKey)) / ROUND_TRIP_MS
        t.diagnostic(`${from} to ${to}, known ${idleMs / SECOND} s ago: ${trips} round trips`)
        assert.ok(trips <= 3, `${trips} round trips, ${idleMs} ms after the look-up`)
        assertDirect(ana, ben)
      }
    })

    it(`from ${from} to ${to} is answered within 6 round trips after both gateways forgot all`, () => {
      const world = new World({ seed: 7 })
      const places = [from, to].map((access) => {
        if (access === 'open') return { place: world.publicPlace(), nat: undefined }
        const house = world.house(access)
        return { place: world.placeIn(house, 2), nat: house.nat }
      })
      const [ana, ben] = places.map(({ place }) => world.node('host', place))
      assert.ok(ana !== undefined && ben !== undefined)
      world.startFleet(ana, ben)
      world.queue.run(MINUTE)
      for (const { nat } of places) nat?.reboot()
      assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS)
      assertDirect(ana, ben)
    })
  }

  it('needs no second effort where one side is symmetric and the other lets its address in', () => {
    for (const [from, to] of [
      ['symmetric', 'open'],
      ['open', 'symmetric'],
      ['symmetric', 'full-cone'],
      ['symmetric', 'address-restricted'],
      ['address-restricted', 'symmetric'],
    ] as const) {
      const { world, ana, ben } = twoHosts(from, to)
      const trips = world.awaitPing(ana.host.ping(ben.publicKey)) / ROUND_TRIP_MS
      assert.ok(trips <= 6, `${from} to ${to}: ${trips} round trips`)
    }
  })

  it('through the tunnel later takes one round trip; the engine sees no more than a packet now and then', () => {
    const { world, ana, ben } = twoHosts('port-restricted', 'port-restricted')
    world.awaitPing(ana.host.ping(ben.publicKey))
    world.queue.run(SECOND)
    assert.equal(world.awaitPing(ana.host.ping(ben.publicKey)), ROUND_TRIP_MS)
    ana.journal = []
    assert.equal(world.awaitPing(ana.host.ping(ben.publicKey)), ROUND_TRIP_MS)
    const handled = ana.journal.filter(
      ({ call }) =>
        call.type === 'handle' &&
        (call.input.type === 'wireguard-sent' || call.input.type === 'datagram-received'),
    )
    assert.deepEqual(handled, [])
  })

  it('goes out at once when the record appears that the mesh did not have at first', () => {
    const { world, ana, ben } = twoHosts('port-restricted', 'full-cone')
    let asked = 0
    world.mesh.faults.lookUp = (_asker, peer) => {
      asked += 1
      const record = world.mesh.record(peer)
      return asked < 3 || record === undefined ? [] : [record]
    }
    const took = world.awaitPing(ana.host.ping(ben.publicKey))
    assert.equal(asked, 3)
    // Two failed look-ups and the waits after them, 0.5 and 1 s; then as ever.
    assert.ok(took <= 1_600 + 6 * ROUND_TRIP_MS, `${took} ms`)
  })

  it('is answered within 6 s where the first knock is lost, of which 4 s are its deadline', () => {
    const { world, ana, ben } = twoHosts('port-restricted', 'port-restricted')
    let knocks = 0
    world.mesh.faults.losesKnock = () => ++knocks === 1
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * SECOND)
  })

  it('is answered though the mesh gives an old record at first', () => {
    const { world, ana, ben } = twoHosts('port-restricted', 'port-restricted')
    const stale = world.mesh.record(ben.publicKey)
    assert.ok(stale !== undefined)
    ben.host.detach(ben.host.ips[0] ?? '')
    ben.host.attach(world.place('full-cone'))
    ben.changeSockets()
    world.queue.run(2 * SECOND)
    world.mesh.faults.lookUp = (_asker, peer) => [stale, world.mesh.record(peer) ?? stale, stale]
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS)
    assert.equal(ana.node.drops.toJSON()['record-rollback'], 1)
  })
})

describe('both hosts ping at the same instant, or nearly', () => {
  for (const { from, to } of PAIRS) {
    it(`and neither ${from} nor ${to} stalls for 5 s`, () => {
      for (const seed of [1, 2]) {
        for (const apartMs of [0, 20, 50, 75, 100, 130, 150, 200])
          assertNoStall(twoHosts(from, to, seed), apartMs, `seed ${seed}`)
      }
    })
  }

  it('on ways of any length', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = seededRandom(seed)
      const access = (): Access => ACCESSES[randomBelow(random, ACCESSES.length)] ?? 'open'
      const hosts = twoHosts(access(), access(), seed, true)
      assertNoStall(hosts, randomBelow(random, 400) / 2, `seed ${seed}`)
    }
  })

  it('when the session has died and the path is in use', () => {
    for (let seed = 1; seed <= 10; seed++) {
      for (const apartMs of [0, 49, 50, 100]) {
        const hosts = twoHosts('port-restricted', 'port-restricted', seed, seed % 2 === 0)
        hosts.world.awaitPing(hosts.ana.host.ping(hosts.ben.publicKey))
        hosts.world.queue.run(200 * SECOND)
        assertNoStall(hosts, apartMs, `seed ${seed}`)
      }
    }
  })
})

describe('two hosts behind the same gateway', () => {
  it('use their addresses in the house', () => {
    for (const kind of ['full-cone', 'address-restricted', 'port-restricted', 'symmetric'] as const) {
      const world = new World({ seed: 3 })
      const house = world.house(kind)
      const ana = world.node('ana', world.placeIn(house, 2))
      const ben = world.node('ben', world.placeIn(house, 3))
      world.startFleet(ana, ben)
      world.awaitPing(ana.host.ping(ben.publicKey))
      world.queue.run(SECOND)
      for (const [one, other] of [
        [ana, ben],
        [ben, ana],
      ] as const) {
        const { path } = one.status(other.publicKey)
        assert.equal(path?.type, 'host')
        assert.equal(path?.remote.ip, other.host.ips[0])
      }
      assert.equal(world.awaitPing(ana.host.ping(ben.publicKey)), 2)
    }
  })

  it('are told from hosts with the same private address elsewhere', () => {
    const world = new World({ seed: 4 })
    const here = world.house('port-restricted', { subnet: '192.168.1' })
    const there = world.house('port-restricted', { subnet: '192.168.1' })
    const ana = world.node('ana', world.placeIn(here, 2))
    const ben = world.node('ben', world.placeIn(there, 3))
    const namesake = world.node('namesake', world.placeIn(here, 3))
    namesake.start()
    world.startFleet(ana, ben)
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS)
    assert.equal(ana.status(ben.publicKey).path?.remote.ip, there.nat.ip)
  })
})

function twoHosts(from: Access, to: Access, seed = 1, uneven = false) {
  const world = new World({ seed, uneven })
  const ana = world.node('ana', world.place(from))
  const ben = world.node('ben', world.place(to))
  world.startFleet(ana, ben)
  return { world, ana, ben }
}

function assertNoStall(
  { world, ana, ben }: ReturnType<typeof twoHosts>,
  apartMs: number,
  which: string,
): void {
  const first = ana.host.ping(ben.publicKey)
  world.queue.run(apartMs)
  const second = ben.host.ping(ana.publicKey)
  world.queue.run(1.5 * SECOND)
  for (const { sentAt, answeredAt } of [first, second]) {
    const took = (answeredAt ?? Number.POSITIVE_INFINITY) - sentAt
    assert.ok(took <= SECOND, `${which}, ${apartMs} ms apart: ${took} ms`)
  }
}

function assertDirect(ana: Daemon, ben: Daemon): void {
  assert.equal(ana.status(ben.publicKey).state, 'direct')
  assert.equal(ben.status(ana.publicKey).state, 'direct')
  assert.equal(ana.status(ben.publicKey).path?.proof, 'check')
}
