/**
 * Smaller cases than a given one: with less in them, then with simpler things in them. What is left over, numbers above
 * all, fast-check makes smaller.
 *
 * Each pass yields candidates, the boldest first. Indices follow what they named when something before it goes.
 */

import { HOUR } from '../../src/base/time.js'
import { perfectLink } from '../network/link.js'
import type { HostSpec, NatSpec, SiteSpec, Topology } from '../topology.js'
import { cases } from './arbitraries.js'
import type { Case } from './case.js'
import type { Fault, ScheduledFault } from './fault.js'

const NOON_MS = 12 * HOUR

export type Pass = (whole: Case) => Iterable<Case>

/** In the order in which they pay: what makes a run shorter comes first. */
export const PASSES: readonly Pass[] = [
  withoutFaults,
  withoutTraffic,
  withoutHosts,
  withoutPairs,
  withoutServers,
  withoutSites,
  withSimplerSites,
  withSimplerHosts,
  withTimesForEvents,
  atNoon,
  byFastCheck,
]

function* withoutFaults(whole: Case): Iterable<Case> {
  for (const schedule of withoutSome(whole.schedule, 0)) yield { ...whole, schedule }
}

function* withoutTraffic(whole: Case): Iterable<Case> {
  for (const traffic of withoutSome(whole.traffic, 1)) yield { ...whole, traffic }
}

function* withoutPairs(whole: Case): Iterable<Case> {
  const { pairs } = whole.topology
  for (let gone = pairs.length - 1; gone >= 0 && pairs.length > 1; gone--) {
    const kept = renamed({ pair: without(gone) }, whole)
    yield { ...kept, topology: { ...kept.topology, pairs: pairs.filter((_, index) => index !== gone) } }
  }
}

/** A host goes with its pairs, their traffic, and what befalls them. */
function* withoutHosts(whole: Case): Iterable<Case> {
  const { hosts, pairs } = whole.topology
  for (let gone = hosts.length - 1; gone >= 0 && hosts.length > 2; gone--) {
    const host = without(gone)
    const stays = pairs.map((pair) => !pair.includes(gone))
    if (!stays.includes(true)) continue
    const newPair = stays.map((_, index) => stays.slice(0, index).filter(Boolean).length)
    const kept: Case = {
      ...whole,
      starts: whole.starts.filter((_, index) => index !== gone),
      schedule: whole.schedule.filter(({ fault }) => !('pair' in fault) || stays[fault.pair] !== false),
      traffic: whole.traffic.filter(({ pair }) => stays[pair] !== false),
    }
    if (kept.traffic.length === 0) continue
    const topology: Topology = {
      ...whole.topology,
      hosts: hosts.filter((_, index) => index !== gone),
      pairs: pairs.filter((_, index) => stays[index]).map(([a, b]) => [host(a), host(b)]),
    }
    yield { ...renamed({ host, pair: (index) => newPair[index] ?? 0 }, kept), topology }
  }
}

function* withoutServers(whole: Case): Iterable<Case> {
  const { servers } = whole.topology
  for (let gone = servers.length - 1; gone >= 0 && servers.length > 1; gone--) {
    const kept = renamed({ server: without(gone) }, whole)
    yield { ...kept, topology: { ...kept.topology, servers: servers.filter((_, index) => index !== gone) } }
  }
}

/** Whoever was at a site that goes is at the one before it. */
function* withoutSites(whole: Case): Iterable<Case> {
  const { sites } = whole.topology
  for (let gone = sites.length - 1; gone >= 0 && sites.length > 1; gone--) {
    const site = without(gone)
    const kept = renamed({ site }, whole)
    const left = sites
      .filter((_, index) => index !== gone)
      .map(
        (spec): SiteSpec => ({
          ...spec,
          behind: spec.behind === undefined || spec.behind === gone ? undefined : site(spec.behind),
        }),
      )
    yield { ...kept, topology: { ...kept.topology, sites: left } }
  }
}

const CALM = perfectLink(10)

const USUAL_NAT: NatSpec = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: 'preserving',
  portStep: 1,
  lifetimeMs: 120_000,
  refreshedBy: 'both',
  hairpin: false,
  maxMappings: 65_536,
  addresses: 1,
}

