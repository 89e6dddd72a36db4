import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import { parsePublicKey } from '../../../src/base/publicKey.js'
import { SECOND } from '../../../src/base/time.js'
import { ROUND_TRIP_MS, World } from '../world.js'

const DEFAULT_ROUTE = { prefix: { ip: '0.0.0.0', length: 0 }, device: 'eth0', tunnel: false }

describe('a path in use', () => {
  it('that goes silent is replaced within 2 s where there is another way', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new World({ seed, uneven: true })
      const ana = world.node('ana', world.publicPlace(), world.publicPlace())
      const ben = world.node('ben', world.publicPlace(), world.publicPlace())
      world.startFleet(ana, ben)
      for (let ping = 0; ping < 30; ping++) {
        ana.host.ping(ben.publicKey)
        world.queue.run(100)
      }
      const used = [ana.status(ben.publicKey).path, ben.status(ana.publicKey).path]
      world.internet.watchers.push(({ from, to }) =>
        used.every((path) => {
          const ends = [path?.local.ip, path?.remote.ip]
          return !(ends.includes(from.ip) && ends.includes(to.ip))
        }),
      )
      const took = untilAnswered(world, ana, ben)
      assert.ok(took <= 2_000 + 2 * ROUND_TRIP_MS, `seed ${seed}: ${took} ms`)
    }
  })

  it('whose gateway forgot all is found again through the mesh', () => {
    for (const forgetful of [0, 1]) {
      const { world, houses, ana, ben } = behindGateways()
      houses[forgetful]?.nat.reboot()
      const took = untilAnswered(world, ana, ben)
      assert.ok(took <= 3 * SECOND, `gateway ${forgetful}: ${took} ms`)
    }
  })

  it('is found again when the peer is elsewhere', () => {
    const { world, ana, ben } = behindGateways()
    move(world, ben)
    const took = untilAnswered(world, ana, ben)
    assert.ok(took <= 3 * SECOND, `${took} ms`)
  })

  it('is found again when we are elsewhere', () => {
    const { world, ana, ben } = behindGateways()
    move(world, ana)
    const took = untilAnswered(world, ana, ben)
    assert.ok(took <= 3 * SECOND, `${took} ms`)
  })

  it('is found again when both are elsewhere', () => {
    const { world, ana, ben } = behindGateways()
    move(world, ana)
    move(world, ben)
    const took = untilAnswered(world, ana, ben)
    assert.ok(took <= 4 * SECOND, `${took} ms`)
  })

  it('is found again by itself when the network was away for a minute', () => {
    const { world, ana, ben } = behindGateways()
    let away = true
    world.internet.watchers.push(() => !away)
    world.mesh.faults.losesKnock = () => away
    world.mesh.faults.lookUp = (_asker, peer) => {
      const record = world.mesh.record(peer)
      return away ? 'lost' : record === undefined ? [] : [record]
    }
    const lost = untilAnsweredOrNever(world, ana, ben, 60 * SECOND)
    assert.equal(lost, undefined)
    assert.equal(ana.status(ben.publicKey).state, 'unreachable')
    away = false
    // WireGuard itself repeats its first message every 5 s; attempts are made ever more rarely, up to 60 s apart.
    const took = untilAnswered(world, ana, ben, 65 * SECOND)
    assert.ok(took <= 20 * SECOND, `${took} ms`)
  })

  it('costs nothing that a peer has died: attempts become rarer', () => {
    const { world, ana, ben } = behindGateways()
    ben.host.detach(ben.host.ips[0] ?? '')
    ben.setOnline(false)
    untilAnsweredOrNever(world, ana, ben, 120 * SECOND)
    const before = { ...world.mesh.counts, sent: ana.counts.sent }
    untilAnsweredOrNever(world, ana, ben, 600 * SECOND)
    const lookUps = world.mesh.counts.lookUps - before.lookUps
    const knocks = world.mesh.counts.knocks - before.knocks
    assert.ok(lookUps <= 80 && knocks <= 80, `${lookUps} look-ups, ${knocks} knocks in 10 minutes`)
    // Of a first message every 5 s, and a few checks an attempt.
    assert.ok(ana.counts.sent - before.sent <= 600, `${ana.counts.sent - before.sent} datagrams`)
  })
})

