/**
 * The networks in which hosts of the matrix are, from a public address to one that lets no UDP out, and what two of them
 * may have in common. All are so far from the middle of the internet that a round trip between any two takes as long,
 * but for those that share a gateway.
 */

import { perfectLink } from '../network/link.js'
import { CARRIER_GRADE, NAT_KINDS } from '../network/natKinds.js'
import { delayBetween } from '../network/regions.js'
import { LOCAL_MS } from '../network/segment.js'
import type { SiteSpec, Topology } from '../topology.js'
import { ACCESSES, type Access, natOf, plainSite } from './access.js'

/** Between any two hosts that share nothing, in ms. */
export const ROUND_TRIP_MS = 100

/**
 * - `counting`: behind a symmetric gateway whose ports count
 * - `carrier`: at home, behind a carrier-grade NAT
 * - `dual-stack`: at home, with IPv6 behind a stateful firewall
 * - `ipv4-broken`: the same, but IPv4 goes nowhere
 * - `no-udp`: at home, and UDP does not get out
 */
export type Network = Access | 'counting' | 'carrier' | 'dual-stack' | 'ipv4-broken' | 'ipv6-only' | 'no-udp'

const NETWORKS: readonly Network[] = [
  ...ACCESSES,
  'counting',
  'carrier',
  'dual-stack',
  'ipv4-broken',
  'ipv6-only',
  'no-udp',
]

/** Two hosts that meet: sites of their own, and in which of these each of them is. */
export interface Meeting<Name extends string = string> {
  readonly from: Name
  readonly to: Name
  readonly sites: readonly SiteSpec[]
  readonly at: readonly [number, number]
}

/** Each two kinds of access that the laboratory has. */
export function accessMeetings(): readonly Meeting<Access>[] {
  return pairs(ACCESSES)
}

/** Each two networks, and then hosts that have a gateway in common. */
export function allMeetings(): readonly Meeting[] {
  return [...pairs(NETWORKS), ...NEIGHBOURS, ...mappingMeetings()]
}

/** Pairs behind gateways that map by destination, of which the first opens ports in some way or other. */
export function mappingMeetings(): readonly Meeting<string>[] {
  const to = { ...home(), nat: natOf('symmetric') }
  return (['pcp', 'nat-pmp', 'upnp', 'refusing', 'rubbish', 'foreign', 'hollow'] as const).map(
    (portMapping) => ({
      from: portMapping,
      to: 'symmetric',
      sites: [{ ...to, portMapping }, to],
      at: [0, 1],
    }),
  )
}

/** Pairs that have to guess: a gateway that maps by destination, and one that filters by port; so many in turns. */
export function guessingMeetings(count: number): readonly Meeting[] {
  return Array.from({ length: count }, (_, index) =>
    apart<Network>(index % 2 === 0 ? 'port-restricted' : 'carrier', index % 4 < 2 ? 'symmetric' : 'counting'),
  )
}

/** Pairs that meet directly at once, after guessing, and never, as long as UDP gets out. */
export function udpMeetings(): readonly Meeting[] {
  return [
    apart<Network>('port-restricted', 'port-restricted'),
    apart<Network>('port-restricted', 'symmetric'),
    apart<Network>('symmetric', 'symmetric'),
    apart<Network>('dual-stack', 'ipv6-only'),
  ]
}

/** The meetings in one world, each of hosts of its own. */
export function topologyOf(meetings: readonly Meeting[], servers: Topology['servers']): Topology {
  const sites: SiteSpec[] = []
  const hosts = meetings.flatMap((meeting) => {
    const first = sites.length
    for (const site of meeting.sites)
      sites.push({ ...site, behind: site.behind === undefined ? undefined : first + site.behind })
    return meeting.at.map((site) => ({ sites: [first + site], clockAheadMs: 0 }))
  })
  return { sites, hosts, servers, pairs: meetings.map((_meeting, index) => [2 * index, 2 * index + 1]) }
}

