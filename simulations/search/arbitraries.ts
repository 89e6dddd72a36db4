/**
 * Random cases: a topology, traffic over its pairs, and up to a dozen faults in the first eight of some fourteen
 * simulated minutes, so that in the end the fleet must have settled.
 *
 * A seed gives one case, on every machine. As in topologyArbitraries.ts nothing is mapped or chained, so that any case
 * of the right form can be shrunk.
 */

import fc, { type Arbitrary } from 'fast-check'
import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import type { LinkSpec, Topology } from '../topology.js'
import { type Case, soundCase, type Traffic } from './case.js'
import {
  EVENT_KINDS,
  type Fault,
  type Occasion,
  RELAY_BEHAVIOURS,
  type ScheduledFault,
  STORER_BEHAVIOURS,
} from './fault.js'
import {
  hardestTopologies,
  hardTopologies,
  MOST_HOSTS,
  MOST_SITES,
  plain,
  topologies,
} from './topologyArbitraries.js'

const MOST_FAULTS = 12

/** Faults begin before this, and are over two minutes later at most. */
export const FAULTS_UNTIL_MS = 8 * MINUTE
export const LONGEST_FAULT_MS = 2 * MINUTE
const LENGTH_MS = 14 * MINUTE

const site = fc.nat(MOST_SITES - 1)
const host = fc.nat(MOST_HOSTS - 1)
const pair = fc.nat(4)
const server = fc.nat(2)
const shortMs = fc.integer({ min: 0, max: 10 * SECOND })
const forMs = fc.oneof(
  fc.integer({ min: 100, max: 10 * SECOND }),
  fc.integer({ min: 100, max: LONGEST_FAULT_MS }),
)

/** Long enough to be seen by invariants that look at servers now and then. */
const serverForMs = fc.integer({ min: 6 * SECOND, max: LONGEST_FAULT_MS })

/** A link as it is on a bad day. */
const badLink: Arbitrary<LinkSpec> = plain<LinkSpec>({
  delayMs: fc.constantFrom(20, 20, 150, 600),
  jitterMs: fc.constantFrom(0, 30, 200),
  loss: fc.constantFrom(0, 0.05, 0.2, 0.5),
  lossBurst: fc.constantFrom(1, 3, 10),
  reorder: fc.constantFrom(0, 0.05, 0.3),
  reorderMs: fc.constantFrom(0, 20, 300),
  duplicate: fc.constantFrom(0, 0.05, 0.3),
  rate: fc.constantFrom(0, 0, 20_000, 4_000),
  queue: fc.constantFrom(0, 4_000, 64_000),
})

/** A fault of a type whose parts these are. */
function one<F extends Fault>(
  type: F['type'],
  parts: { [Key in Exclude<keyof F, 'type'>]: Arbitrary<F[Key]> },
): Arbitrary<Fault> {
  return fc.record(
    { type: fc.constant(type), ...parts },
    { noNullPrototype: true },
  ) as Arbitrary<unknown> as Arbitrary<F>
}

type Of<Type extends Fault['type']> = Extract<Fault, { readonly type: Type }>

const networkFaults: readonly Arbitrary<Fault>[] = [
  one<Of<'gateway-reboots'>>('gateway-reboots', { site }),
  one<Of<'gateway-renumbered'>>('gateway-renumbered', { site }),
  one<Of<'partition'>>('partition', {
    sites: fc.array(site, { minLength: 0, maxLength: 3 }),
    servers: fc.array(server, { minLength: 0, maxLength: 2 }),
    forMs,
  }),
  one<Of<'site-cut-off'>>('site-cut-off', { site, forMs }),
  one<Of<'udp-blocked'>>('udp-blocked', { site, forMs }),
  one<Of<'link-impaired'>>('link-impaired', { site, link: badLink, forMs }),
]

const hostFaults: readonly Arbitrary<Fault>[] = [
  one<Of<'roams'>>('roams', { host, to: site, awayMs: shortMs }),
  one<Of<'pair-roams'>>('pair-roams', { pair, to: fc.tuple(site, site), awayMs: shortMs }),
  one<Of<'sleeps'>>('sleeps', { host, forMs }),
  one<Of<'daemon-crashes'>>('daemon-crashes', { host, keepsState: fc.boolean(), forMs }),
  one<Of<'disk-replaced'>>('disk-replaced', { host, behindMs: fc.nat(90 * MINUTE), forMs }),
  one<Of<'daemon-stops'>>('daemon-stops', { host, forMs }),
  one<Of<'host-reboots'>>('host-reboots', { host, forMs }),
  one<Of<'clock-jumps'>>('clock-jumps', { host, byMs: fc.integer({ min: -90 * MINUTE, max: 90 * MINUTE }) }),
  one<Of<'peer-removed'>>('peer-removed', { pair, byFirst: fc.boolean(), forMs }),
  one<Of<'endpoint-set'>>('endpoint-set', {
    pair,
    byFirst: fc.boolean(),
    to: fc.constantFrom('nobody', 'peer'),
  }),
]

const meshFaults: readonly Arbitrary<Fault>[] = [
  one<Of<'server-down'>>('server-down', {
    server,
    how: fc.constantFrom('clean', 'hang', 'power'),
    forMs: serverForMs,
  }),
  one<Of<'bad-storer'>>('bad-storer', {
    server,
    behaviour: fc.constantFrom(...STORER_BEHAVIOURS),
    forMs: serverForMs,
  }),
]

/** In hard cases only. */
const relayFaults: readonly Arbitrary<Fault>[] = [
  one<Of<'relay-restarts'>>('relay-restarts', { server }),
  one<Of<'bad-relay'>>('bad-relay', {
    server,
    behaviour: fc.constantFrom(...RELAY_BEHAVIOURS),
    forMs: serverForMs,
  }),
]