describe('the interface', () => {
  it('may get a peer while we run, which is pinged 2 s later', () => {
    const world = new World({ seed: 8 })
    const ana = world.node('ana', world.place('port-restricted'))
    const ben = world.node('ben', world.place('address-restricted'))
    ben.host.wireguard.addPeer(ana.publicKey)
    ana.start()
    ben.start()
    world.queue.run(5 * SECOND)
    ana.host.wireguard.addPeer(ben.publicKey)
    world.queue.run(2 * SECOND)
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS)
  })

  it('may lose a peer while we run: nothing of it is left, and it may come again', () => {
    const { world, ana, ben } = behindGateways()
    ana.host.wireguard.removePeer(ben.publicKey)
    world.queue.run(2 * SECOND)
    assert.deepEqual(ana.node.status(world.queue.now).peers, [])
    const { sent, delivered } = ana.counts
    ben.host.ping(ana.publicKey)
    world.queue.run(30 * SECOND)
    assert.deepEqual([ana.counts.sent, ana.counts.delivered], [sent, delivered])
    const drops = ana.node.drops.toJSON()
    assert.ok((drops['stun-unknown-user'] ?? 0) > 0)
    assert.ok((drops['wireguard-unknown-sender'] ?? 0) > 0)
    assert.ok((drops['record-unknown-author'] ?? 0) > 0)

    ana.host.wireguard.addPeer(ben.publicKey)
    world.queue.run(2 * SECOND)
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS)
  })

  it('may have a peer with our own key, or one that nobody can have: it is left out and said', () => {
    const world = new World({ seed: 8 })
    const ana = world.node('ana', world.place('open'))
    const nobody = parsePublicKey('AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=')
    assert.ok(nobody !== undefined)
    const effects = ana.node.handle(
      {
        type: 'interface-read',
        peers: [nobody, ana.publicKey].map((publicKey) => ({
          publicKey,
          endpoint: undefined,
          isLinkLocal: false,
          latestHandshake: undefined,
        })),
      },
      world.queue.now,
    )
    assert.deepEqual(
      effects.map((effect) => (effect.type === 'log' ? effect.level : effect.type)),
      ['warn', 'warn'],
    )
    assert.deepEqual(ana.node.status(world.queue.now).peers, [])
  })
})

describe("the machine's sockets", () => {
  it('may go away: the other one takes over, and the closed one is never used', () => {
    const world = new World({ seed: 9 })
    const ana = world.node('ana', world.publicPlace(), world.publicPlace())
    const ben = world.node('ben', world.place('port-restricted'))
    world.startFleet(ana, ben)
    world.awaitPing(ana.host.ping(ben.publicKey))
    const used = ana.status(ben.publicKey).path?.local.ip
    assert.ok(used !== undefined)
    ana.host.detach(used)
    // Sending over a socket that is not open throws.
    ana.changeSockets()
    const took = untilAnswered(world, ana, ben)
    assert.ok(took <= 2 * SECOND, `${took} ms`)
    assert.notEqual(ana.status(ben.publicKey).path?.local.ip, used)
  })

  it('may all go away, and come again', () => {
    const { world, ana, ben } = behindGateways()
    ana.host.detach(ana.host.ips[0] ?? '')
    ana.changeSockets()
    assert.equal(ana.status(ben.publicKey).path, undefined)
    assert.equal(untilAnsweredOrNever(world, ana, ben, 30 * SECOND), undefined)
    ana.host.attach(world.place('port-restricted'))
    ana.changeSockets()
    const took = untilAnswered(world, ana, ben)
    assert.ok(took <= 6 * SECOND, `${took} ms`)
  })
})

