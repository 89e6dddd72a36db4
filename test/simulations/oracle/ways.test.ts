import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { perfectLink } from '../../../simulations/network/link.js'
import type { Place } from '../../../simulations/network/place.js'
import type { Site } from '../../../simulations/network/site.js'
import type { Terrain } from '../../../simulations/oracle/terrain.js'
import { type WayKind, Ways } from '../../../simulations/oracle/ways.js'
import { soundTopology } from '../../../simulations/search/case.js'
import { hardTopologies } from '../../../simulations/search/topologyArbitraries.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import { type Probe, probersMeet } from './prober.js'
import { AD, APD, EI, nat, site, untouched } from './terrains.js'

const DEPENDENCES = [EI, AD, APD]

function wayBetween(sites: readonly SiteSpec[], a: readonly number[], b: readonly number[]) {
  return new Ways(untouched(sites), 2).directWay(a, b)
}

function assertWay(sites: readonly SiteSpec[], kind: WayKind, reason = /./): void {
  const way = wayBetween(sites, [0], [1])
  assert.equal(way.kind, kind, way.reason)
  assert.match(way.reason, reason)
  assert.equal(wayBetween(sites, [1], [0]).kind, kind)
}

describe('the way between two single gateways', () => {
  it('is certain where both map endpoint-independently, whatever they filter', () => {
    for (const one of DEPENDENCES) {
      for (const other of DEPENDENCES) {
        assertWay([site({ nat: nat(EI, one) }), site({ nat: nat(EI, other) })], 'certain', /punched/)
      }
    }
  })

  it('is certain where one maps by destination and the other filters at most by address', () => {
    for (const mapping of [AD, APD]) {
      for (const filtering of DEPENDENCES) {
        for (const other of [EI, AD]) {
          assertWay([site({ nat: nat(mapping, filtering) }), site({ nat: nat(EI, other) })], 'certain')
        }
      }
    }
  })

  it('takes guessing where one maps by destination and the other filters by port', () => {
    for (const mapping of [AD, APD]) {
      for (const filtering of [AD, APD]) {
        assertWay(
          [site({ nat: nat(mapping, filtering) }), site({ nat: nat(EI, APD) })],
          'by-guessing',
          /maps by destination/,
        )
      }
    }
  })

  it('does not exist where both map by destination and filter by port', () => {
    assertWay([site({ nat: nat(APD, APD) }), site({ nat: nat(APD, APD) })], 'none', /both map by destination/)
    assertWay([site({ nat: nat(AD, APD) }), site({ nat: nat(APD, APD) })], 'none', /both map by destination/)
  })

  it('is certain from any gateway to a public address, and to one behind a stateful firewall', () => {
    for (const mapping of DEPENDENCES) {
      for (const firewall of [false, true]) {
        const kind = firewall && mapping !== EI ? 'by-guessing' : 'certain'
        assertWay([site({ nat: nat(mapping, APD) }), site({ firewall })], kind)
      }
    }
  })
})

describe('the way between hosts of one network that keeps them apart', () => {
  it('leads over the gateway where that hairpins, and else nowhere', () => {
    for (const hairpin of [true, false]) {
      const way = wayBetween([site({ isolated: true, nat: nat(EI, APD, { hairpin }) })], [0], [0])
      assert.equal(way.kind, hairpin ? 'certain' : 'none', way.reason)
      if (!hairpin) assert.match(way.reason, /keeps its hosts apart/)
    }
  })
})

describe('the way where a family is broken', () => {
  it('is that of the other family, if both have it', () => {
    const broken = site({ nat: nat(APD, APD), ipv6: 'firewalled', broken: 'ipv4' })
    assertWay([broken, site({ ipv6: 'firewalled', nat: nat(APD, APD) })], 'certain', /punched|IPv6/)
    assertWay([broken, site()], 'none', /IPv4 goes nowhere/)
    assertWay([site({ ipv6: 'open', broken: 'ipv6' }), site({ ipv4: false, ipv6: 'open' })], 'none')
  })
})

