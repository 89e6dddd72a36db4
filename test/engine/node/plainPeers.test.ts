import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import { WIREGUARD_PORT } from '../../../simulations/hosts/wireguardHost.js'
import { HOUR, SECOND } from '../../../src/base/time.js'
import { ROUND_TRIP_MS, World } from '../world.js'

describe('a peer without Tunnelbore', () => {
  it('at a configured endpoint gets the first message at once: two round trips to the first answer', () => {
    const { world, ana, phone } = anaAndPhone()
    ana.host.wireguard.addPeer(phone.publicKey, { endpoint: addressOf(phone.ips) })
    phone.wireguard.addPeer(ana.publicKey)
    world.startFleet(ana)
    assert.equal(world.awaitPing(ana.host.ping(phone.publicKey)), 2 * ROUND_TRIP_MS)
    const { state, path } = ana.status(phone.publicKey)
    assert.equal(state, 'direct')
    assert.equal(path?.proof, 'handshake')
    assert.deepEqual(path?.remote, addressOf(phone.ips))
    assert.equal(world.awaitPing(phone.ping(ana.publicKey)), ROUND_TRIP_MS)
  })

  it('stays connected for two hours, and is looked for ever more rarely', () => {
    const { world, ana, phone } = anaAndPhone()
    ana.host.wireguard.addPeer(phone.publicKey, { endpoint: addressOf(phone.ips) })
    phone.wireguard.addPeer(ana.publicKey)
    world.startFleet(ana)
    world.awaitPing(ana.host.ping(phone.publicKey))
    const { lookUps } = world.mesh.counts
    for (
      const end = world.queue.elapsed + 2 * HOUR;
      world.queue.elapsed < end;
      world.queue.run(10 * SECOND)
    ) {
      const took = world.awaitPing(ana.host.ping(phone.publicKey))
      assert.equal(took, ROUND_TRIP_MS, `${world.queue.elapsed} ms`)
    }
    // After 1, 2, 4, 8, 16, 32 and 60 minutes: it may begin to run Tunnelbore.
    assert.ok(world.mesh.counts.lookUps - lookUps <= 8, `${world.mesh.counts.lookUps - lookUps} look-ups`)
    assert.equal(world.mesh.counts.knocks, 0)
    assert.equal(ana.status(phone.publicKey).path?.proof, 'handshake')
  })

  it('is answered on our shared port, whoever begins', () => {
    const { world, ana, phone } = anaAndPhone('open')
    ana.host.wireguard.addPeer(phone.publicKey)
    phone.wireguard.addPeer(ana.publicKey, {
      endpoint: { ip: ana.host.ips[0] ?? '', port: SHARED_PORT },
    })
    world.startFleet(ana)
    assert.equal(world.awaitPing(phone.ping(ana.publicKey)), 2 * ROUND_TRIP_MS)
    assert.equal(world.awaitPing(ana.host.ping(phone.publicKey)), ROUND_TRIP_MS)
    assert.equal(ana.status(phone.publicKey).path?.proof, 'handshake')
  })

  it('is found again when it roams', () => {
    const { world, ana, phone } = anaAndPhone('open')
    ana.host.wireguard.addPeer(phone.publicKey)
    phone.wireguard.addPeer(ana.publicKey, {
      endpoint: { ip: ana.host.ips[0] ?? '', port: SHARED_PORT },
    })
    world.startFleet(ana)
    world.awaitPing(phone.ping(ana.publicKey))
    phone.detach(phone.ips[0] ?? '')
    const place = world.publicPlace()
    phone.attach(place)
    // WireGuard begins anew when nothing came back for 15 s.
    for (let second = 0; second < 20; second++) {
      phone.ping(ana.publicKey)
      world.queue.run(SECOND)
    }
    world.awaitPing(phone.ping(ana.publicKey))
    assert.equal(ana.status(phone.publicKey).path?.remote.ip, place.ips[0])
    assert.equal(world.awaitPing(ana.host.ping(phone.publicKey)), ROUND_TRIP_MS)
  })

  it("that speaks to WireGuard's own port is external within 2 s, and left alone", () => {
    const { world, ana, phone } = anaAndPhone('open')
    ana.host.wireguard.addPeer(phone.publicKey)
    phone.wireguard.addPeer(ana.publicKey, {
      endpoint: { ip: ana.host.ips[0] ?? '', port: WIREGUARD_PORT },
    })
    world.startFleet(ana)
    assert.equal(world.awaitPing(phone.ping(ana.publicKey)), 2 * ROUND_TRIP_MS)
    world.queue.run(2 * SECOND)
    assert.equal(ana.status(phone.publicKey).state, 'external')
    const { sent } = ana.counts
    for (let second = 0; second < 600; second += 10) {
      assert.equal(world.awaitPing(ana.host.ping(phone.publicKey)), ROUND_TRIP_MS)
      world.queue.run(10 * SECOND)
    }
    const [entry] = ana.host.wireguard.peers
    assert.deepEqual(entry?.endpoint, addressOf(phone.ips))
    assert.equal(ana.counts.sent, sent)
    assert.equal(ana.status(phone.publicKey).state, 'external')
    assert.equal(ana.node.endpointsToRestore.has(phone.publicKey), false)
  })

  it('is ours again when its session has died, and is tried where it was', () => {
    const { world, ana, phone } = anaAndPhone('open')
    ana.host.wireguard.addPeer(phone.publicKey)
    phone.wireguard.addPeer(ana.publicKey, {
      endpoint: { ip: ana.host.ips[0] ?? '', port: WIREGUARD_PORT },
    })
    world.startFleet(ana)
    world.awaitPing(phone.ping(ana.publicKey))
    world.queue.run(190 * SECOND)
    const [entry] = ana.host.wireguard.peers
    assert.equal(entry?.endpoint?.ip.startsWith('127.'), true)
    assert.equal(world.awaitPing(ana.host.ping(phone.publicKey)), 2 * ROUND_TRIP_MS)
    assert.deepEqual(ana.node.endpointsToRestore.get(phone.publicKey), addressOf(phone.ips))
  })
})