describe('a remote to which our routes lead through the tunnel', () => {
  it('is never sent to', () => {
    const world = new World({ seed: 10 })
    const ana = world.node('ana', world.publicPlace())
    const ben = world.node('ben', world.publicPlace(), world.publicPlace())
    world.startFleet(ana, ben)
    const [looped = '', free] = ben.host.ips
    ana.changeRoutes([DEFAULT_ROUTE, { prefix: { ip: looped, length: 32 }, device: 'wg0', tunnel: true }])
    world.internet.watchers.push(({ from, to }) => {
      assert.ok(from.ip !== ana.host.ips[0] || to.ip !== looped)
      return true
    })
    world.awaitPing(ana.host.ping(ben.publicKey))
    world.queue.run(60 * SECOND)
    assert.equal(ana.status(ben.publicKey).path?.remote.ip, free)
  })

  it('is left when the route appears while the path is in use', () => {
    const world = new World({ seed: 10 })
    const ana = world.node('ana', world.publicPlace())
    const ben = world.node('ben', world.publicPlace(), world.publicPlace())
    world.startFleet(ana, ben)
    world.awaitPing(ana.host.ping(ben.publicKey))
    const looped = ana.status(ben.publicKey).path?.remote.ip ?? ''
    ana.changeRoutes([DEFAULT_ROUTE, { prefix: { ip: looped, length: 32 }, device: 'wg0', tunnel: true }])
    world.internet.watchers.push(({ from, to }) => {
      assert.ok(from.ip !== ana.host.ips[0] || to.ip !== looped)
      return true
    })
    const took = untilAnswered(world, ana, ben)
    assert.ok(took <= 2 * SECOND, `${took} ms`)
    assert.notEqual(ana.status(ben.publicKey).path?.remote.ip, looped)
  })

  it('is nobody at all with a full tunnel that our packets would enter', () => {
    const { world, ana, ben } = behindGateways()
    ana.changeRoutes([{ prefix: { ip: '0.0.0.0', length: 0 }, device: 'wg0', tunnel: true }])
    const { sent } = ana.counts
    untilAnsweredOrNever(world, ana, ben, 30 * SECOND)
    assert.equal(ana.counts.sent, sent)
  })
})

/** Two connected hosts, each behind a port-restricted gateway of its own. */
function behindGateways() {
  const world = new World({ seed: 7 })
  const houses = [world.house('port-restricted'), world.house('port-restricted')]
  const [ana, ben] = houses.map((house, at) => world.node(`host ${at}`, world.placeIn(house, 2)))
  assert.ok(ana !== undefined && ben !== undefined)
  world.startFleet(ana, ben)
  world.awaitPing(ana.host.ping(ben.publicKey))
  world.queue.run(3 * SECOND)
  return { world, houses, ana, ben }
}

function move(world: World, daemon: Daemon): void {
  daemon.host.detach(daemon.host.ips[0] ?? '')
  daemon.host.attach(world.place('port-restricted'))
  daemon.changeSockets()
}

/** Pings ten times a second until one is answered; returns how long that took. */
function untilAnswered(world: World, from: Daemon, to: Daemon, ms = 30 * SECOND): number {
  const took = untilAnsweredOrNever(world, from, to, ms)
  assert.ok(took !== undefined, `no answer within ${ms} ms`)
  return took
}

function untilAnsweredOrNever(world: World, from: Daemon, to: Daemon, ms: number): number | undefined {
  const began = world.queue.elapsed
  const first = from.host.pings.length
  while (world.queue.elapsed < began + ms) {
    from.host.ping(to.publicKey)
    const answered = world.queue.runUntil(
      () => from.host.pings.slice(first).some(({ answeredAt }) => answeredAt !== undefined),
      100,
    )
    if (answered) return world.queue.elapsed - began
  }
  return undefined
}
