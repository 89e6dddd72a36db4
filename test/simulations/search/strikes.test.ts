import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { perfectLink } from '../../../simulations/network/link.js'
import type { Case } from '../../../simulations/search/case.js'
import { type Fault, RELAY_BEHAVIOURS } from '../../../simulations/search/fault.js'
import { Strikes } from '../../../simulations/search/strikes.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import { World } from '../../../simulations/world.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'

describe('a fault', () => {
  it('of a gateway takes its mappings, and its addresses', () => {
    const { world, strike } = begun()
    const { gateway } = world.internet.sites[1] ?? {}
    assert.ok(gateway !== undefined && gateway.mappings > 0)
    const before = gateway.addresses
    strike({ type: 'gateway-reboots', site: 1 })
    assert.equal(gateway.mappings, 0)
    assert.deepEqual(gateway.addresses, before)
    strike({ type: 'gateway-renumbered', site: 1 })
    assert.notDeepEqual(gateway.addresses, before)
  })

  it('of a link is undone, and what two of them took is there again after both', () => {
    const { world, strike } = begun()
    const site = world.internet.sites[1]
    assert.ok(site !== undefined)
    const state = () => [site.isUp, site.passesUdp, site.link.loss]
    strike({ type: 'site-cut-off', site: 1, forMs: 10 * SECOND })
    strike({ type: 'udp-blocked', site: 1, forMs: 20 * SECOND })
    strike({ type: 'link-impaired', site: 1, link: { ...LINK, loss: 0.5 }, forMs: 30 * SECOND })
    strike({ type: 'link-impaired', site: 1, link: { ...LINK, loss: 0.2 }, forMs: 5 * SECOND })
    strike({ type: 'udp-blocked', site: 1, forMs: 1 * SECOND })
    assert.deepEqual(state(), [false, false, 0.2])
    world.run(6 * SECOND)
    assert.deepEqual(state(), [false, false, 0.5])
    world.run(6 * SECOND)
    assert.deepEqual(state(), [true, false, 0.5])
    world.run(20 * SECOND)
    assert.deepEqual(state(), [true, true, 0])
  })

  it('does not let UDP pass where it never did', () => {
    const { world, strike } = begun({ udp: false })
    strike({ type: 'udp-blocked', site: 1, forMs: 1 * SECOND })
    world.run(2 * SECOND)
    assert.equal(world.internet.sites[1]?.passesUdp, false)
  })

  it('divides the internet, and a second one divides what was left', () => {
    const { world, strike } = begun()
    const sides = () => world.internet.sites.map(({ side }) => side)
    strike({ type: 'partition', sites: [0], servers: [], forMs: 10 * SECOND })
    strike({ type: 'partition', sites: [0, 1], servers: [0], forMs: 20 * SECOND })
    assert.equal(new Set(sides()).size, 2)
    world.run(11 * SECOND)
    const [first, second] = sides()
    assert.ok(first === second && first !== 0)
    world.run(10 * SECOND)
    assert.deepEqual(sides(), [0, 0])
  })

  it('moves a host, or both of a pair', () => {
    const { world, strike, machine } = begun()
    const siteOf = (index: number) => machine(index).places.map(({ site }) => site?.index)
    strike({ type: 'roams', host: 0, to: 1, awayMs: 2 * SECOND })
    assert.deepEqual(siteOf(0), [])
    world.run(3 * SECOND)
    assert.deepEqual(siteOf(0), [1])
    strike({ type: 'pair-roams', pair: 0, to: [0, 0], awayMs: 0 })
    world.run(1)
    assert.deepEqual([siteOf(0), siteOf(1)], [[0], [0]])
  })

  it('of a host is over in time', () => {
    const { world, strike, machine } = begun()
    const host = machine(0)
    const first = host.daemon
    strike({ type: 'sleeps', host: 0, forMs: 5 * SECOND })
    assert.equal(host.clock.asleep, true)
    world.run(6 * SECOND)
    assert.equal(host.clock.asleep, false)
    for (const type of ['daemon-crashes', 'daemon-stops'] as const) {
      strike({ type, host: 0, forMs: 5 * SECOND, keepsState: true } as Fault)
      assert.equal(host.daemon, undefined)
      world.run(6 * SECOND)
      assert.ok(host.daemon !== undefined && host.daemon !== first)
    }
    strike({ type: 'host-reboots', host: 0, forMs: 5 * SECOND })
    assert.equal(host.isUp, false)
    world.run(6 * SECOND)
    assert.ok(host.isUp && host.daemon !== undefined)
  })

  it('starts no daemon on a host that sleeps', () => {
    const { world, strike, machine } = begun()
    strike({ type: 'daemon-crashes', host: 0, keepsState: false, forMs: 2 * SECOND })
    strike({ type: 'sleeps', host: 0, forMs: 10 * SECOND })
    world.run(5 * SECOND)
    assert.equal(machine(0).daemon, undefined)
    world.run(10 * SECOND)
    assert.ok(machine(0).daemon !== undefined)
  })

  it('never sets two wall clocks further apart than is promised to work', () => {
    const { world, strike, machine } = begun()
    for (const [host, byMs] of [
      [0, 90 * MINUTE],
      [1, -90 * MINUTE],
      [0, 90 * MINUTE],
      [1, -90 * MINUTE],
    ] as const) {
      strike({ type: 'clock-jumps', host, byMs })
      assert.ok(Math.abs(machine(0).clock.unix - machine(1).clock.unix) < 2 * HOUR)
    }
    assert.ok(machine(0).clock.unix > world.queue.now.unix + 30 * MINUTE)
  })

  it('takes a peer off an interface, and puts it back', () => {
    const { world, strike, machine } = begun()
    strike({ type: 'peer-removed', pair: 0, byFirst: true, forMs: 5 * SECOND })
    assert.equal(machine(0).wireguard.peers.length, 0)
    world.run(6 * SECOND)
    assert.equal(machine(0).wireguard.peers.length, 1)
    strike({ type: 'endpoint-set', pair: 0, byFirst: true, to: 'nobody' })
    assert.equal(machine(0).wireguard.peers[0]?.endpoint?.ip, '192.0.2.99')
  })

  it('of a server is over in time', () => {
    const { world, strike } = begun()
    const [server] = world.servers
    for (const how of ['clean', 'hang', 'power'] as const) {
      strike({ type: 'server-down', server: 0, how, forMs: 5 * SECOND })
      assert.equal(server?.serves, false, how)
      world.run(6 * SECOND)
      assert.equal(server?.serves, true, how)
    }
    for (const behaviour of ['slow', 'silent', 'stale', 'forged', 'forgetful', 'refusing'] as const) {
      strike({ type: 'bad-storer', server: 0, behaviour, forMs: 5 * SECOND })
      assert.equal(server?.serves, false, behaviour)
      world.run(6 * SECOND)
      assert.equal(server?.serves, true, behaviour)
    }
  })

  it('of a relay is over in time, and a restart at once, but for what it forgot', () => {
    const { world, strike } = begun()
    const [server] = world.servers
    for (const behaviour of RELAY_BEHAVIOURS) {
      strike({ type: 'bad-relay', server: 0, behaviour, forMs: 5 * SECOND })
      assert.equal(server?.relays, false, behaviour)
      assert.equal(server?.serves, true)
      world.run(6 * SECOND)
      assert.equal(server?.relays, true, behaviour)
    }
    const { run } = server?.mesh ?? assert.fail()
    strike({ type: 'relay-restarts', server: 0 })
    assert.equal(server?.relays, true)
    assert.equal(server?.mesh.run, run + 1)
    strike({ type: 'server-down', server: 0, how: 'power', forMs: 5 * SECOND })
    strike({ type: 'relay-restarts', server: 0 })
    assert.equal(server?.relays, false)
  })

  it('is told to those who watch, in words', () => {
    const { strike, told } = begun()
    strike({ type: 'gateway-reboots', site: 1 })
    assert.ok(told.includes('gateway-reboots'))
  })
})

