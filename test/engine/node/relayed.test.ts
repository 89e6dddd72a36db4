/** Traffic over member relays: how soon it begins, what it survives, and that it ends. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { RelayNode } from '../relayNode.js'
import { type Access, ROUND_TRIP_MS, World } from '../world.js'

describe('two that cannot meet', () => {
  it('speak over a relay within 6 round trips of the first message, cold', (t) => {
    for (const seed of [1, 2, 3]) {
      const { world, ana, ben } = hardPair({ seed })
      const trips = world.awaitPing(ana.host.ping(ben.publicKey)) / ROUND_TRIP_MS
      t.diagnostic(`cold: ${trips} round trips`)
      assert.ok(trips <= 6, `${trips} round trips`)
      assertRelayed(ana, ben)
    }
  })

  it('do so where the record is known, whenever it was heard of', (t) => {
    for (const idleMs of [5 * SECOND, 40 * SECOND, 10 * MINUTE]) {
      const { world, ana, ben } = hardPair()
      world.mesh.lookUpUnasked(ana, ben.publicKey)
      world.queue.run(idleMs)
      const trips = world.awaitPing(ana.host.ping(ben.publicKey)) / ROUND_TRIP_MS
      t.diagnostic(`known ${idleMs / SECOND} s ago: ${trips} round trips`)
      assert.ok(trips <= 6, `${trips} round trips`)
    }
  })

  it('do so where both begin at once', () => {
    const { world, ana, ben } = hardPair()
    const pings = [ana.host.ping(ben.publicKey), ben.host.ping(ana.publicKey)]
    for (const ping of pings) assert.ok(world.awaitPing(ping) <= 6 * ROUND_TRIP_MS)
    assertRelayed(ana, ben)
  })

  it('do so where no knock gets through but by gossip', () => {
    const { world, ana, ben } = hardPair({ gossips: true })
    world.mesh.faults.losesKnock = () => true
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * SECOND)
    assertRelayed(ana, ben)
  })

  it('do so where only the one that is knocked knows a relay', () => {
    const world = new World({ seed: 1 })
    const relay = new RelayNode(world, 101)
    const ana = world.node('ana', world.place('symmetric'))
    const ben = world.node('ben', world.place('symmetric'))
    for (const [own, other] of [
      [ana, ben],
      [ben, ana],
    ] as const) {
      own.host.wireguard.addPeer(other.publicKey)
      world.mesh.relays = own === ben ? [relay.offer()] : []
      own.start()
      world.queue.run(SECOND)
    }
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 8 * ROUND_TRIP_MS)
    assertRelayed(ana, ben)
  })

  it('do so whichever single packet to or from a relay is lost', (t) => {
    let worst = 0
    for (let lost = 0; lost < 40; lost++) {
      const { world, ana, ben, relays } = hardPair()
      const ips = new Set(relays.map(({ address }) => address.ip))
      let seen = 0
      world.internet.watchers.push(({ from, to }) => {
        if (!ips.has(from.ip) && !ips.has(to.ip)) return true
        return seen++ !== lost
      })
      const ms = world.awaitPing(ana.host.ping(ben.publicKey))
      worst = Math.max(worst, ms)
      assert.ok(ms <= 2 * SECOND, `${ms} ms without packet ${lost}`)
    }
    t.diagnostic(`at worst ${worst} ms`)
  })

  it('need no more than one relay that works', () => {
    for (const fault of ['isDead', 'isFull', 'losesPassing'] as const) {
      const { world, ana, ben, relays } = hardPair()
      for (const relay of relays.slice(1)) relay.faults[fault] = true
      const ms = world.awaitPing(ana.host.ping(ben.publicKey))
      assert.ok(ms <= 30 * SECOND, `${fault}: ${ms} ms`)
      assertRelayed(ana, ben)
    }
  })

  it('leave a relay that dies for the other, and have another one again', (t) => {
    const pair = hardPair()
    const { world, ana, ben, relays } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 10 * SECOND)
    const used = relayInUse(pair)
    used.faults.isDead = true
    t.diagnostic(`silent for ${silence(pair)} ms`)
    pass(pair, 40 * SECOND)
    assertRelayed(ana, ben)
    const living = relays.filter((relay) => relay !== used)
    assert.ok(living.every(({ sessions }) => sessions > 0))
  })

  it('leave one that passes nothing on any more', () => {
    const pair = hardPair()
    const { world, ana, ben } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 5 * SECOND)
    relayInUse(pair).faults.losesPassing = true
    pass(pair, 10 * SECOND)
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 2 * ROUND_TRIP_MS)
    assertRelayed(ana, ben)
  })

  it('go on when one of them moves', (t) => {
    const pair = hardPair()
    const { world, ana, ben } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 10 * SECOND)
    for (const mover of [ana, ben]) {
      mover.host.detach(mover.host.ips[0] ?? '')
      mover.host.attach(world.place('symmetric'))
      mover.changeSockets()
      const ms = silence(pair)
      t.diagnostic(`silent for ${ms} ms`)
      assert.ok(ms <= 2 * SECOND, `${ms} ms`)
      pass(pair, 10 * SECOND)
      assertRelayed(ana, ben)
    }
  })

  it('go on at once when both have had no network for a moment, and come back elsewhere', (t) => {
    const pair = hardPair()
    const { world, ana, ben } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 10 * SECOND)
    for (const mover of [ana, ben]) {
      mover.host.detach(mover.host.ips[0] ?? '')
      mover.changeSockets()
    }
    world.queue.run(200)
    for (const mover of [ana, ben]) {
      mover.host.attach(world.place('symmetric'))
      mover.changeSockets()
    }
    const ms = silence(pair)
    t.diagnostic(`silent for ${ms} ms`)
    assert.ok(ms <= 4 * ROUND_TRIP_MS, `${ms} ms`)
    pass(pair, 10 * SECOND)
    assertRelayed(ana, ben)
  })

  it('go on when a gateway forgets all', (t) => {
    const world = new World({ seed: 5 })
    const relays = [101, 102].map((number) => new RelayNode(world, number))
    world.mesh.relays = relays.map((relay) => relay.offer())
    const house = world.house('symmetric')
    const ana = world.node('ana', world.placeIn(house, 2))
    const ben = world.node('ben', world.place('symmetric'))
    world.startFleet(ana, ben)
    const pair = { world, ana, ben, relays }
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 10 * SECOND)
    house.nat.reboot()
    const ms = silence(pair)
    t.diagnostic(`silent for ${ms} ms`)
    assert.ok(ms <= 4 * SECOND, `${ms} ms`)
  })

  it('send nothing once there is no traffic, and their sessions end', () => {
    const pair = hardPair()
    const { world, ana, ben, relays } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 30 * SECOND)
    assert.ok(relays.some(({ sessions }) => sessions > 0))
    world.queue.run(4 * MINUTE)
    const ips = new Set(relays.map(({ address }) => address.ip))
    let packets = 0
    world.internet.watchers.push(({ from, to }: Datagram) => {
      if (ips.has(from.ip) || ips.has(to.ip)) packets += 1
      return true
    })
    world.queue.run(10 * MINUTE)
    assert.equal(packets, 0)
    for (const relay of relays) assert.equal(relay.sessions, 0)
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS, 'and begin anew')
  })

  it('keep few sessions, and spend little on them', (t) => {
    const pair = hardPair()
    const { world, ana, ben, relays } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, MINUTE)
    const before = relays.reduce((sum, { counts }) => sum + counts.binds, 0)
    pass(pair, 10 * MINUTE)
    const binds = relays.reduce((sum, { counts }) => sum + counts.binds, 0) - before
    const sessions = relays.reduce((sum, each) => sum + each.sessions, 0)
    t.diagnostic(`${sessions} sessions, ${binds / 10} binds a minute`)
    assert.ok(sessions <= 4, `${sessions} sessions`)
    assert.ok(binds <= 10 * 30, `${binds} binds in 10 minutes`)
  })

  it('look for a direct path ever more rarely meanwhile', (t) => {
    const pair = hardPair()
    const { world, ana, ben } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    const knocks: number[] = []
    for (let part = 0; part < 3; part++) {
      const before = world.mesh.counts.knocks
      pass(pair, 20 * MINUTE)
      knocks.push(world.mesh.counts.knocks - before)
    }
    t.diagnostic(`knocks in 20 minutes: ${knocks}`)
    assert.ok((knocks[1] ?? 0) <= 10 && (knocks[2] ?? 0) <= 10, `${knocks} knocks in 20 minutes`)
    assertRelayed(ana, ben)
  })
})

describe('two that can meet', () => {
  it('ask relays that stay silent ever more rarely, though another one carries', (t) => {
    const pair = hardPair({ accesses: ['port-restricted', 'port-restricted'] })
    const { world, ana, ben, relays } = pair
    const silent = relays.slice(1)
    for (const { faults } of silent) faults.isFull = true
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, 5 * MINUTE)
    const asked = () => silent.reduce((sum, { counts }) => sum + counts.grants, 0)
    const before = asked()
    pass(pair, 10 * MINUTE)
    t.diagnostic(`${asked() - before} requests in 10 minutes`)
    // Four packets a request, about one a minute from each of the two.
    assert.ok(asked() - before <= 10 * 2 * 4 * 1.5)
    assert.ok(asked() > before)
  })

  it('leave the relay for the direct path, which loses nothing', () => {
    const { world, ana, ben } = hardPair({ accesses: ['port-restricted', 'port-restricted'] })
    world.awaitPing(ana.host.ping(ben.publicKey))
    world.queue.run(2 * SECOND)
    assert.equal(statusOf(ana, ben)?.state, 'direct')
    assert.equal(statusOf(ben, ana)?.state, 'direct')
  })

  it('have the relay at hand when the direct path dies', (t) => {
    const pair = hardPair({ accesses: ['port-restricted', 'port-restricted'] })
    const { world, ana, ben, relays } = pair
    world.awaitPing(ana.host.ping(ben.publicKey))
    pass(pair, MINUTE)
    assert.equal(statusOf(ana, ben)?.state, 'direct')
    const ips = new Set(relays.map(({ address }) => address.ip))
    world.internet.watchers.push(({ from, to }) => ips.has(from.ip) || ips.has(to.ip))
    const ms = silence(pair)
    t.diagnostic(`silent for ${ms} ms`)
    assert.ok(ms <= 300, `${ms} ms`)
    // Traffic goes over both until the verdict.
    pass(pair, 4 * SECOND)
    assertRelayed(ana, ben)
  })
})

interface Pair {
  readonly world: World
  readonly ana: Daemon
  readonly ben: Daemon
  readonly relays: readonly RelayNode[]
}

interface PairOptions {
  readonly seed?: number
  readonly gossips?: boolean
  /** By default both are behind gateways that map by destination. */
  readonly accesses?: readonly [Access, Access]
}