function* withSimplerSites(whole: Case): Iterable<Case> {
  for (const [index, site] of whole.topology.sites.entries()) {
    const plainSite = {
      ...site,
      behind: undefined,
      ipv4: true,
      ipv6: 'none',
      firewall: false,
      udp: true,
      broken: 'none',
      isolated: false,
      portMapping: 'none',
    } as const
    const simpler: SiteSpec[] = [
      { ...plainSite, nat: undefined, link: CALM },
      { ...plainSite, nat: site.nat === undefined ? undefined : USUAL_NAT, link: CALM },
      { ...plainSite, link: CALM },
      { ...site, link: CALM },
      { ...site, nat: undefined },
      { ...site, nat: site.nat === undefined ? undefined : USUAL_NAT },
      { ...site, behind: undefined },
      { ...site, region: 'europe' },
    ]
    for (const other of simpler)
      yield withTopology(whole, { sites: replaced(whole.topology.sites, index, other) })
  }
}

function* withSimplerHosts(whole: Case): Iterable<Case> {
  for (const [index, host] of whole.topology.hosts.entries()) {
    const simpler: HostSpec[] = [
      { ...host, clockAheadMs: 0 },
      ...(host.sites.length > 1 ? host.sites.map((site) => ({ ...host, sites: [site] })) : []),
    ]
    yield { ...whole, starts: replaced(whole.starts, index, 0) }
    for (const other of simpler)
      yield withTopology(whole, { hosts: replaced(whole.topology.hosts, index, other) })
  }
}

/** A fault at a time is simpler than one at an event. */
function* withTimesForEvents(whole: Case): Iterable<Case> {
  for (const [index, { when, fault }] of whole.schedule.entries()) {
    if (!('event' in when)) continue
    for (const simpler of [{ atMs: when.afterMs }, { ...when, nth: 1 }])
      yield { ...whole, schedule: replaced(whole.schedule, index, { when: simpler, fault }) }
  }
}

/** Where the day plays no part. */
function* atNoon(whole: Case): Iterable<Case> {
  yield { ...whole, beforeMidnightMs: NOON_MS }
}

/** Whatever fast-check knows to make smaller: numbers towards 0, choices towards the first. */
function* byFastCheck(whole: Case): Iterable<Case> {
  if (!cases.canShrinkWithoutContext(whole)) return
  for (const { value } of cases.shrink(whole, undefined)) yield value
}

function withTopology(whole: Case, parts: Partial<Topology>): Case {
  return { ...whole, topology: { ...whole.topology, ...parts } }
}

function replaced<Item>(list: readonly Item[], index: number, item: Item): readonly Item[] {
  return list.map((old, at) => (at === index ? item : old))
}

/** Without all, without each half, each quarter and so on, down to without each one. At least `atLeast` are left. */
function* withoutSome<Item>(list: readonly Item[], atLeast: number): Iterable<readonly Item[]> {
  for (let size = list.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < list.length; start += size) {
      const left = [...list.slice(0, start), ...list.slice(start + size)]
      if (left.length >= atLeast) yield left
    }
  }
}

type Renaming = (index: number) => number

/** The names of the others, when one is gone; its own goes to the one before it. */
function without(gone: number): Renaming {
  return (index) => (index > gone || (index === gone && index > 0) ? index - 1 : index)
}

interface Renamings {
  readonly site?: Renaming
  readonly host?: Renaming
  readonly server?: Renaming
  readonly pair?: Renaming
}

const same: Renaming = (index) => index

function renamed({ site = same, host = same, server = same, pair = same }: Renamings, whole: Case): Case {
  const fault = (fault: Fault): Fault => {
    switch (fault.type) {
      case 'partition':
        return { ...fault, sites: fault.sites.map(site), servers: fault.servers.map(server) }
      case 'roams':
        return { ...fault, host: host(fault.host), to: site(fault.to) }
      case 'pair-roams':
        return { ...fault, pair: pair(fault.pair), to: [site(fault.to[0]), site(fault.to[1])] }
      default:
        if ('site' in fault) return { ...fault, site: site(fault.site) }
        if ('host' in fault) return { ...fault, host: host(fault.host) }
        if ('server' in fault) return { ...fault, server: server(fault.server) }
        return { ...fault, pair: pair(fault.pair) }
    }
  }
  return {
    ...whole,
    schedule: whole.schedule.map(
      (scheduled): ScheduledFault => ({
        when:
          'host' in scheduled.when ? { ...scheduled.when, host: host(scheduled.when.host) } : scheduled.when,
        fault: fault(scheduled.fault),
      }),
    ),
    topology: {
      ...whole.topology,
      hosts: whole.topology.hosts.map((spec) => ({ ...spec, sites: spec.sites.map(site) })),
    },
    traffic: whole.traffic.map((traffic) => ({ ...traffic, pair: pair(traffic.pair) })),
  }
}
