import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type JournalEntry, SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import { WIREGUARD_PORT } from '../../../simulations/hosts/wireguardHost.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { ROUND_TRIP_MS, World } from '../world.js'

const NAME = 'phone.example.org'

describe('a peer at a name, without a mesh', () => {
  it('that runs WireGuard alone is reached: the name, the handshake, and the ping', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.set(NAME, phone.ips, 60 * SECOND)
    world.startFleet(ana)
    assert.equal(world.names.countOf(NAME), 0)
    const ms = world.awaitPing(ana.host.ping(phone.publicKey))
    assert.equal(ms, world.names.delayMs + 2 * ROUND_TRIP_MS)
    const { state, path, name } = ana.status(phone.publicKey)
    assert.equal(state, 'direct')
    assert.equal(path?.proof, 'handshake')
    assert.equal(path?.type, 'configured')
    assert.equal(name?.name, `${NAME}:${WIREGUARD_PORT}`)
    assert.deepEqual(name?.addresses, [path?.remote])
    assert.equal(world.names.countOf(NAME), 1)
  })

  it('that moves is found again at what the name leads to, when WireGuard misses an answer', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.set(NAME, phone.ips, 60 * SECOND)
    world.startFleet(ana)
    world.awaitPing(ana.host.ping(phone.publicKey))
    phone.detach(phone.ips[0] ?? '')
    const place = world.publicPlace()
    phone.attach(place)
    world.names.set(NAME, place.ips, 60 * SECOND)
    const movedAt = world.queue.elapsed
    let answeredAfter = Number.POSITIVE_INFINITY
    while (world.queue.elapsed - movedAt < 60 * SECOND && answeredAfter > 60 * SECOND) {
      const ping = ana.host.ping(phone.publicKey)
      world.queue.run(SECOND)
      if (ping.answeredAt !== undefined) answeredAfter = world.queue.elapsed - movedAt
    }
    // WireGuard begins anew when nothing came back for 15 s; half a second later its message is missed.
    assert.ok(answeredAfter <= 17 * SECOND, `${answeredAfter} ms`)
    assert.equal(ana.status(phone.publicKey).path?.remote.ip, place.ips[0])
    assert.equal(ana.lateWakes, 0)
  })

  it('is tried at all its addresses, of which only the last may be the right one', () => {
    const { world, ana, phone } = anaAndPhone()
    const dead = [1, 2, 3].map(() => world.publicPlace().ips[0] ?? '')
    world.names.set(NAME, [...dead, ...phone.ips], 60 * SECOND)
    world.startFleet(ana)
    const ms = world.awaitPing(ana.host.ping(phone.publicKey))
    assert.ok(ms <= 3 * 250 + world.names.delayMs + 2 * ROUND_TRIP_MS, `${ms} ms`)
    assert.equal(ana.status(phone.publicKey).path?.remote.ip, phone.ips[0])
  })

  it('that answers at once is sent one first message, though its name has more addresses', () => {
    const { world, ana, phone } = anaAndPhone()
    const [own = ''] = phone.ips
    const others = Array.from({ length: 9 }, () => world.publicPlace().ips[0] ?? '').filter((ip) => ip > own)
    assert.ok(others.length > 0)
    world.names.set(NAME, [...others, own], 60 * SECOND)
    world.startFleet(ana)
    const journal: JournalEntry[] = []
    ana.journal = journal
    const ms = world.awaitPing(ana.host.ping(phone.publicKey))
    assert.equal(ms, world.names.delayMs + 2 * ROUND_TRIP_MS)
    const effects = journal.flatMap(({ outcome }) => (Array.isArray(outcome) ? outcome : []) as Effect[])
    const firsts = effects.filter((effect) => effect.type === 'send' && wireguardType(effect.datagram) === 1)
    assert.equal(firsts.length, 1)
  })

  it('is asked for again when its TTL ends while there is traffic, and not without any', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.set(NAME, phone.ips, 30 * SECOND)
    world.startFleet(ana)
    for (let second = 0; second < 300; second += 10) {
      world.awaitPing(ana.host.ping(phone.publicKey))
      world.queue.run(10 * SECOND)
    }
    const busy = world.names.countOf(NAME)
    assert.ok(busy >= 9 && busy <= 12, `${busy} questions`)
    world.queue.run(4 * MINUTE)
    const rested = world.names.countOf(NAME)
    world.queue.run(30 * MINUTE)
    assert.equal(world.names.countOf(NAME), rested)
  })

  it('is found where its name leads by then, at the next handshake, though it still answers where it was', () => {
    const { world, ana, phone } = anaAndPhone()
    const [former = ''] = phone.ips
    world.names.set(NAME, [former], 10 * SECOND)
    world.startFleet(ana)
    world.awaitPing(ana.host.ping(phone.publicKey))
    const place = world.publicPlace()
    phone.attach(place)
    world.names.set(NAME, place.ips, 10 * SECOND)
    for (let second = 0; second < 150; second += 1) {
      const ping = ana.host.ping(phone.publicKey)
      world.queue.run(SECOND)
      assert.ok(ping.answeredAt !== undefined, `lost at ${second} s`)
    }
    // Either may have answered first; it was tried at both.
    const { path } = ana.status(phone.publicKey)
    assert.ok([former, place.ips[0]].includes(path?.remote.ip ?? ''))
  })

  it('that cannot be resolved is asked for ever more rarely, says so, and is reached when it can', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.answers = false
    world.startFleet(ana)
    const ping = ana.host.ping(phone.publicKey)
    world.queue.run(60 * SECOND)
    assert.equal(ping.answeredAt, undefined)
    const asked = world.names.countOf(NAME)
    assert.ok(asked >= 4 && asked <= 12, `${asked} questions`)
    const { reason } = ana.status(phone.publicKey)
    assert.match(reason, /phone\.example\.org could not be resolved: no name server answers/)
    const verdict = ana.node.why(phone.publicKey, ana.clock.now)?.verdict
    assert.equal(verdict?.type, 'name-unresolved')
    world.names.answers = true
    world.names.set(NAME, phone.ips)
    world.awaitPing(ana.host.ping(phone.publicKey), 90 * SECOND)
    assert.equal(ana.lateWakes, 0)
  })

  it('is followed although the name servers are gone, for what was known is kept', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.set(NAME, phone.ips, 5 * SECOND)
    world.startFleet(ana)
    world.awaitPing(ana.host.ping(phone.publicKey))
    world.names.answers = false
    for (let second = 0; second < 400; second += 10) {
      world.awaitPing(ana.host.ping(phone.publicKey))
      world.queue.run(10 * SECOND)
    }
    assert.equal(ana.status(phone.publicKey).state, 'direct')
    assert.match(ana.status(phone.publicKey).name?.failure ?? '', /no name server/)
  })

  it('at nobody is tried as often as WireGuard tries, and nothing is done when WireGuard gives up', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.set(NAME, [world.publicPlace().ips[0] ?? ''], 60 * SECOND)
    world.startFleet(ana)
    ana.host.ping(phone.publicKey)
    world.queue.run(4 * MINUTE)
    const verdict = ana.node.why(phone.publicKey, ana.clock.now)?.verdict
    assert.deepEqual(verdict, { type: 'name-unanswered', name: `${NAME}:${WIREGUARD_PORT}`, addresses: 1 })
    const asked = world.names.countOf(NAME)
    assert.ok(asked <= 12, `${asked} questions`)
    const { sent } = ana.counts
    world.queue.run(30 * MINUTE)
    assert.equal(world.names.countOf(NAME), asked)
    assert.equal(ana.counts.sent, sent)
  })

  it('that leads to ourselves, or to loopback, is sent nothing', () => {
    const { world, ana, phone } = anaAndPhone()
    world.names.set(NAME, ['127.0.0.1', '::1', ana.host.ips[0] ?? '', '0.0.0.0', '224.0.0.1'])
    world.startFleet(ana)
    const { sent } = ana.counts
    ana.host.ping(phone.publicKey)
    world.queue.run(30 * SECOND)
    assert.equal(ana.counts.sent, sent)
    assert.match(ana.status(phone.publicKey).reason, /nothing leads from here/)
  })

  it('that runs Tunnelbore is proved by checks', () => {
    const world = new World({ seed: 4 })
    const ben = world.nodeWith('ben', { hasMesh: false }, world.publicPlace())
    world.names.set('ben.example.org', ben.host.ips, 60 * SECOND)
    const named = new Map([[ben.publicKey, { host: 'ben.example.org', port: SHARED_PORT }]])
    const ana = world.nodeWith('ana', { hasMesh: false, named }, world.place('port-restricted'))
    world.startFleet(ana, ben)
    const ms = world.awaitPing(ana.host.ping(ben.publicKey))
    assert.ok(ms <= world.names.delayMs + 3 * ROUND_TRIP_MS, `${ms} ms`)
    world.queue.run(SECOND)
    assert.equal(ana.status(ben.publicKey).path?.proof, 'check')
    assert.equal(ben.status(ana.publicKey).path?.proof, 'check')
  })

  it('that begins to run Tunnelbore is noticed at the next handshake', () => {
    const world = new World({ seed: 5 })
    const ben = world.nodeWith('ben', { hasMesh: false }, world.publicPlace())
    const named = new Map([[ben.publicKey, { host: ben.host.ips[0] ?? '', port: SHARED_PORT }]])
    const ana = world.nodeWith('ana', { hasMesh: false, named }, world.publicPlace())
    ben.host.wireguard.addPeer(ana.publicKey)
    ana.host.wireguard.addPeer(ben.publicKey)
    ana.start()
    ben.start()
    // Only WireGuard's messages get through at first.
    world.queue.run(SECOND)
    world.awaitPing(ana.host.ping(ben.publicKey))
    for (let second = 0; second < 130; second++) {
      ana.host.ping(ben.publicKey)
      world.queue.run(SECOND)
    }
    assert.equal(ana.status(ben.publicKey).path?.proof, 'check')
  })

  it('by an address in place of a name costs no question', () => {
    const world = new World({ seed: 6 })
    const phone = world.plainHost('phone', world.publicPlace())
    const named = new Map([[phone.publicKey, { host: phone.ips[0] ?? '', port: WIREGUARD_PORT }]])
    const ana = world.nodeWith('ana', { hasMesh: false, named }, world.place('port-restricted'))
    ana.host.wireguard.addPeer(phone.publicKey)
    phone.wireguard.addPeer(ana.publicKey)
    world.startFleet(ana)
    assert.equal(world.awaitPing(ana.host.ping(phone.publicKey)), 2 * ROUND_TRIP_MS)
    assert.equal(world.names.asked.size, 0)
  })
})

