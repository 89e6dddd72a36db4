import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { caseOf, cases } from '../../../simulations/search/arbitraries.js'
import type { Case } from '../../../simulations/search/case.js'
import type { FaultType } from '../../../simulations/search/fault.js'
import { shrink } from '../../../simulations/search/shrink.js'

describe('shrinking', () => {
  it('leaves of a case that fails whatever there is in it the smallest of all cases', () => {
    const smallest = shrunk(caseOf(3), () => true)
    const { topology, schedule, traffic } = smallest.case
    assert.ok(smallest.isSmallest)
    assert.deepEqual(sizesOf(smallest.case), {
      faults: 0,
      hosts: 2,
      sites: 1,
      servers: 1,
      pairs: 1,
      traffic: 1,
    })
    assert.equal(schedule.length, 0)
    assert.equal(traffic[0]?.fromMs, 0)
    assert.deepEqual(
      topology.sites.map(({ nat, ipv6, udp }) => [nat, ipv6, udp]),
      [[undefined, 'none', true]],
    )
  })

  it('finds the one fault of many that matters', () => {
    for (const seed of seedsWith('gateway-reboots', 5)) {
      const smallest = shrunk(caseOf(seed), hasFault('gateway-reboots'))
      assert.ok(smallest.isSmallest)
      assert.deepEqual(sizesOf(smallest.case), { ...LEAST, faults: 1 })
      assert.deepEqual(smallest.case.schedule, [
        { when: { atMs: 0 }, fault: { type: 'gateway-reboots', site: 0 } },
      ])
    }
  })

  it('keeps two faults that only together do harm', () => {
    const fails = (whole: Case): boolean => hasFault('sleeps')(whole) && hasFault('roams')(whole)
    const seeds = seedsWith('sleeps', 60).filter((seed) => fails(caseOf(seed)))
    assert.ok(seeds.length >= 3)
    for (const seed of seeds.slice(0, 3)) {
      const smallest = shrunk(caseOf(seed), fails)
      assert.deepEqual(sizesOf(smallest.case), { ...LEAST, faults: 2 })
    }
  })

  it('keeps the host, the site and the pair that a failure needs, under their new names', () => {
    const fails = ({ topology, traffic }: Case): boolean =>
      traffic.some(({ pair }) =>
        (topology.pairs[pair] ?? []).some((host) => {
          const [site = 0] = topology.hosts[host]?.sites ?? []
          return topology.sites[site]?.nat?.mapping === 'address-and-port-dependent'
        }),
      )
    const seeds = Array.from({ length: 40 }, (_, seed) => seed).filter((seed) => fails(caseOf(seed)))
    assert.ok(seeds.length >= 5)
    for (const seed of seeds.slice(0, 5)) {
      const smallest = shrunk(caseOf(seed), fails)
      assert.ok(fails(smallest.case))
      assert.deepEqual(sizesOf(smallest.case), LEAST)
    }
  })

  it('makes times as small as they can be', () => {
    const fails = ({ schedule }: Case): boolean =>
      schedule.some(({ fault }) => fault.type === 'sleeps' && fault.forMs >= 3_000)
    const [seed = 0] = Array.from({ length: 100 }, (_, index) => index).filter((index) =>
      fails(caseOf(index)),
    )
    const smallest = shrunk(caseOf(seed), fails)
    assert.deepEqual(smallest.case.schedule, [
      { when: { atMs: 0 }, fault: { type: 'sleeps', host: 0, forMs: 3_000 } },
    ])
  })

  it('never leaves the way of failing that it was given', () => {
    const kind = ({ schedule }: Case): string | undefined =>
      schedule.length > 3 ? 'many' : schedule.length > 0 ? 'few' : undefined
    const seed = Array.from({ length: 40 }, (_, index) => index).find(
      (index) => kind(caseOf(index)) === 'many',
    )
    const smallest = shrink(caseOf(seed ?? 0), 'many', {
      run: (smaller) => (kind(smaller) === 'many' ? 'many' : undefined),
      maxRuns: 2_000,
    })
    assert.equal(smallest.case.schedule.length, 4)
  })

  it('runs no case twice, and none beyond its budget', () => {
    const seen = new Set<string>()
    const smallest = shrink(caseOf(5), true, {
      run: (smaller) => {
        const text = JSON.stringify(smaller)
        assert.ok(!seen.has(text))
        seen.add(text)
        return smaller.schedule.length > 0 ? true : undefined
      },
      maxRuns: 10,
    })
    assert.equal(smallest.runs, 10)
    assert.equal(seen.size, 10)
    assert.equal(smallest.isSmallest, false)
  })

  it('ends when it is told to, with the smallest until then', () => {
    let left = 5
    const smallest = shrink(caseOf(5), true, { run: () => true, maxRuns: 100, goesOn: () => left-- > 0 })
    assert.equal(smallest.runs, 5)
    assert.equal(smallest.isSmallest, false)
  })

  it('gives the same smallest case each time', () => {
    const fails = hasFault('partition')
    const [seed = 0] = seedsWith('partition', 1)
    assert.deepEqual(shrunk(caseOf(seed), fails), shrunk(caseOf(seed), fails))
  })
})

const LEAST = { faults: 0, hosts: 2, sites: 1, servers: 1, pairs: 1, traffic: 1 }

function shrunk(start: Case, fails: (whole: Case) => boolean) {
  const smallest = shrink(start, true, {
    run: (smaller) => (fails(smaller) ? true : undefined),
    maxRuns: 3_000,
  })
  assert.ok(cases.canShrinkWithoutContext(smallest.case))
  return smallest
}

function hasFault(type: FaultType): (whole: Case) => boolean {
  return ({ schedule }) => schedule.some(({ fault }) => fault.type === type)
}

function seedsWith(type: FaultType, count: number): readonly number[] {
  const found: number[] = []
  for (let seed = 1; found.length < count; seed++) if (hasFault(type)(caseOf(seed))) found.push(seed)
  return found
}

function sizesOf({ schedule, topology, traffic }: Case) {
  return {
    faults: schedule.length,
    hosts: topology.hosts.length,
    sites: topology.sites.length,
    servers: topology.servers.length,
    pairs: topology.pairs.length,
    traffic: traffic.length,
  }
}
