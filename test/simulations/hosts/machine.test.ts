import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Machine } from '../../../simulations/hosts/machine.js'
import { WIREGUARD_PORT } from '../../../simulations/hosts/wireguardHost.js'
import { formatSocketAddress } from '../../../src/base/address.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { Fleet, ROUND_TRIP_MS } from './fleet.js'

describe('a machine', () => {
  it('reaches a peer through two gateways', () => {
    const { fleet, ana, ben } = connected()
    assert.equal(fleet.pingMs(ana, ben), ROUND_TRIP_MS + 2)
    assert.equal(ana.daemon?.status(ben.publicKey).state, 'direct')
  })

  it('reaches it over IPv6 as well, and over what is left where IPv4 goes away', () => {
    const fleet = new Fleet(2)
    const sites = [fleet.site('symmetric', 'open'), fleet.site('symmetric', 'open')]
    const [ana, ben] = sites.map((site, at) => fleet.machine(`host ${at}`, [site.place()]))
    assert.ok(ana !== undefined && ben !== undefined)
    fleet.start()
    assert.ok(fleet.untilAnswered(ana, ben) !== undefined)
    const { path } = statusOf(ana, ben)
    assert.match(path?.remote.ip ?? '', /^2001:db8:/)
  })

  it('has a route of each family by the first place that has it, and to each of its networks', () => {
    const fleet = new Fleet(2)
    const [home, office] = [fleet.site('full-cone'), fleet.site('full-cone', 'open')]
    const places = [home.place(), office.place()]
    const ana = fleet.machine('ana', places)
    const routes = ana.host.routes.map(
      ({ prefix, device }) =>
        `${prefix.length === 0 ? 'default' : `${prefix.ip}/${prefix.length}`} ${device}`,
    )
    assert.deepEqual(routes, [
      `default eth0`,
      `default eth1`,
      `${places[0]?.ips[0]}/24 eth0`,
      `${places[1]?.ips[0]}/24 eth1`,
      `${places[1]?.ips[1]}/64 eth1`,
    ])
    ana.moveTo(places.slice(1))
    assert.deepEqual(
      ana.host.routes.map(({ device }) => device),
      ['eth1', 'eth1', 'eth1', 'eth1'],
    )
  })
})

describe('Tunnelbore that was killed', () => {
  it('leaves its endpoints in WireGuard, where nobody listens', () => {
    const { fleet, ana, ben } = connected()
    ana.crash()
    assert.match(endpointAt(ana, ben), /^127\./)
    assert.equal(fleet.pingMs(ana, ben, 30 * SECOND), undefined)
  })

  it('takes the tunnel over again when it is started, and never acts again itself', () => {
    for (const killedAfter of [0, 10, 60, 1_000, 60_000]) {
      const { fleet, ana, ben } = connected()
      const former = ana.daemon
      assert.ok(former !== undefined)
      ana.ping(ben.publicKey)
      fleet.queue.run(killedAfter)
      const { sequence } = ana.stateFile.content
      ana.crash()
      const counts = { ...former.counts }
      fleet.queue.run(5 * SECOND)
      ana.start()
      fleet.queue.run(2 * SECOND)
      const took = fleet.untilAnswered(ana, ben)
      assert.ok(took !== undefined && took <= 3 * SECOND, `killed after ${killedAfter} ms: ${took} ms`)
      fleet.queue.run(MINUTE)
      assert.deepEqual(former.counts, counts)
      assert.ok(ana.stateFile.content.sequence > sequence)
    }
  })

  it('remembers what endpoints were before, unless its state is lost', () => {
    for (const loses of [false, true]) {
      const { fleet, ana, ben } = machines()
      const endpoint = { ip: '203.0.113.77', port: WIREGUARD_PORT }
      ana.wireguard.setEndpoint(ben.publicKey, endpoint)
      fleet.start()
      ana.crash()
      if (loses) ana.loseState()
      ana.start()
      fleet.queue.run(2 * SECOND)
      ana.stop()
      assert.equal(endpointAt(ana, ben), loses ? 'none' : formatSocketAddress(endpoint))
    }
  })
})

describe('Tunnelbore that was stopped', () => {
  it('has put back the endpoints that were there, and taken away those that were not', () => {
    const { fleet, ana, ben } = machines()
    const carl = fleet.machine('carl', [fleet.site('open').place()])
    const endpoint = { ip: '203.0.113.77', port: WIREGUARD_PORT }
    ana.wireguard.setEndpoint(ben.publicKey, endpoint)
    fleet.start()
    assert.match(endpointAt(ana, ben), /^127\./)
    assert.match(endpointAt(ana, carl), /^127\./)
    ana.stop()
    assert.equal(endpointAt(ana, ben), formatSocketAddress(endpoint))
    assert.equal(endpointAt(ana, carl), 'none')
    assert.deepEqual([...ana.stateFile.content.formerEndpoints], [])
    assert.equal(ana.daemon, undefined)
  })

  it('is found again by its peers when it is started', () => {
    const { fleet, ana, ben } = connected()
    ana.stop()
    fleet.queue.run(10 * SECOND)
    ana.start()
    fleet.queue.run(2 * SECOND)
    const took = fleet.untilAnswered(ben, ana)
    // Ben's session is sound as far as he knows, until data goes unanswered for 15 s.
    assert.ok(took !== undefined && took <= 20 * SECOND, `${took} ms`)
  })
})

