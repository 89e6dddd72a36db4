/** What a simulated internet consists of, as plain data: it can be generated, shrunk, printed and read back. */

import type { Region } from './network/regions.js'

/** RFC 4787 sections 4.1 and 5: what a mapping, or a filter, depends on. */
export type Dependence = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

/** A NAT for IPv4, in the words of RFC 4787. */
export interface NatSpec {
  readonly mapping: Dependence
  readonly filtering: Dependence
  /** Section 4.2: the inner port where it is free; counted on from the last one; any. */
  readonly ports: 'preserving' | 'sequential' | 'random'
  /** How far `sequential` ports are apart: the next is the last plus this, which is not 0; below zero they count down. */
  readonly portStep: number
  /** Section 4.3: how long a mapping lives without being refreshed. */
  readonly lifetimeMs: number
  /** What refreshes it: datagrams from inside (REQ-6), or from outside as well. */
  readonly refreshedBy: 'outbound' | 'both'
  /** Section 6: whether inner hosts reach each other at their outer addresses. */
  readonly hairpin: boolean
  /** Mappings that it can hold; with more, a new one is refused. */
  readonly maxMappings: number
  /** Outer addresses; an inner host keeps to one ("paired", REQ-2). */
  readonly addresses: number
}

/** One way between an attachment and the middle of its network; alike in both directions. */
export interface LinkSpec {
  readonly delayMs: number
  /** Added at random to each datagram, uniform from 0. */
  readonly jitterMs: number
  /** The share of datagrams lost in the long run, and how many in a row on average (Gilbert and Elliott's model). */
  readonly loss: number
  readonly lossBurst: number
  /** The share of datagrams that come `reorderMs` late, after those sent later; and that come twice. */
  readonly reorder: number
  readonly reorderMs: number
  readonly duplicate: number
  /** Bytes a second each way, and how many bytes wait before more are dropped; 0 for no limit. */
  readonly rate: number
  readonly queue: number
}

/** An address family that hosts have addresses of, while nothing of it passes their gateway. */
export type BrokenFamily = 'none' | 'ipv4' | 'ipv6'

/**
 * How a gateway opens ports for those who ask.
 *
 * - `none`: it does not know what that is
 * - `pcp`, `nat-pmp`, `upnp`: by that protocol
 * - `refusing`: it speaks one, and opens nothing
 * - `rubbish`: it says that it speaks one, and answers rubbish
 * - `foreign`: it says that it has opened a port, at an address that is not its own
 * - `hollow`: it says so, at its own address, and has opened none
 */
export type PortMapping = 'none' | 'pcp' | 'nat-pmp' | 'upnp' | 'refusing' | 'rubbish' | 'foreign' | 'hollow'

/** A network of hosts: public, or behind a gateway. */
export interface SiteSpec {
  readonly region: Region
  /** The index of the site behind whose gateway this one's is, as behind a carrier-grade NAT; undefined for the internet. */
  readonly behind: number | undefined
  /** From the internet, or the outer site, to this one's gateway; of a public site, to each host. */
  readonly link: LinkSpec
  /** False for a network with IPv6 only. */
  readonly ipv4: boolean
  /** Undefined for public IPv4 addresses. */
  readonly nat: NatSpec | undefined
  readonly ipv6: 'none' | 'open' | 'firewalled'
  /** True where a stateful firewall lets nothing in that was not asked for; for IPv4 that matters without a NAT. */
  readonly firewall: boolean
  /** False where UDP neither leaves nor enters. */
  readonly udp: boolean
  readonly broken: BrokenFamily
  /** True where hosts, and the gateways behind it, reach only the gateway and not each other, as guests of a WLAN do. */
  readonly isolated: boolean
  /** Of a gateway that translates. */
  readonly portMapping: PortMapping
}

export interface HostSpec {
  /** Indices of the sites that it is attached to, at least one; the first carries its default route. */
  readonly sites: readonly number[]
  /** How far its wall clock is ahead. */
  readonly clockAheadMs: number
}

/** A node that serves the mesh: `tunnelbore bootstrap` on a public address. */
export interface ServerSpec {
  readonly region: Region
  /** Whether it is a member relay. */
  readonly relays: boolean
}

export interface Topology {
  readonly sites: readonly SiteSpec[]
  readonly hosts: readonly HostSpec[]
  readonly servers: readonly ServerSpec[]
  /** Who is whose peer: indices of hosts, each pair once. */
  readonly pairs: readonly (readonly [number, number])[]
}