describe('a peer at a name, beside a mesh', () => {
  it('mixes with peers of the mesh', () => {
    const { world, ana, phone } = anaAndPhone(true)
    const ben = world.node('ben', world.place('port-restricted'))
    world.names.set(NAME, phone.ips, 60 * SECOND)
    world.startFleet(ana, ben)
    world.awaitPing(ana.host.ping(phone.publicKey))
    world.awaitPing(ana.host.ping(ben.publicKey))
    assert.equal(ana.status(phone.publicKey).path?.proof, 'handshake')
    assert.equal(ana.status(ben.publicKey).path?.proof, 'check')
  })

  it('is found by the mesh where its name leads nowhere', () => {
    const world = new World({ seed: 8 })
    const ben = world.node('ben', world.place('port-restricted'))
    const named = new Map([[ben.publicKey, { host: 'nowhere.example.org', port: SHARED_PORT }]])
    const ana = world.nodeWith('ana', { named }, world.place('port-restricted'))
    world.startFleet(ana, ben)
    world.awaitPing(ana.host.ping(ben.publicKey))
    assert.equal(ana.status(ben.publicKey).path?.proof, 'check')
  })
})

describe('without a mesh', () => {
  it('a peer of whom nothing was said is said to be nowhere', () => {
    const world = new World({ seed: 9 })
    const phone = world.plainHost('phone', world.publicPlace())
    const ana = world.nodeWith('ana', { hasMesh: false }, world.publicPlace())
    ana.host.wireguard.addPeer(phone.publicKey)
    world.startFleet(ana)
    ana.host.ping(phone.publicKey)
    world.queue.run(30 * SECOND)
    assert.match(ana.status(phone.publicKey).reason, /no mesh to find it by/)
    const explained = ana.node.why(phone.publicKey, ana.clock.now)
    assert.deepEqual(explained?.verdict, { type: 'no-mesh', addresses: 0 })
  })
})

/** Ana runs Tunnelbore and knows the phone's name; the phone runs WireGuard alone, in the open. */
function anaAndPhone(hasMesh = false) {
  const world = new World({ seed: 1 })
  const phone = world.plainHost('phone', world.publicPlace())
  const named = new Map([[phone.publicKey, { host: NAME, port: WIREGUARD_PORT }]])
  const ana = world.nodeWith('ana', { hasMesh, named }, world.place('port-restricted'))
  ana.host.wireguard.addPeer(phone.publicKey)
  phone.wireguard.addPeer(ana.publicKey)
  return { world, ana, phone }
}
