/**
 * A fleet as it might be: homes all over the world behind the gateways that are found there, mobile networks and open
 * places to roam to, and servers.
 *
 * Shares of gateways, and how long they keep a mapping:
 * - Halkes and Pouwelse, "UDP NAT and Firewall Puncturing in the Wild" (2011): 79 % of peers cannot be connected to
 *   directly; 64 % are behind mappings that do not depend on the destination, 11 % behind such that do.
 * - Richter et al., "A Multi-perspective Analysis of Carrier-Grade NAT Deployment" (2016): 17 % of the networks of
 *   households translate in the carrier's network, over 90 % of the mobile ones. Symmetric are 11 % of the former and 40 %
 *   of the latter; 20 % of the mobile ones are full cones. UDP mappings time out after 10 to 200 s, with a median of 35 s
 *   in carriers' networks for households, and of 65 s in mobile ones.
 * - Ford, Srisuresh and Kegel (2005): 24 % of gateways hairpin UDP. Carriers' must (RFC 6888 section 3, REQ-1).
 *
 * Delays, losses, shares of IPv6, and how the filtering of gateways at home divides, are not from a source: they are
 * such that everything occurs. How many gateways are symmetric is for the scenario to say, because between some pairs of
 * those there is no direct path.
 */

import { type Random, randomBelow } from '../../src/base/random.js'
import { SECOND } from '../../src/base/time.js'
import { perfectLink } from '../network/link.js'
import { REGIONS, type Region } from '../network/regions.js'
import type { Parameter } from '../scenario.js'
import type { HostSpec, LinkSpec, ServerSpec, SiteSpec, Topology } from '../topology.js'
import { type Access, natOf } from './access.js'

export interface PopulationOptions {
  readonly hosts: number
  /** For each host, with how many others it is paired by its own choice. */
  readonly peers: number
  readonly servers: number
  /** The percentage of symmetric ones among the gateways; without any, checks alone open a way between each two. */
  readonly symmetric: number
  /** True for links on which nothing is lost. */
  readonly lossless?: boolean
  /** Wall clocks are off by up to this, either way. */
  readonly clockSkewMs?: number
}

export interface Population {
  readonly topology: Topology
  /** Sites to roam to: indices. */
  readonly roamable: readonly number[]
}

/** Weights out of 100. */
type Shares<Value extends string> = Readonly<Partial<Record<Value, number>>>

/** For who lets the user choose {@link PopulationOptions.symmetric}. */
export const SYMMETRIC: Omit<Parameter, 'default'> = {
  what: 'symmetric ones among the gateways (found: 11 of homes, 40 of mobile networks)',
  unit: 'percent',
  min: 0,
  max: 100,
}

const OPEN_HOME_PERCENT = 22
/** Of gateways that map independently of the destination. */
/** A gateway's kind. */
type Kind = Exclude<Access, 'open'>

const FILTERINGS: Shares<Kind> = { 'full-cone': 20, 'address-restricted': 20, 'port-restricted': 60 }
const HOME_IPV6: Shares<SiteSpec['ipv6']> = { none: 65, firewalled: 30, open: 5 }
const HOME_LIFETIME: readonly number[] = [30, 35, 60, 120, 180].map((seconds) => seconds * SECOND)
const CARRIER_LIFETIME_MS = 35 * SECOND
const MOBILE_LIFETIME_MS = 65 * SECOND
const BEHIND_CARRIER_PERCENT = 17
const HAIRPIN_PERCENT = 24

/** So many hosts share a home. */
const HOSTS_A_HOME = 1.5

export function populate(random: Random, options: PopulationOptions): Population {
  const sites: SiteSpec[] = []
  const carriers = REGIONS.map((region) => sites.push(carrier(random, region, options)) - 1)
  const mobile = REGIONS.map((region) => sites.push(mobileNetwork(random, region, options)) - 1)
  const homes = Array.from({ length: Math.ceil(options.hosts / HOSTS_A_HOME) }, () => {
    const region = randomBelow(random, REGIONS.length)
    return sites.push(home(random, region, carriers, options)) - 1
  })
  const hosts = Array.from({ length: options.hosts }, (): HostSpec => {
    return { sites: [pick(random, homes)], clockAheadMs: skew(random, options.clockSkewMs ?? 0) }
  })
  const servers = Array.from({ length: options.servers }, (_, index): ServerSpec => {
    return { region: REGIONS[index % REGIONS.length] ?? 'europe', relays: true }
  })
  return {
    topology: { sites, hosts, servers, pairs: pairUp(random, options.hosts, options.peers) },
    roamable: [...mobile, ...homes],
  }
}

