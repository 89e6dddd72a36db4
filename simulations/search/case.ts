/**
 * One case of the search: a topology, who talks to whom, and what goes wrong when. Plain data: it is generated, shrunk,
 * printed, written to a file and read back.
 *
 * Indices in a case may point beyond what there is: `soundCase` brings them into range, and so every value of the right
 * form is a case. Shrinking depends on it: it takes hosts and sites away without looking at who named them.
 */

import type { HostSpec, ServerSpec, SiteSpec, Topology } from '../topology.js'
import type { Fault, Occasion, ScheduledFault } from './fault.js'

/** Pings from one end of a pair to the other. */
export interface Traffic {
  /** Index of the pair. */
  readonly pair: number
  /** From the pair's first to its second; otherwise from the second to the first. */
  readonly forwards: boolean
  readonly everyMs: number
  readonly fromMs: number
  /** For how long. */
  readonly forMs: number
}

export interface Case {
  readonly schedule: readonly ScheduledFault[]
  readonly topology: Topology
  /** When Tunnelbore starts on each host, in ms. */
  readonly starts: readonly number[]
  readonly traffic: readonly Traffic[]
  /** False where engines are also given the records that their mesh part would refuse. */
  readonly judged: boolean
  /** How long before midnight (UTC) it begins, in ms; below zero for after. */
  readonly beforeMidnightMs: number
  /** For how long it runs. Faults are over well before, so that the fleet has to settle. */
  readonly lengthMs: number
  /** Everything else that is random in the run. */
  readonly seed: number
  /** False where the fleet is too large to gossip. */
  readonly gossips: boolean
}

/** The same case with every index in range, and nothing named twice. Sound cases stay as they are. */
export function soundCase(raw: Case): Case {
  const topology = soundTopology(raw.topology)
  const sizes: Sizes = {
    sites: topology.sites.length,
    hosts: topology.hosts.length,
    servers: topology.servers.length,
    pairs: topology.pairs.length,
  }
  return {
    schedule: raw.schedule.map(({ when, fault }) => ({
      when: soundOccasion(when, sizes),
      fault: soundFault(fault, sizes),
    })),
    topology,
    starts: topology.hosts.map((_, index) => raw.starts[index] ?? 0),
    traffic: raw.traffic.map((traffic) => ({ ...traffic, pair: traffic.pair % sizes.pairs })),
    judged: raw.judged,
    beforeMidnightMs: raw.beforeMidnightMs,
    lengthMs: raw.lengthMs,
    seed: raw.seed,
    gossips: raw.gossips,
  }
}

/** There are at least two hosts, a site, a server, and one pair. */
export function soundTopology({ sites, hosts, servers, pairs }: Topology): Topology {
  const soundSites: SiteSpec[] = []
  for (const site of sites) soundSites.push(soundSite(site, soundSites))
  const soundHosts = hosts.map((host): HostSpec => {
    const named = host.sites.map((site) => site % soundSites.length)
    return { sites: [...new Set(named)], clockAheadMs: host.clockAheadMs }
  })
  return {
    sites: soundSites,
    hosts: soundHosts,
    servers: servers.map(({ region, relays }): ServerSpec => ({ region, relays })),
    pairs: soundPairs(pairs, soundHosts.length),
  }
}

interface Sizes {
  readonly sites: number
  readonly hosts: number
  readonly servers: number
  readonly pairs: number
}

/** A site is behind one of those before it that has a gateway, or behind none. */
function soundSite(site: SiteSpec, before: readonly SiteSpec[]): SiteSpec {
  // A network has addresses of one family at least, and one that works; only those of IPv4 are translated.
  const ipv4 = site.ipv4 || site.ipv6 === 'none'
  const nat = ipv4 && site.nat !== undefined ? { ...site.nat } : undefined
  const behind = site.behind === undefined || before.length === 0 ? undefined : site.behind % before.length
  const outer = behind === undefined ? undefined : before[behind]
  const isInside = outer?.nat !== undefined && nat !== undefined
  return {
    region: isInside ? outer.region : site.region,
    behind: isInside ? behind : undefined,
    link: { ...site.link },
    ipv4,
    nat,
    ipv6: site.ipv6,
    firewall: site.firewall,
    udp: site.udp,
    broken: ipv4 && site.ipv6 !== 'none' ? site.broken : 'none',
    isolated: site.isolated,
    portMapping: nat === undefined ? 'none' : site.portMapping,
  }
}

function soundPairs(pairs: Topology['pairs'], hosts: number): Topology['pairs'] {
  const found: [number, number][] = []
  for (const [a, b] of pairs) {
    const one = a % hosts
    const other = b % hosts
    // Nobody is a peer of itself: the next one is meant.
    const pair: [number, number] = [one, other === one ? (one + 1) % hosts : other]
    const isKnown = found.some(
      ([x, y]) => (x === pair[0] && y === pair[1]) || (x === pair[1] && y === pair[0]),
    )
    if (!isKnown) found.push(pair)
  }
  return found
}

function soundOccasion(when: Occasion, sizes: Sizes): Occasion {
  return 'atMs' in when ? { atMs: when.atMs } : { ...when, host: when.host % sizes.hosts }
}

function soundFault(fault: Fault, sizes: Sizes): Fault {
  switch (fault.type) {
    case 'partition':
      return {
        ...fault,
        sites: indices(fault.sites, sizes.sites),
        servers: indices(fault.servers, sizes.servers),
      }
    case 'gateway-reboots':
    case 'gateway-renumbered':
    case 'site-cut-off':
    case 'udp-blocked':
    case 'link-impaired':
      return { ...fault, site: fault.site % sizes.sites }
    case 'roams':
      return { ...fault, host: fault.host % sizes.hosts, to: fault.to % sizes.sites }
    case 'pair-roams':
      return {
        ...fault,
        pair: fault.pair % sizes.pairs,
        to: [fault.to[0] % sizes.sites, fault.to[1] % sizes.sites],
      }
    case 'sleeps':
    case 'daemon-crashes':
    case 'daemon-stops':
    case 'disk-replaced':
    case 'host-reboots':
    case 'clock-jumps':
    case 'replayed-datagrams':
    case 'junk-flood':
      return { ...fault, host: fault.host % sizes.hosts }
    case 'server-down':
    case 'bad-storer':
    case 'relay-restarts':
    case 'bad-relay':
      return { ...fault, server: fault.server % sizes.servers }
    default:
      return { ...fault, pair: fault.pair % sizes.pairs }
  }
}

/** In range, each once, in order. */
function indices(named: readonly number[], size: number): readonly number[] {
  return [...new Set(named.map((index) => index % size))].sort((a, b) => a - b)
}