describe('the way through gateways behind gateways', () => {
  const home = (behind: number, mapping = EI, filtering = APD) =>
    site({ behind, nat: nat(mapping, filtering) })
  const carrier = (mapping = EI, filtering = EI, hairpin = false) =>
    site({ nat: nat(mapping, filtering, { hairpin }) })

  it('is as the strictest mapping has it', () => {
    const far = site({ nat: nat(EI, APD) })
    assert.equal(wayBetween([carrier(EI), home(0), far], [1], [2]).kind, 'certain')
    assert.equal(wayBetween([carrier(APD), home(0), far], [1], [2]).kind, 'by-guessing')
    assert.equal(wayBetween([carrier(EI), home(0, APD), far], [1], [2]).kind, 'by-guessing')
  })

  it('exists between two homes behind one carrier only where it hairpins', () => {
    const homes = [home(0), home(0)]
    const without = wayBetween([carrier(), ...homes], [1], [2])
    assert.equal(without.kind, 'none')
    assert.match(without.reason, /does not hairpin/)
    assert.equal(wayBetween([carrier(EI, EI, true), ...homes], [1], [2]).kind, 'certain')
  })

  it('is certain from a home to a host in the network of its own carrier', () => {
    for (const mapping of DEPENDENCES) {
      assert.equal(wayBetween([carrier(APD, APD), home(0, mapping)], [0], [1]).kind, 'certain')
    }
  })

  it('takes luck from a home to a host in the network of a carrier with several addresses', () => {
    const pool = site({ nat: nat(EI, APD, { addresses: 4 }) })
    const way = wayBetween([pool, home(0)], [0], [1])
    assert.equal(way.kind, 'by-guessing')
    assert.match(way.reason, /private address/)
  })
})

describe('the way between hosts with other means', () => {
  it('is certain within one network, though nothing leaves it', () => {
    const sites = [site({ nat: nat(APD, APD), udp: false })]
    assert.equal(wayBetween(sites, [0], [0]).kind, 'certain')
  })

  it('goes over IPv6 where IPv4 does not, also through firewalls', () => {
    const hard = (ipv6: SiteSpec['ipv6']) => site({ nat: nat(APD, APD), ipv6 })
    assertWay([hard('firewalled'), hard('firewalled')], 'certain', /IPv6/)
    assertWay([hard('open'), hard('none')], 'none')
    assertWay([site({ ipv4: false, ipv6: 'open' }), site()], 'none', /family/)
  })

  it('is not there for IPv6 behind a carrier that has IPv4 only', () => {
    const sites = [
      site({ nat: nat(APD, APD) }),
      site({ behind: 0, nat: nat(EI, EI), ipv6: 'open' }),
      site({ nat: nat(APD, APD), ipv6: 'open' }),
    ]
    assert.equal(wayBetween(sites, [1], [2]).kind, 'none')
  })

  it('uses a second network for who is in it, and for nobody else', () => {
    const sites = [site({ nat: nat(APD, APD), udp: false }), site({ nat: nat(EI, EI) }), site()]
    assert.equal(wayBetween(sites, [0, 1], [1]).kind, 'certain')
    assert.equal(wayBetween(sites, [0, 1], [2]).kind, 'none')
    assert.equal(wayBetween(sites, [1, 0], [2]).kind, 'certain')
  })

  it('takes luck where a gateway has room for few mappings', () => {
    const sites = [site({ nat: nat(APD, APD, { maxMappings: 100 }) }), site()]
    const way = new Ways(untouched(sites), 6).directWay([0], [1])
    assert.equal(way.kind, 'by-guessing')
    assert.match(way.reason, /no mapping left/)
    assert.equal(
      wayBetween([site({ nat: nat(EI, APD, { maxMappings: 100 }) }), site()], [0], [1]).kind,
      'certain',
    )
  })
})

describe('faults', () => {
  const sites = [site({ nat: nat(EI, APD) }), site()]
  const terrain = (parts: Partial<Terrain>): Terrain => ({ ...untouched(sites), ...parts })

  it('take the way, and say how', () => {
    const cases: readonly (readonly [Partial<Terrain>, RegExp])[] = [
      [{ isUp: (index) => index !== 0 }, /site 0 is cut off/],
      [{ passesUdp: (index) => index !== 1 }, /UDP does not leave site 1/],
      [{ sideOf: (index) => index }, /partition/],
    ]
    for (const [parts, reason] of cases) {
      const way = new Ways(terrain(parts), 2).directWay([0], [1])
      assert.equal(way.kind, 'none')
      assert.match(way.reason, reason)
    }
    assert.match(new Ways(terrain({}), 2).directWay([], [1]).reason, /nowhere/)
  })

  it('are looked at again when they have changed', () => {
    let isUp = false
    const ways = new Ways(terrain({ isUp: () => isUp }), 2)
    assert.equal(ways.directWay([0], [1]).kind, 'none')
    isUp = true
    ways.changed()
    assert.equal(ways.directWay([0], [1]).kind, 'certain')
  })
})

/** Switches that were turned, of every site. */
interface Turned {
  readonly up: readonly boolean[]
  readonly udp: readonly boolean[]
  readonly sides: readonly number[]
}

