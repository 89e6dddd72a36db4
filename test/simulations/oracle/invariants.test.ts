import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GOAL_MS } from '../../../simulations/oracle/connected.js'
import { Invariants } from '../../../simulations/oracle/invariants.js'
import { Ways } from '../../../simulations/oracle/ways.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import { World } from '../../../simulations/world.js'
import { asInstant, MINUTE, SECOND } from '../../../src/base/time.js'
import { SmallFleet } from './smallFleet.js'
import { AD, APD, EI, nat, site, untouched } from './terrains.js'

const SHARED_PORT = 51_821

/** Ana and Ben behind NATs, Cleo and Dora in the open. */
function watchedFleet(seed = 1): { fleet: SmallFleet; invariants: Invariants } {
  const fleet = new SmallFleet({
    sites: [site({ nat: nat(EI, APD) }), site({ nat: nat(EI, EI) }), site(), site({ firewall: true })],
    hosts: [[0], [1], [2], [3]],
    seed,
  })
  const invariants = new Invariants(fleet)
  fleet.observers.push(invariants)
  fleet.start()
  fleet.queue.run(30 * SECOND)
  return { fleet, invariants }
}

function nameOf({ violation }: Invariants): string | undefined {
  return violation?.invariant
}

describe('invariants', () => {
  it('hold where nothing is wrong, and have looked at everything', () => {
    const { fleet, invariants } = watchedFleet()
    fleet.ping(0, 1, 1 * SECOND, 5 * MINUTE)
    fleet.ping(2, 3, 1 * SECOND, 5 * MINUTE)
    fleet.ping(1, 2, 5 * SECOND, 5 * MINUTE)
    fleet.queue.run(20 * MINUTE)
    invariants.finish()
    assert.equal(invariants.violation, undefined)
    const { paths, records, packets, connected, bounds, wakeUps, quiet, settled } = invariants.statistics
    assert.equal(connected.pings, 660)
    assert.equal(connected.answered, 660)
    assert.equal(connected.contacts.length, 3)
    assert.equal(connected.late, 0)
    assert.ok(connected.promisedSeconds > 500)
    assert.deepEqual([packets.entered, packets.emerged], [1320, 1320])
    assert.ok(packets.delivered > 1320)
    assert.equal(paths.proved, 6)
    assert.ok(records.accepted >= 3)
    assert.ok(bounds.askedEachSecond > 0 && bounds.mappings > 0)
    assert.ok(wakeUps.wakeUps > 0 && quiet.sent > 0)
    assert.equal(settled.changes, 0)
  })

  it('hold while hosts move, sleep and crash, and gateways forget', () => {
    const { fleet, invariants } = watchedFleet(2)
    fleet.ping(0, 2, 1 * SECOND, 10 * MINUTE)
    fleet.ping(2, 3, 1 * SECOND, 10 * MINUTE)
    const [ana, cleo, dora] = [fleet.machine(0), fleet.machine(2), fleet.machine(3)]
    const [home, other] = fleet.internet.sites
    assert.ok(home && other)
    const story: readonly (() => void)[] = [
      () => home.rebootGateway(),
      () => ana.moveTo([other.place()]),
      () => cleo.crash(),
      () => cleo.start(),
      () => dora.sleep(),
      () => dora.wake(),
      () => other.renumberGateway(),
    ]
    for (const [index, chapter] of story.entries()) fleet.queue.in((index + 1) * MINUTE, chapter)
    fleet.queue.runUntil(() => invariants.violation !== undefined, 15 * MINUTE)
    invariants.finish()
    assert.equal(invariants.violation, undefined)
    assert.ok(invariants.statistics.paths.taken > 4)
  })

  it('bite where an engine takes the address of one peer for that of another', () => {
    const { fleet, invariants } = watchedFleet()
    fleet.ping(0, 2, 1 * SECOND, MINUTE)
    fleet.ping(0, 3, 1 * SECOND, MINUTE)
    fleet.queue.run(20 * SECOND)
    assert.equal(nameOf(invariants), undefined)
    const addressOf = (index: number) => ({
      ip: fleet.machine(index).places[0]?.ips[0] ?? '',
      port: SHARED_PORT,
    })
    const forwarding = fleet.machine(0).daemon?.node.forwarding
    const flow = forwarding?.flowAt(addressOf(2))
    assert.ok(forwarding && flow)
    // The engine puts it right when it next looks at its paths.
    for (let turn = 0; turn < 100 && invariants.violation === undefined; turn++) {
      forwarding.map(addressOf(3), flow, asInstant(Number.MAX_SAFE_INTEGER))
      fleet.queue.run(SECOND / 20)
    }
    assert.match(nameOf(invariants) ?? '', /^(own-packets|authentic-paths)$/)
  })

  it('bite where peers lose each other for good though there is a way', () => {
    const { fleet, invariants } = watchedFleet()
    fleet.ping(0, 3, 1 * SECOND, 10 * MINUTE)
    fleet.queue.run(20 * SECOND)
    const [ana] = fleet.internet.sites
    ana?.rebootGateway()
    fleet.mesh.faults.lookUp = () => 'lost'
    fleet.mesh.faults.losesKnock = () => true
    fleet.queue.runUntil(() => invariants.violation !== undefined, 10 * MINUTE)
    assert.equal(invariants.violation?.invariant, 'connected')
  })
})

/** Whether a ping between hosts at two sites, who have been there for a while, is answered within the goal. */
function isConnectedInTime(sites: readonly SiteSpec[], seed: number): boolean {
  const hosts = sites.map((_, index) => ({ sites: [index], clockAheadMs: 0 }))
  const servers = [
    { region: 'europe', relays: false },
    { region: 'europe', relays: false },
  ] as const
  const world = new World({ sites, hosts, servers, pairs: [[0, 1]] }, { seed })
  world.start()
  world.run(15 * SECOND)
  const [ana, ben] = world.machines
  assert.ok(ana && ben)
  const ping = ana.ping(ben.publicKey)
  return world.queue.runUntil(() => ping.answeredAt !== undefined, GOAL_MS)
}

describe('the engine of today', () => {
  it('finds each certain way between single gateways within the goal', () => {
    const kinds = [
      site(),
      site({ firewall: true }),
      site({ ipv6: 'firewalled', nat: nat(APD, APD) }),
      ...[EI, AD, APD].map((filtering) => site({ nat: nat(EI, filtering) })),
      site({ nat: nat(APD, EI) }),
      site({ nat: nat(APD, APD) }),
      site({ nat: nat(AD, AD, { ports: 'preserving' }) }),
    ]
    let found = 0
    for (const [index, one] of kinds.entries()) {
      for (const other of kinds.slice(index)) {
        const sites = [one, other]
        const way = new Ways(untouched(sites), 2).directWay([0], [1])
        if (way.kind !== 'certain') continue
        found += 1
        assert.ok(isConnectedInTime(sites, index), `${way.reason}; ${JSON.stringify(sites)}`)
      }
    }
    assert.ok(found > 25, `${found}`)
  })
})
