import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  caseOf,
  cases,
  FAULTS_UNTIL_MS,
  FIRST_HARD_SEED,
  FIRST_HARDEST_SEED,
  LONGEST_FAULT_MS,
} from '../../../simulations/search/arbitraries.js'
import { type Case, soundCase } from '../../../simulations/search/case.js'
import { formatCase, parseCase } from '../../../simulations/search/caseFile.js'
import { describeCase } from '../../../simulations/search/caseText.js'
import { durationOf, earliestOf, type Fault } from '../../../simulations/search/fault.js'
import type { SiteSpec } from '../../../simulations/topology.js'

describe('a case', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(caseOf(7), caseOf(7))
    assert.notDeepEqual(caseOf(7), caseOf(8))
  })

  it('names nothing that is not there', () => {
    fc.assert(
      fc.property(cases, (raw) => {
        const sound = soundCase(raw)
        const { sites, hosts, servers, pairs } = sound.topology
        for (const [index, site] of sites.entries()) {
          assert.ok(site.ipv4 || site.ipv6 !== 'none')
          if (site.behind === undefined) continue
          assert.ok(site.behind < index && sites[site.behind]?.nat !== undefined)
        }
        for (const host of hosts) {
          assert.ok(host.sites.length > 0 && host.sites.every((site) => site < sites.length))
          assert.equal(new Set(host.sites).size, host.sites.length)
        }
        const names = pairs.map(([a, b]) => [a, b].sort().join())
        assert.equal(new Set(names).size, names.length)
        assert.ok(
          pairs.length > 0 && pairs.every(([a, b]) => a !== b && a < hosts.length && b < hosts.length),
        )
        assert.ok(sound.traffic.every(({ pair }) => pair < pairs.length))
        const sizes = { site: sites, to: sites, host: hosts, pair: pairs, server: servers }
        for (const { fault } of sound.schedule) {
          for (const [name, list] of Object.entries(sizes)) assert.ok(indexOf(fault, name) < list.length)
        }
      }),
    )
  })

  it('that is sound stays as it is', () => {
    fc.assert(fc.property(cases, (raw) => assert.deepEqual(soundCase(soundCase(raw)), soundCase(raw))))
  })

  it('leaves the fleet time to settle after the last fault', () => {
    fc.assert(
      fc.property(cases, ({ schedule, lengthMs }) => {
        for (const { when, fault } of schedule) {
          assert.ok(earliestOf(when) <= FAULTS_UNTIL_MS && durationOf(fault) <= LONGEST_FAULT_MS)
        }
        assert.ok(lengthMs >= FAULTS_UNTIL_MS + LONGEST_FAULT_MS + 3 * 60_000)
      }),
    )
  })

  it('can be shrunk although fast-check did not make it', () => {
    fc.assert(fc.property(cases, (raw) => cases.canShrinkWithoutContext(soundCase(raw))))
  })

  it('comes out of a file as it went in', () => {
    fc.assert(
      fc.property(cases, (raw) => {
        const sound = soundCase(raw)
        assert.deepEqual(parseCase(formatCase(sound)), sound)
      }),
    )
  })

  it('of a hard seed has what others never have, and is shrunk and read back like them', () => {
    const specs = (from: number) =>
      Array.from({ length: 40 }, (_, seed) => caseOf(from + seed)).flatMap(({ topology }) => topology.sites)
    const isHard = ({ nat, broken, isolated }: SiteSpec) =>
      isolated || broken !== 'none' || (nat !== undefined && nat.portStep !== 1)
    assert.ok(!specs(1).some(isHard))
    assert.ok(specs(FIRST_HARD_SEED).some(isHard))
    for (let seed = FIRST_HARD_SEED; seed < FIRST_HARD_SEED + 40; seed++) {
      const hard = caseOf(seed)
      assert.ok(cases.canShrinkWithoutContext(hard))
      assert.deepEqual(parseCase(formatCase(hard)), hard)
    }
  })

  it('of the hardest seeds has gateways that open ports, which no other has', () => {
    const mapping = (from: number) =>
      Array.from({ length: 20 }, (_, seed) => caseOf(from + seed))
        .flatMap(({ topology }) => topology.sites)
        .filter(({ portMapping }) => portMapping !== 'none')
    assert.equal(mapping(1).length + mapping(FIRST_HARD_SEED).length, 0)
    assert.ok(mapping(FIRST_HARDEST_SEED).length > 5)
    assert.ok(mapping(FIRST_HARDEST_SEED).every(({ nat }) => nat !== undefined))
  })

  it('is not read from what is none', () => {
    const sound = caseOf(1)
    const wrong = [
      '',
      'null',
      '{}',
      '[]',
      JSON.stringify({ ...sound, topology: undefined }),
      JSON.stringify({ ...sound, schedule: [{ when: { atMs: 0 }, fault: { type: 'boredom' } }] }),
      JSON.stringify({ ...sound, traffic: [] }),
      JSON.stringify({ ...sound, seed: 'one' }),
    ]
    for (const text of wrong) assert.equal(parseCase(text), undefined, text)
  })

  it('can be told in words, one line each', () => {
    fc.assert(
      fc.property(cases, (raw) => {
        const sound = soundCase(raw)
        const { sites, hosts, servers } = sound.topology
        const lines = describeCase(sound)
        const expected = 2 + sites.length + hosts.length + servers.length
        assert.equal(lines.length, expected + sound.traffic.length + sound.schedule.length)
        for (const line of lines) assert.doesNotMatch(line, /undefined|NaN|\n/)
      }),
    )
  })
})

describe('the search', () => {
  it('makes faults of every type, and at events as well as at times', () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 400; seed++) {
      // Half of them hard.
      const { schedule } = caseOf(seed % 2 === 0 ? seed : FIRST_HARD_SEED + seed)
      for (const { when, fault } of schedule) {
        seen.add(fault.type)
        seen.add('event' in when ? 'at an event' : 'at a time')
      }
    }
    const types: Record<Fault['type'], true> = EVERY_TYPE
    assert.deepEqual([...seen].sort(), [...Object.keys(types), 'at a time', 'at an event'].sort())
  })
})

const EVERY_TYPE: Record<Fault['type'], true> = {
  'gateway-reboots': true,
  'gateway-renumbered': true,
  partition: true,
  'site-cut-off': true,
  'udp-blocked': true,
  'link-impaired': true,
  roams: true,
  'pair-roams': true,
  sleeps: true,
  'daemon-crashes': true,
  'daemon-stops': true,
  'disk-replaced': true,
  'host-reboots': true,
  'clock-jumps': true,
  'peer-removed': true,
  'endpoint-set': true,
  'server-down': true,
  'bad-storer': true,
  'relay-restarts': true,
  'bad-relay': true,
  'forged-knocks': true,
  'replayed-knocks': true,
  'replayed-gossip': true,
  'replayed-datagrams': true,
  'spoofed-checks': true,
  'mirrored-checks': true,
  'junk-flood': true,
  'forged-first-messages': true,
  'spoofed-data': true,
}

/** The index under a name, where a fault has one. */
function indexOf(fault: Case['schedule'][number]['fault'], name: string): number {
  const value = Object.entries(fault).find(([key]) => key === name)?.[1]
  return typeof value === 'number' ? value : 0
}
