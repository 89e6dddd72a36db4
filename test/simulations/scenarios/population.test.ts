import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { pairUp, populate } from '../../../simulations/scenarios/population.js'
import { seededRandom } from '../../../src/base/random.js'

describe('a population', () => {
  const options = { hosts: 2_000, peers: 2, servers: 5, symmetric: 11, clockSkewMs: 1_000 }
  const { topology, roamable } = populate(seededRandom(1), options)
  const homes = [...new Set(topology.hosts.flatMap(({ sites }) => sites))].map(
    (index) => topology.sites[index],
  )

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(populate(seededRandom(1), options), { topology, roamable })
    assert.notDeepEqual(populate(seededRandom(2), options).topology, topology)
  })

  it('has homes behind gateways of all kinds, in the shares that were found in the field', () => {
    const share = (has: (site: (typeof homes)[number]) => boolean) => homes.filter(has).length / homes.length
    within(
      share((site) => site?.nat === undefined),
      0.22,
      0.03,
    )
    within(
      share((site) => site?.nat?.mapping === 'address-and-port-dependent'),
      0.11 * 0.78,
      0.03,
    )
    within(
      share((site) => site?.behind !== undefined),
      0.17 * 0.78,
      0.03,
    )
    within(
      share((site) => site?.nat?.hairpin === true),
      0.24 * 0.78,
      0.03,
    )
  })

  it('stands in all regions, with clocks that are off either way', () => {
    assert.equal(new Set(homes.map((site) => site?.region)).size, 6)
    const skews = topology.hosts.map(({ clockAheadMs }) => clockAheadMs)
    assert.ok(skews.every((skew) => Number.isInteger(skew) && Math.abs(skew) <= 1_000))
    assert.ok(skews.some((skew) => skew > 500) && skews.some((skew) => skew < -500))
  })

  it('names only what there is; carriers stand before those behind them', () => {
    const { sites, hosts } = topology
    for (const [index, site] of sites.entries()) assert.ok(site.behind === undefined || site.behind < index)
    for (const host of hosts) for (const site of host.sites) assert.ok(sites[site] !== undefined)
    for (const site of roamable) assert.ok(sites[site] !== undefined)
  })

  it('has no gateway that checks alone do not open, where none is wanted', () => {
    const { sites } = populate(seededRandom(1), { ...options, symmetric: 0 }).topology
    assert.ok(sites.every(({ nat }) => nat === undefined || nat.mapping === 'endpoint-independent'))
  })
})

describe('pairs', () => {
  it('are of two different hosts, each once, and each host has as many as it wants or all others', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(),
        (hosts, peers, seed) => {
          const pairs = pairUp(seededRandom(seed), hosts, peers)
          const names = pairs.map(([a, b]) => `${Math.min(a, b)} ${Math.max(a, b)}`)
          assert.equal(new Set(names).size, names.length)
          assert.ok(pairs.every(([a, b]) => a !== b && a < hosts && b < hosts))
          assert.ok(pairs.length <= hosts * peers)
          for (let host = 0; host < hosts; host++)
            assert.ok(pairs.filter((pair) => pair.includes(host)).length >= Math.min(peers, hosts - 1))
        },
      ),
    )
  })
})

function within(found: number, wanted: number, by: number): void {
  assert.ok(Math.abs(found - wanted) <= by, `${found} is not ${wanted} ± ${by}`)
}