/** A site of a meeting with spare ones: where a host is at first, or where it may move to. */
export type MeetingSite = 'from' | 'to' | 'spareFrom' | 'spareTo'

/** Two networks of one site each, and for each host a home to which it may move. */
export function withSpareSites([from, to]: readonly [Network, Network]): Meeting {
  const spare = (of: Network): Network => (of === 'dual-stack' ? of : 'port-restricted')
  const sites = [from, to, spare(from), spare(to)].map((network) => {
    const [site, ...others] = sitesOf(network)
    if (site === undefined || others.length > 0) throw new Error(`${network} is not one site`)
    return site
  })
  return { from, to, sites, at: [0, 1] }
}

/** Which of a meeting's sites that is. */
export function siteIndex(which: MeetingSite): number {
  return (['from', 'to', 'spareFrom', 'spareTo'] as const).indexOf(which)
}

function pairs<Name extends Network>(networks: readonly Name[]): readonly Meeting<Name>[] {
  return networks.flatMap((from, index) => networks.slice(index).map((to) => apart(from, to)))
}

/** Each in a network of its own; the host is in the last of its sites. */
function apart<Name extends Network>(from: Name, to: Name): Meeting<Name> {
  const first = sitesOf(from)
  const second = sitesOf(to).map((site) =>
    site.behind === undefined ? site : { ...site, behind: site.behind + first.length },
  )
  const sites = [...first, ...second]
  return { from, to, sites, at: [first.length - 1, sites.length - 1] }
}

/** A quarter of a round trip from the middle of the internet's way, whether there is a gateway or not. */
const TO_MIDDLE_MS = ROUND_TRIP_MS / 4 - delayBetween('europe', 'europe') / 2
const HOME_LINK = perfectLink(TO_MIDDLE_MS - LOCAL_MS)
/** From a home to its carrier. */
const LAST_MILE_MS = 1

function sitesOf(network: Network): readonly SiteSpec[] {
  switch (network) {
    case 'open':
      return [plainSite('open', perfectLink(TO_MIDDLE_MS))]
    case 'counting':
      return [{ ...home(), nat: NAT_KINDS.counting }]
    case 'carrier':
      return [carrier(true), customer()]
    case 'dual-stack':
      return [{ ...home(), ipv6: 'firewalled' }]
    case 'ipv4-broken':
      return [{ ...home(), ipv6: 'firewalled', broken: 'ipv4' }]
    case 'ipv6-only':
      return [{ ...home(), link: perfectLink(TO_MIDDLE_MS), nat: undefined, ipv4: false, ipv6: 'firewalled' }]
    case 'no-udp':
      return [{ ...home(), udp: false }]
    default:
      return [{ ...home(), nat: natOf(network) }]
  }
}

/** As most homes are: behind Linux's masquerade. */
function home(): SiteSpec {
  return plainSite('port-restricted', HOME_LINK)
}

function carrier(hairpin: boolean): SiteSpec {
  const link = perfectLink(TO_MIDDLE_MS - LAST_MILE_MS - 2 * LOCAL_MS)
  return { ...home(), link, nat: { ...CARRIER_GRADE, hairpin } }
}

function customer(): SiteSpec {
  return { ...home(), behind: 0, link: perfectLink(LAST_MILE_MS) }
}

function guests(hairpin: boolean): SiteSpec {
  return { ...home(), isolated: true, nat: { ...NAT_KINDS['port-restricted'], hairpin } }
}

const NEIGHBOURS: readonly Meeting[] = [
  { from: 'home', to: 'same network', sites: [home()], at: [0, 0] },
  { from: 'guest', to: 'guest, gateway hairpins', sites: [guests(true)], at: [0, 0] },
  { from: 'guest', to: 'guest, gateway does not', sites: [guests(false)], at: [0, 0] },
  { from: 'carrier', to: 'same carrier', sites: [carrier(true), customer(), customer()], at: [1, 2] },
  {
    from: 'carrier',
    to: 'same, that does not hairpin',
    sites: [carrier(false), customer(), customer()],
    at: [1, 2],
  },
]
