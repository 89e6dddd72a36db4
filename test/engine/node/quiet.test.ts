import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { classify } from '../../../src/wire/classify.js'
import { ROUND_TRIP_MS, World } from '../world.js'

describe('peers without traffic', () => {
  it('cost no packet at all in an hour, before they ever spoke', () => {
    const { world, ana, ben } = connectedTo('nobody')
    const sent = ana.counts.sent + ben.counts.sent
    world.queue.run(HOUR)
    assert.equal(ana.counts.sent + ben.counts.sent, sent)
    // Each looked for what the mesh has of itself, and for the other's record until it had it.
    assert.ok(world.mesh.counts.lookUps <= 6, `${world.mesh.counts.lookUps} look-ups`)
    assert.equal(world.mesh.counts.knocks, 0)
  })

  it('cost no packet at all in an hour, five minutes after they spoke', () => {
    const { world, ana, ben } = connectedTo('each other')
    world.queue.run(5 * MINUTE)
    const sent = ana.counts.sent + ben.counts.sent
    world.queue.run(HOUR)
    assert.equal(ana.counts.sent + ben.counts.sent, sent)
  })

  it('have us woken a few times an hour only', () => {
    const { world, ana } = connectedTo('each other')
    world.queue.run(5 * MINUTE)
    const { woken } = ana.counts
    world.queue.run(HOUR)
    assert.ok(ana.counts.woken - woken <= 30, `woken ${ana.counts.woken - woken} times`)
  })

  it('speak again within 6 round trips after an hour of silence', () => {
    const { world, ana, ben } = connectedTo('each other')
    world.queue.run(HOUR)
    assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 6 * ROUND_TRIP_MS)
  })
})

describe('peers whose PersistentKeepalive asks for it', () => {
  it('keep the mapping for an hour without any other traffic, and nobody else is kept', () => {
    const world = new World({ seed: 11 })
    const [ana, ben, cas] = ['ana', 'ben', 'cas'].map((name) =>
      world.node(name, world.placeIn(world.house('port-restricted', { lifetimeMs: 30 * SECOND }), 2)),
    )
    assert.ok(ana !== undefined && ben !== undefined && cas !== undefined)
    world.startFleet(ana, ben, cas)
    const endpoint = ana.host.wireguard.endpointOf(ben.publicKey)
    assert.ok(endpoint !== undefined)
    ana.host.wireguard.addPeer(ben.publicKey, { keepaliveMs: 25 * SECOND, endpoint })
    world.awaitPing(ana.host.ping(ben.publicKey))
    world.awaitPing(ana.host.ping(cas.publicKey))
    world.queue.run(5 * MINUTE)
    const [bySilent, knocks] = [cas.counts.sent, world.mesh.counts.knocks]
    world.queue.run(HOUR)
    assert.equal(cas.counts.sent, bySilent)
    assert.equal(world.mesh.counts.knocks, knocks)
    // The silent side gets through at once, because the other one holds the way open.
    assert.ok(world.awaitPing(ben.host.ping(ana.publicKey)) <= 2 * ROUND_TRIP_MS)
  })
})

describe('peers with traffic', () => {
  it('are not knocked again in two hours of rekeys, and looked up once each, when their records grow old', () => {
    const { world, ana, ben } = connectedTo('each other')
    const { lookUps, knocks } = world.mesh.counts
    for (const end = world.queue.elapsed + 2 * HOUR; world.queue.elapsed < end; ) {
      assert.equal(world.awaitPing(ana.host.ping(ben.publicKey)), ROUND_TRIP_MS)
      world.queue.run(5 * SECOND)
    }
    assert.deepEqual([world.mesh.counts.lookUps, world.mesh.counts.knocks], [lookUps + 2, knocks])
  })

  it('keep their mappings by a check every 20 s, though nothing else is sent for most of the time', () => {
    const { world, ana, ben } = connectedTo('each other', 30 * SECOND)
    const checks: Datagram[] = []
    world.internet.watchers.push((datagram) => {
      if (classify(datagram.bytes) === 'stun' && datagram.bytes[0] === 0) checks.push(datagram)
      return true
    })
    const { lookUps, knocks } = world.mesh.counts
    for (let round = 0; round < 36; round++) {
      world.queue.run(100 * SECOND)
      // Every other time the session is dead, and a handshake comes first.
      assert.ok(world.awaitPing(ana.host.ping(ben.publicKey)) <= 2 * ROUND_TRIP_MS)
    }
    assert.deepEqual([world.mesh.counts.lookUps, world.mesh.counts.knocks], [lookUps, knocks])
    // An hour has 180 times 20 s, for each of the two.
    assert.ok(checks.length >= 300 && checks.length <= 380, `${checks.length} checks`)
  })
})

function connectedTo(whom: 'nobody' | 'each other', lifetimeMs = 120 * SECOND) {
  const world = new World({ seed: 11 })
  const [ana, ben] = ['ana', 'ben'].map((name) =>
    world.node(name, world.placeIn(world.house('port-restricted', { lifetimeMs }), 2)),
  )
  assert.ok(ana !== undefined && ben !== undefined)
  world.startFleet(ana, ben)
  if (whom === 'each other') world.awaitPing(ana.host.ping(ben.publicKey))
  else world.queue.run(MINUTE)
  return { world, ana, ben }
}