function assertProbersAgree(probe: Probe, turned?: Turned): void {
  const { sites } = probe
  const terrain: Terrain = {
    ...untouched(sites),
    ...(turned === undefined
      ? {}
      : {
          isUp: (index: number) => turned.up[index] ?? true,
          passesUdp: (index: number) => turned.udp[index] ?? true,
          sideOf: (index: number) => turned.sides[index] ?? 0,
        }),
  }
  const way = new Ways(terrain, 2).directWay(...probe.hosts)
  const met = probersMeet({
    ...probe,
    faults: (internet, reflectors) => {
      if (turned === undefined) return
      const sides = new Map<Site | Place, number>()
      for (const one of internet.sites) {
        one.setUp(turned.up[one.index] ?? true)
        one.setUdp(turned.udp[one.index] ?? true)
        sides.set(one, turned.sides[one.index] ?? 0)
      }
      // There is one on each side.
      for (const [side, reflector] of reflectors.entries()) sides.set(reflector, side)
      internet.partition(sides)
    },
  })
  // Which of several addresses is taken, a gateway's or a host's, may help by chance.
  const isChance = sites.some((spec) => (spec.nat?.addresses ?? 1) > 1) || /same addresses/.test(way.reason)
  if (way.kind === 'by-guessing' && isChance) return
  assert.equal(met, way.kind === 'certain', `${way.kind}: ${way.reason}; ${JSON.stringify(probe)}`)
}

describe('two hosts that try everything on the simulated network', () => {
  const single = [
    site(),
    site({ firewall: true }),
    site({ udp: false }),
    site({ ipv4: false, ipv6: 'firewalled' }),
    site({ ipv6: 'firewalled', nat: nat(APD, APD) }),
    ...DEPENDENCES.flatMap((mapping) =>
      DEPENDENCES.map((filtering) => site({ nat: nat(mapping, filtering) })),
    ),
    site({ nat: nat(EI, APD, { hairpin: true }) }),
    site({ nat: nat(APD, AD, { ports: 'preserving' }) }),
    site({ nat: nat(APD, APD, { ports: 'sequential' }) }),
    site({ nat: nat(EI, APD, { addresses: 4, hairpin: true }) }),
    site({ nat: nat(EI, APD, { hairpin: true }), isolated: true }),
    site({ nat: nat(EI, EI), ipv6: 'firewalled', broken: 'ipv4' }),
    site({ ipv6: 'open', broken: 'ipv6', isolated: true }),
  ]

  it('meet exactly where the oracle says so, for each pair of single sites', () => {
    for (const [index, one] of single.entries()) {
      for (const other of single.slice(index)) {
        assertProbersAgree({ sites: [one, other], hosts: [[0], [1]], seed: index })
      }
      assertProbersAgree({ sites: [one], hosts: [[0], [0]], seed: index })
    }
  })

  it('meet exactly where the oracle says so, behind gateways behind gateways', () => {
    for (const hairpin of [false, true]) {
      for (const mapping of DEPENDENCES) {
        for (const filtering of DEPENDENCES) {
          for (const [inner, far] of [
            [nat(EI, APD), nat(EI, APD)],
            [nat(APD, APD), nat(EI, AD)],
            [nat(AD, AD), nat(AD, AD)],
          ] as const) {
            const sites = [
              site({ nat: nat(mapping, filtering, { hairpin }) }),
              site({ behind: 0, nat: inner }),
              site({ behind: 0, nat: far }),
              site({ nat: far }),
            ]
            for (const hosts of [
              [0, 1],
              [1, 2],
              [1, 3],
              [0, 3],
            ] as const) {
              assertProbersAgree({ sites, hosts: [[hosts[0]], [hosts[1]]], seed: 1 })
            }
          }
        }
      }
    }
  })

  it('meet exactly where the oracle says so, on random topologies with random faults', () => {
    const flags = (often: number) =>
      fc.array(
        fc.integer({ min: 0, max: often }).map((n) => n > 0),
        { minLength: 6, maxLength: 6 },
      )
    fc.assert(
      fc.property(
        hardTopologies,
        fc.nat(2 ** 31 - 1),
        fc.option(
          fc.record({
            up: flags(7),
            udp: flags(7),
            sides: fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 6, maxLength: 6 }),
          }),
          { nil: undefined },
        ),
        (raw, seed, turned) => {
          const { sites, hosts } = soundTopology(raw)
          const [one, other] = hosts
          if (one === undefined || other === undefined) return
          const plain = sites.map((spec) => ({
            ...spec,
            link: perfectLink(5),
            nat: spec.nat === undefined ? undefined : { ...spec.nat, maxMappings: 65_536 },
          }))
          assertProbersAgree({ sites: plain, hosts: [one.sites, other.sites], seed }, turned)
        },
      ),
      { numRuns: 300 },
    )
  })
})