const count = fc.integer({ min: 1, max: 20 })

const hostileFaults: readonly Arbitrary<Fault>[] = [
  one<Of<'forged-knocks'>>('forged-knocks', { pair, count }),
  one<Of<'replayed-knocks'>>('replayed-knocks', { pair, count }),
  one<Of<'replayed-gossip'>>('replayed-gossip', { pair, count }),
  one<Of<'replayed-datagrams'>>('replayed-datagrams', { host, count }),
  one<Of<'spoofed-checks'>>('spoofed-checks', { pair, count }),
  one<Of<'mirrored-checks'>>('mirrored-checks', { pair, count }),
  one<Of<'junk-flood'>>('junk-flood', {
    host,
    perSecond: fc.constantFrom(10, 100, 400),
    forMs: fc.integer({ min: 100, max: 5 * SECOND }),
  }),
  one<Of<'forged-first-messages'>>('forged-first-messages', { pair, count }),
  one<Of<'spoofed-data'>>('spoofed-data', { pair, count }),
]

const occasions: Arbitrary<Occasion> = fc.oneof(
  { arbitrary: plain<{ atMs: number }>({ atMs: fc.nat(FAULTS_UNTIL_MS) }), weight: 4 },
  // While all is new.
  { arbitrary: plain<{ atMs: number }>({ atMs: fc.nat(15 * SECOND) }), weight: 1 },
  {
    arbitrary: plain<Exclude<Occasion, { readonly atMs: number }>>({
      afterMs: fc.nat(FAULTS_UNTIL_MS),
      event: fc.constantFrom(...EVENT_KINDS),
      host,
      nth: fc.integer({ min: 1, max: 12 }),
    }),
    weight: 2,
  },
)

const scheduledFaultsOf = (isHard: boolean): Arbitrary<ScheduledFault> =>
  plain<ScheduledFault>({
    when: occasions,
    fault: fc.oneof(
      { arbitrary: fc.oneof(...networkFaults), weight: 3 },
      { arbitrary: fc.oneof(...hostFaults), weight: 4 },
      { arbitrary: fc.oneof(...meshFaults), weight: 2 },
      { arbitrary: fc.oneof(...hostileFaults), weight: 3 },
      ...(isHard ? [{ arbitrary: fc.oneof(...relayFaults), weight: 3 }] : []),
    ),
  })

/** How long before midnight it begins: mostly at noon; else midnight is near, or what is read and published changes. */
const beforeMidnightMs = fc.oneof(
  { arbitrary: fc.constant(12 * HOUR), weight: 3 },
  { arbitrary: fc.nat(LENGTH_MS), weight: 2 },
  { arbitrary: fc.integer({ min: -HOUR, max: HOUR }), weight: 2 },
  { arbitrary: fc.integer({ min: 105 * MINUTE, max: 135 * MINUTE }), weight: 1 },
  { arbitrary: fc.integer({ min: -12 * HOUR, max: 12 * HOUR }), weight: 1 },
)

/** Steady, in bursts with minutes of rest between, or now and then. */
const traffic: Arbitrary<Traffic> = plain<Traffic>({
  pair,
  forwards: fc.boolean(),
  everyMs: fc.constantFrom(1 * SECOND, 1 * SECOND, 5 * SECOND, 27 * SECOND, 130 * SECOND),
  fromMs: fc.oneof(fc.nat(10 * SECOND), fc.nat(LENGTH_MS / 2)),
  forMs: fc.oneof(fc.constant(LENGTH_MS), fc.integer({ min: 10 * SECOND, max: 5 * MINUTE })),
})

/** Of a generated case always the same; a case that was cut short is one as well, and stays as it is. */
class Length extends fc.Arbitrary<number> {
  override generate(): fc.Value<number> {
    return new fc.Value(LENGTH_MS, undefined)
  }

  override canShrinkWithoutContext(value: unknown): value is number {
    return Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= LENGTH_MS
  }

  override shrink(): fc.Stream<fc.Value<number>> {
    return fc.Stream.nil()
  }
}

const casesOf = (topology: Arbitrary<Topology>, isHard: boolean): Arbitrary<Case> =>
  plain<Case>({
    schedule: fc.array(scheduledFaultsOf(isHard), { maxLength: MOST_FAULTS, size: 'max' }),
    topology,
    starts: fc.array(
      fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(MINUTE), weight: 1 }),
      { maxLength: MOST_HOSTS, size: 'max' },
    ),
    traffic: fc.array(traffic, { minLength: 1, maxLength: 6, size: 'max' }),
    judged: fc.constantFrom(true, true, false),
    beforeMidnightMs,
    lengthMs: new Length(),
    seed: fc.nat(2 ** 31 - 1),
    gossips: fc.constantFrom(true, true, true, true, false),
  })

/** All that a case can be. */
export const cases = casesOf(hardestTopologies, true)
const hardCases = casesOf(hardTopologies, true)
const plainerCases = casesOf(topologies, false)

/** From this seed on cases are hard: with what has come to topologies and faults later (see topologyArbitraries.ts). */
export const FIRST_HARD_SEED = 2 ** 29

/** From this one on they have gateways that open ports, and more networks without UDP. */
export const FIRST_HARDEST_SEED = 2 ** 30

/** The case of a seed, the same for ever. */
export function caseOf(seed: number): Case {
  const drawn = seed < FIRST_HARD_SEED ? plainerCases : seed < FIRST_HARDEST_SEED ? hardCases : cases
  const [found] = fc.sample(fc.noBias(drawn), { seed, numRuns: 1 })
  if (found === undefined) throw new Error('a sample of one is empty')
  return soundCase(found)
}