describe('a peer that was external', () => {
  it('becomes ours when it begins to run Tunnelbore, losing a ping each way at most', () => {
    const world = new World({ seed: 5 })
    const ana = world.node('ana', world.publicPlace())
    const ben = world.node('ben', world.place('port-restricted'))
    ben.host.wireguard.addPeer(ana.publicKey, {
      endpoint: { ip: ana.host.ips[0] ?? '', port: WIREGUARD_PORT },
    })
    ana.host.wireguard.addPeer(ben.publicKey)
    world.startFleet(ana)
    world.awaitPing(ben.host.ping(ana.publicKey))
    world.queue.run(2 * SECOND)
    assert.equal(ana.status(ben.publicKey).state, 'external')
    ben.start()
    for (let second = 0; second < 420; second++) {
      ana.host.ping(ben.publicKey)
      ben.host.ping(ana.publicKey)
      world.queue.run(SECOND)
    }
    assert.equal(ana.status(ben.publicKey).path?.proof, 'check')
    assert.equal(ben.status(ana.publicKey).path?.proof, 'check')
    const unanswered = [...ana.host.pings, ...ben.host.pings].filter(
      ({ answeredAt }) => answeredAt === undefined,
    )
    assert.ok(unanswered.length <= 2, `${unanswered.length} pings lost`)
  })
})

describe('the catch-all endpoint', () => {
  it('takes a first message for the peer whose mac1 it has', () => {
    const world = new World({ seed: 6 })
    const ana = world.node('ana', world.place('port-restricted'))
    const others = [1, 2, 3].map((n) => world.node(`peer ${n}`, world.place('port-restricted')))
    world.startFleet(ana, ...others)
    for (const other of others) {
      ana.host.wireguard.setEndpoint(other.publicKey, ana.node.catchAll)
      assert.ok(world.awaitPing(ana.host.ping(other.publicKey)) <= 6 * ROUND_TRIP_MS)
      // The second message came from the peer's own loopback endpoint, where WireGuard sends from now on.
      const entry = ana.host.wireguard.peers.find(({ publicKey }) => publicKey === other.publicKey)
      assert.deepEqual(entry?.endpoint, ana.status(other.publicKey).loopback)
    }
  })

  it('drops what is no first message, and first messages for others', () => {
    const { world, ana, phone } = anaAndPhone()
    const ben = world.node('ben', world.place('open'))
    world.startFleet(ana, ben)
    world.awaitPing(ana.host.ping(ben.publicKey))
    ana.host.wireguard.setEndpoint(ben.publicKey, ana.node.catchAll)
    ana.host.ping(ben.publicKey)
    ana.host.wireguard.addPeer(phone.publicKey, { endpoint: ana.node.catchAll })
    ana.host.ping(phone.publicKey)
    world.queue.run(1)
    const drops = ana.node.drops.toJSON()
    assert.equal(drops['catch-all-not-first'], 1)
    assert.equal(drops['catch-all-no-such-peer'], 1)
  })
})

function anaAndPhone(access: 'open' | 'port-restricted' = 'port-restricted') {
  const world = new World({ seed: 5 })
  return {
    world,
    ana: world.node('ana', world.place(access)),
    phone: world.plainHost('phone', world.publicPlace()),
  }
}

function addressOf(ips: readonly string[]) {
  return { ip: ips[0] ?? '', port: WIREGUARD_PORT }
}