const LINK = perfectLink(10)

/** Two hosts, one of them behind a NAT, that have talked for a while. */
function begun(inner: Partial<SiteSpec> = {}) {
  const open: SiteSpec = {
    region: 'europe',
    behind: undefined,
    link: LINK,
    ipv4: true,
    nat: undefined,
    ipv6: 'none',
    firewall: false,
    udp: true,
    broken: 'none',
    isolated: false,
    portMapping: 'none',
  }
  const nat: SiteSpec['nat'] = {
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    ports: 'preserving',
    lifetimeMs: 120_000,
    refreshedBy: 'both',
    hairpin: false,
    portStep: 1,
    maxMappings: 1_000,
    addresses: 1,
  }
  const whole: Case = {
    schedule: [],
    topology: {
      sites: [open, { ...open, nat, ...inner }],
      hosts: [
        { sites: [0], clockAheadMs: 0 },
        { sites: [1], clockAheadMs: 0 },
      ],
      servers: [{ region: 'europe', relays: true }],
      pairs: [[0, 1]],
    },
    starts: [0, 0],
    traffic: [],
    judged: true,
    beforeMidnightMs: 12 * HOUR,
    gossips: true,
    lengthMs: MINUTE,
    seed: 1,
  }
  const told: string[] = []
  const world = new World(whole.topology, { seed: 1, observers: [{ happened: (what) => told.push(what) }] })
  const strikes = new Strikes(world, whole, undefined)
  const machine = (index: number) => {
    const found = world.machines[index]
    if (found === undefined) throw new Error(`there is no host ${index}`)
    return found
  }
  world.start()
  world.run(5 * SECOND)
  machine(1).ping(machine(0).publicKey)
  world.run(5 * SECOND)
  return { world, machine, told, strike: (fault: Fault) => strikes.strike(fault, fault.type) }
}
