/**
 * Random topologies: two to six hosts over one to six sites behind all kinds of gateways.
 *
 * Nothing here is mapped, filtered or chained, so that fast-check can shrink a topology that it did not make, such as
 * one read from a file. What is out of range is brought into range by `soundCase`. The first value of a choice is the
 * simplest: there choices shrink to.
 *
 * What has come later (ports that count by odd steps, broken families, hosts kept apart, member relays) is drawn in hard
 * topologies only, and gateways that open ports in the hardest. In the others it costs no randomness, so that the seeds of
 * before keep their cases.
 */

import fc, { type Arbitrary } from 'fast-check'
import { MINUTE, SECOND } from '../../src/base/time.js'
import { REGIONS } from '../network/regions.js'
import type {
  BrokenFamily,
  Dependence,
  HostSpec,
  LinkSpec,
  NatSpec,
  PortMapping,
  ServerSpec,
  SiteSpec,
  Topology,
} from '../topology.js'

export const MOST_HOSTS = 6
export const MOST_SITES = 6
const MOST_SERVERS = 3
const MOST_PAIRS = 5

/** How far a wall clock is ever off: peers whose clocks differ by 2 h are promised to meet. */
export const MOST_SKEW_MS = 59 * MINUTE

const DEPENDENCES: readonly Dependence[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]

/** A record whose keys are all there, in the order in which they are shrunk. */
export function plain<T extends object>(parts: { [Key in keyof T]: Arbitrary<T[Key]> }): Arbitrary<T> {
  return fc.record<T>(parts, { noNullPrototype: true }) as Arbitrary<T>
}

/** One of some values, or where topologies are not hard the first. */
function inHard<Value>(isHard: boolean, first: Value, ...others: readonly Value[]): Arbitrary<Value> {
  return isHard ? fc.constantFrom(first, ...others) : fc.constant(first)
}

const region = fc.constantFrom(...REGIONS)

/** A link as they mostly are: it loses little. */
const usualLink: Arbitrary<LinkSpec> = plain<LinkSpec>({
  delayMs: fc.integer({ min: 1, max: 60 }),
  jitterMs: fc.constantFrom(0, 0, 1, 5, 20),
  loss: fc.constantFrom(0, 0, 0, 0.002, 0.01),
  lossBurst: fc.constantFrom(1, 1, 2, 4),
  reorder: fc.constantFrom(0, 0, 0.002, 0.02),
  reorderMs: fc.constantFrom(0, 5, 30),
  duplicate: fc.constantFrom(0, 0, 0.002, 0.02),
  rate: fc.constantFrom(0, 0, 1_000_000, 125_000),
  queue: fc.constantFrom(0, 64_000, 256_000),
})

/** Timeouts from the shortest that are seen in the field to the five minutes that RFC 4787 section 4.3 recommends. */
const natOf = (isHard: boolean): Arbitrary<NatSpec> =>
  plain<NatSpec>({
    mapping: fc.constantFrom(...DEPENDENCES, 'endpoint-independent'),
    filtering: fc.constantFrom(...DEPENDENCES, 'address-and-port-dependent'),
    ports: fc.constantFrom('preserving', 'sequential', 'random'),
    portStep: inHard(isHard, 1, 2, -1, 4),
    lifetimeMs: fc.constantFrom(120 * SECOND, 30 * SECOND, 60 * SECOND, 300 * SECOND),
    refreshedBy: fc.constantFrom('both', 'outbound'),
    hairpin: fc.boolean(),
    maxMappings: fc.constantFrom(65_536, 65_536, 1_024, 128),
    addresses: fc.constantFrom(1, 1, 1, 2, 4),
  })

const siteOf = (isHard: boolean, mapsPorts: boolean): Arbitrary<SiteSpec> =>
  plain<SiteSpec>({
    region,
    behind: fc.option(fc.nat(MOST_SITES - 1), { nil: undefined, freq: 2 }),
    link: usualLink,
    ipv4: fc.constantFrom(true, true, true, true, true, true, true, false),
    nat: fc.option(natOf(isHard), { nil: undefined, freq: 4 }),
    ipv6: fc.constantFrom('none', 'none', 'open', 'firewalled'),
    firewall: fc.constantFrom(false, false, true),
    udp: mapsPorts
      ? fc.constantFrom(true, true, true, false)
      : fc.constantFrom(true, true, true, true, true, true, true, true, true, false),
    broken: inHard<BrokenFamily>(isHard, 'none', 'none', 'none', 'ipv4', 'ipv6'),
    isolated: inHard(isHard, false, false, false, true),
    portMapping: inHard<PortMapping>(
      mapsPorts,
      'none',
      'none',
      'pcp',
      'nat-pmp',
      'upnp',
      'upnp',
      'refusing',
      'rubbish',
      'foreign',
      'hollow',
    ),
  })

const host: Arbitrary<HostSpec> = plain<HostSpec>({
  sites: fc.oneof(
    { arbitrary: fc.array(fc.nat(MOST_SITES - 1), { minLength: 1, maxLength: 1 }), weight: 4 },
    { arbitrary: fc.array(fc.nat(MOST_SITES - 1), { minLength: 2, maxLength: 2 }), weight: 1 },
  ),
  clockAheadMs: fc.oneof(
    { arbitrary: fc.constant(0), weight: 2 },
    { arbitrary: fc.integer({ min: -MOST_SKEW_MS, max: MOST_SKEW_MS }), weight: 1 },
  ),
})

const topologiesOf = (isHard: boolean, mapsPorts: boolean): Arbitrary<Topology> =>
  plain<Topology>({
    hosts: fc.array(host, { minLength: 2, maxLength: MOST_HOSTS, size: 'max' }),
    sites: fc.array(siteOf(isHard, mapsPorts), { minLength: 1, maxLength: MOST_SITES, size: 'max' }),
    servers: fc.array(plain<ServerSpec>({ region, relays: inHard(isHard, false, true, true) }), {
      minLength: 1,
      maxLength: MOST_SERVERS,
      size: 'max',
    }),
    pairs: fc.array(fc.tuple(fc.nat(MOST_HOSTS - 1), fc.nat(MOST_HOSTS - 1)), {
      minLength: 1,
      maxLength: MOST_PAIRS,
      size: 'max',
    }),
  })

export const topologies = topologiesOf(false, false)

/** With everything that makes meeting hard, but for gateways that open ports. */
export const hardTopologies = topologiesOf(true, false)

/** With these as well, and more networks that let no UDP out. */
export const hardestTopologies = topologiesOf(true, true)