/** Two hosts, and three relays in the middle, 50 ms away and back. */
function hardPair({
  seed = 7,
  gossips = false,
  accesses = ['symmetric', 'symmetric'],
}: PairOptions = {}): Pair {
  const world = new World({ seed, gossips })
  const relays = [101, 102, 103].map((number) => new RelayNode(world, number))
  world.mesh.relays = relays.map((relay) => relay.offer())
  const ana = world.node('ana', world.place(accesses[0]))
  const ben = world.node('ben', world.place(accesses[1]))
  world.startFleet(ana, ben)
  return { world, ana, ben, relays }
}

/** Traffic for so long: a ping each second. */
function pass({ world, ana, ben }: Pair, ms: number): void {
  for (const end = world.queue.elapsed + ms; world.queue.elapsed < end; ) {
    ana.host.ping(ben.publicKey)
    world.queue.run(SECOND)
  }
}

/** How long it takes until one of the pings is answered that are sent each 50 ms. */
function silence({ world, ana, ben }: Pair): number {
  const began = world.queue.elapsed
  const pings = [ana.host.ping(ben.publicKey)]
  while (pings.every(({ answeredAt }) => answeredAt === undefined)) {
    assert.ok(world.queue.elapsed < began + MINUTE, 'silent for a minute')
    world.queue.run(50)
    pings.push(ana.host.ping(ben.publicKey))
  }
  return world.queue.elapsed - began
}

function relayInUse({ ana, ben, relays }: Pair): RelayNode {
  const ip = statusOf(ana, ben)?.path?.remote.ip
  const used = relays.find(({ address }) => address.ip === ip)
  assert.ok(used)
  return used
}

function statusOf(own: Daemon, other: Daemon) {
  return own.node.status(own.clock.now).peers.find(({ publicKey }) => publicKey === other.publicKey)
}

function assertRelayed(ana: Daemon, ben: Daemon): void {
  for (const status of [statusOf(ana, ben), statusOf(ben, ana)]) {
    assert.equal(status?.state, 'relayed')
    assert.equal(status.path?.type, 'relayed')
    assert.match(status.reason, /^over a member relay/)
  }
}