/**
 * Each of `hosts` is paired with `peers` others by its own choice, each pair once; with fewer where that many are not
 * there.
 */
export function pairUp(random: Random, hosts: number, peers: number): Topology['pairs'] {
  const known = new Set<number>()
  const pairs: (readonly [number, number])[] = []
  const add = (a: number, b: number): boolean => {
    const name = Math.min(a, b) * hosts + Math.max(a, b)
    if (a === b || known.has(name)) return false
    known.add(name)
    pairs.push([a, b])
    return true
  }
  for (let host = 0; host < hosts; host++) {
    let wanted = peers
    for (let tries = 0; wanted > 0 && tries < 4 * peers; tries++)
      if (add(host, randomBelow(random, hosts))) wanted -= 1
    // Those who are hard to find by chance are found in order.
    for (let step = 1; wanted > 0 && step < hosts; step++) if (add(host, (host + step) % hosts)) wanted -= 1
  }
  return pairs
}

function carrier(random: Random, region: Region, { symmetric }: PopulationOptions): SiteSpec {
  const access = gateway(random, symmetric)
  return translated(region, access, CARRIER_LIFETIME_MS, perfectLink(4), true)
}

function mobileNetwork(random: Random, region: Region, { symmetric, lossless }: PopulationOptions): SiteSpec {
  const access = gateway(random, symmetric)
  const link: LinkSpec = {
    ...perfectLink(30),
    jitterMs: 15,
    loss: lossless === true ? 0 : 0.005,
    lossBurst: 3,
  }
  return translated(region, access, MOBILE_LIFETIME_MS, link, true)
}

function home(
  random: Random,
  regionIndex: number,
  carriers: readonly number[],
  { symmetric, lossless }: PopulationOptions,
): SiteSpec {
  const access = chance(random, OPEN_HOME_PERCENT) ? 'open' : gateway(random, symmetric)
  const isBehind = access !== 'open' && chance(random, BEHIND_CARRIER_PERCENT)
  const link: LinkSpec = {
    ...perfectLink(3 + randomBelow(random, 15)),
    jitterMs: randomBelow(random, 4),
    loss: lossless === true ? 0 : 0.001,
    lossBurst: 2,
  }
  const region = REGIONS[regionIndex] ?? 'europe'
  const hairpin = chance(random, HAIRPIN_PERCENT)
  return {
    ...translated(region, access, pick(random, HOME_LIFETIME), link, hairpin),
    behind: isBehind ? carriers[regionIndex] : undefined,
    ipv6: draw(random, HOME_IPV6),
  }
}

function translated(
  region: Region,
  access: Access,
  lifetimeMs: number,
  link: LinkSpec,
  hairpin: boolean,
): SiteSpec {
  const nat = natOf(access)
  return {
    region,
    behind: undefined,
    link,
    ipv4: true,
    nat: nat === undefined ? undefined : { ...nat, lifetimeMs, hairpin },
    ipv6: 'none',
    firewall: false,
    udp: true,
    broken: 'none',
    isolated: false,
    portMapping: 'none',
  }
}

function gateway(random: Random, symmetric: number): Kind {
  const isSymmetric = chance(random, symmetric)
  const filtering = draw(random, FILTERINGS)
  return isSymmetric ? 'symmetric' : filtering
}

function draw<Value extends string>(random: Random, shares: Shares<Value>): Value {
  const entries = Object.entries<number | undefined>(shares) as [Value, number][]
  let left = randomBelow(
    random,
    entries.reduce((sum, [, share]) => sum + share, 0),
  )
  for (const [value, share] of entries) {
    if (left < share) return value
    left -= share
  }
  throw new Error('there is nothing to draw from')
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[randomBelow(random, values.length)]
  if (value === undefined) throw new Error('there is nothing to pick from')
  return value
}

function chance(random: Random, percent: number): boolean {
  return randomBelow(random, 100) < percent
}

/** Whole milliseconds, up to `most` either way. */
function skew(random: Random, most: number): number {
  return most === 0 ? 0 : randomBelow(random, 2 * most + 1) - most
}