describe('a machine that sleeps', () => {
  it('sends nothing, and hears nothing', () => {
    const { fleet, ana, ben } = connected()
    ana.sleep()
    const sent = ana.daemon?.counts.sent
    assert.equal(fleet.pingMs(ben, ana, 10 * SECOND), undefined)
    assert.equal(ana.daemon?.counts.sent, sent)
  })

  it('is reached again when it wakes up, with a session of its own', () => {
    for (const [ms, forgetsKeysInSleep] of [
      [10 * SECOND, true],
      [10 * SECOND, false],
      [10 * MINUTE, true],
      [10 * MINUTE, false],
    ] as const) {
      const { fleet, ana, ben } = connected(forgetsKeysInSleep)
      const handshake = ana.wireguard.peers[0]?.latestHandshake
      ana.sleep()
      fleet.queue.run(ms)
      ana.wake()
      fleet.queue.run(100)
      const took = fleet.untilAnswered(ana, ben)
      assert.ok(took !== undefined && took <= 2 * SECOND, `after ${ms} ms: ${took} ms`)
      const isNew = ana.wireguard.peers[0]?.latestHandshake !== handshake
      assert.equal(isNew, forgetsKeysInSleep || ms > 180 * SECOND)
    }
  })

  it('may wake up elsewhere', () => {
    const { fleet, ana, ben } = connected()
    ana.sleep()
    fleet.queue.run(MINUTE)
    ana.moveTo([fleet.site('port-restricted').place()])
    fleet.queue.run(MINUTE)
    ana.wake()
    const took = fleet.untilAnswered(ana, ben)
    assert.ok(took !== undefined && took <= 3 * SECOND, `${took} ms`)
  })
})

describe('a machine whose clock is set', () => {
  it('forward by an hour keeps its tunnel', () => {
    const { fleet, ana, ben } = connected()
    ana.jumpClock(HOUR)
    for (let ping = 0; ping < 300; ping++) {
      assert.ok(fleet.pingMs(ana, ben) !== undefined)
      fleet.queue.run(SECOND)
    }
  })

  it('back by an hour keeps it for as long as the peer begins handshakes', () => {
    const { fleet, ana, ben } = connected()
    // Ben began none yet. From now on he does: he is the initiator of the next session.
    fleet.queue.run(200 * SECOND)
    assert.ok(fleet.pingMs(ben, ana) !== undefined)
    ana.jumpClock(-HOUR)
    for (let ping = 0; ping < 300; ping++) {
      assert.ok(fleet.pingMs(ben, ana) !== undefined)
      fleet.queue.run(SECOND)
    }
  })
})

describe('a machine that moves', () => {
  it('is found again', () => {
    const { fleet, ana, ben } = connected()
    ana.moveTo([])
    fleet.queue.run(3 * SECOND)
    ana.moveTo([fleet.site('port-restricted').place()])
    const took = fleet.untilAnswered(ana, ben)
    assert.ok(took !== undefined && took <= 3 * SECOND, `${took} ms`)
  })

  it('is told of it 50 ms later, once for a burst of changes', () => {
    const { fleet, ana } = connected()
    const [first, second] = [fleet.site('full-cone').place(), fleet.site('full-cone').place()]
    const { daemon } = ana
    assert.ok(daemon !== undefined)
    daemon.journal = []
    ana.moveTo([first])
    const began = ana.clock.instant
    fleet.queue.run(20)
    ana.moveTo([second])
    fleet.queue.run(100)
    const told = (daemon.journal ?? []).flatMap(({ now, call }) =>
      call.type === 'handle' && call.input.type === 'sockets-changed'
        ? [[now.instant - began, call.input.sockets.map(({ address }) => address.ip)]]
        : [],
    )
    assert.deepEqual(told, [[50, second.ips]])
  })
})

describe('a machine that loses its power', () => {
  it('comes up as it was set up, and finds its peers', () => {
    const { fleet, ana, ben } = connected()
    ana.reboot(30 * SECOND)
    assert.equal(ana.isUp, false)
    assert.equal(fleet.pingMs(ben, ana, 29 * SECOND), undefined)
    fleet.queue.run(3 * SECOND)
    assert.ok(ana.isUp && ana.daemon !== undefined)
    const took = fleet.untilAnswered(ana, ben)
    assert.ok(took !== undefined && took <= 2 * SECOND, `${took} ms`)
  })

  it('may come up elsewhere, and without Tunnelbore if that did not run', () => {
    const { fleet, ana } = connected()
    ana.stop()
    const place = fleet.site('open').place()
    ana.reboot(SECOND)
    ana.moveTo([place])
    fleet.queue.run(SECOND)
    assert.deepEqual(ana.places, [place])
    assert.deepEqual(ana.host.ips, place.ips)
    assert.equal(ana.daemon, undefined)
  })
})

/** Two machines, each behind a gateway of its own; nothing runs yet. */
function machines(forgetsKeysInSleep = true) {
  const fleet = new Fleet(7)
  const [ana, ben] = ['ana', 'ben'].map((name) =>
    fleet.machine(name, [fleet.site('port-restricted').place()], { forgetsKeysInSleep }),
  )
  assert.ok(ana !== undefined && ben !== undefined)
  return { fleet, ana, ben }
}

/** The same, connected by a handshake that Ana began. */
function connected(forgetsKeysInSleep = true) {
  const all = machines(forgetsKeysInSleep)
  all.fleet.start()
  assert.ok(all.fleet.pingMs(all.ana, all.ben) !== undefined)
  all.fleet.queue.run(3 * SECOND)
  return all
}

function statusOf(machine: Machine, peer: Machine) {
  assert.ok(machine.daemon !== undefined)
  return machine.daemon.status(peer.publicKey)
}

function endpointAt(machine: Machine, peer: Machine): string {
  const endpoint = machine.wireguard.endpointOf(peer.publicKey)
  return endpoint === undefined ? 'none' : formatSocketAddress(endpoint)
}
