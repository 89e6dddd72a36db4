/**
 * A site: a network of hosts and of the gateways of inner sites, with its own gateway and its link to the outside, which
 * is the internet or the network of an outer site.
 *
 * A datagram for an address in the site stays in it, and is lost where the site keeps its hosts apart. Any other passes the border, which changes state when the datagram
 * is sent, and the link. What comes in passes the link, and then the border, as it is when the datagram gets there. A
 * gateway is `LOCAL_MS` from what is in its site; where a site has public addresses, each host has a link of its own,
 * which begins at the host. What was sent before a link fails or a partition begins still arrives, unless it is the link
 * at which it comes in.
 */

import { familyOf } from '../../src/base/address.js'
import { forked, type Random } from '../../src/base/random.js'
import type { LinkSpec, SiteSpec } from '../topology.js'
import { gatewayIp4, ip6, type PrivateRange, privateIp4 } from './addresses.js'
import { Border } from './border.js'
import type { Datagram } from './datagram.js'
import { Draws } from './draws.js'
import type { EventQueue } from './eventQueue.js'
import { Lines } from './lines.js'
import { type Line, type Link, LOST, sizeOnLink } from './link.js'
import { Nat } from './nat.js'
import { type Guest, type Home, HostPlace, type MappingGateway, type Place } from './place.js'
import { REGIONS } from './regions.js'
import { type Attachment, type Gateway, LOCAL_MS, type Outside, Segment } from './segment.js'
import { StreamWay } from './stream.js'

/** Ways for streams opened or closed; or a site's gateway forgot what it knew. */
export type NetworkChange = 'ways' | { readonly forgotBy: Site }

export interface SiteOptions {
  readonly spec: SiteSpec
  readonly index: number
  /** The outer site, if it is behind one. */
  readonly behind: Site | undefined
  readonly outside: Outside
  /** Whether it is one of the internet's sites, and not just of a public place. */
  readonly isListed: boolean
  readonly range: PrivateRange
  readonly ip6Network: number
  readonly queue: EventQueue
  readonly random: Random
  readonly onChange: (what: NetworkChange) => void
}

export class Site implements Gateway, Home, Outside {
  readonly spec: SiteSpec
  readonly index: number
  readonly behind: Site | undefined
  /** Only hosts with public addresses have links of their own. */
  readonly line = undefined
  side = 0
  readonly region: number
  readonly #options: SiteOptions
  readonly #outside: Outside
  readonly #queue: EventQueue
  readonly #streamDraws: Draws
  readonly #segment = new Segment<Attachment>()
  readonly #border: Border
  readonly #lines: Lines
  #isUp = true
  #isCutOff = false
  #hosts = 0

  constructor(options: SiteOptions) {
    const { spec, outside, queue, random } = options
    this.spec = spec
    this.index = options.index
    this.behind = options.behind
    this.region = REGIONS.indexOf(spec.region)
    this.#options = options
    this.#outside = outside
    this.#queue = queue
    this.#streamDraws = new Draws(forked(random))
    this.#lines = new Lines(spec.link, spec.nat === undefined, forked(random))
    const nat =
      spec.nat === undefined ? undefined : new Nat(spec.nat, this.#leaseOuter(), queue, forked(random))
    this.#border = new Border(spec, nat, queue)
  }

  /** Its NAT, if it has one: addresses, and how many mappings there are now. */
  get gateway(): Nat | undefined {
    return this.#border.nat
  }

  /** Its gateway, for those who want ports opened. */
  get mappingGateway(): MappingGateway | undefined {
    const { portMapping: behaviour } = this.spec
    const nat = this.gateway
    if (behaviour === 'none' || nat === undefined) return undefined
    return {
      ip: gatewayIp4(this.#options.range),
      behaviour,
      outerIp: nat.addresses[0] ?? '',
      open: (inner, outerPort, forMs) => nat.open(inner, outerPort, forMs),
      close: (inner, outerPort) => nat.close(inner, outerPort),
    }
  }

  /** Its link, as it is now. */
  get link(): LinkSpec {
    return this.#lines.spec
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get passesUdp(): boolean {
    return this.#border.udp
  }

  /** Fresh addresses here; behind a NAT and in IPv6, those with this number, from 0. */
  place(number = this.#hosts): Place<Site> {
    const { ip6Network, isListed } = this.#options
    this.#hosts = Math.max(this.#hosts, number + 1)
    const ips: string[] = []
    if (this.spec.ipv4) ips.push(this.#ip4(number))
    if (this.spec.ipv6 !== 'none') ips.push(ip6(ip6Network, number))
    return new HostPlace(this, isListed, ips, this.#queue)
  }

  /** Its gateway was restarted: mappings and flows are lost, and ports are assigned elsewhere afterwards. */
  rebootGateway(): void {
    this.#border.reboot()
    this.#options.onChange({ forgotBy: this })
  }

  /** Its NAT has other outer addresses and no mapping any more. Nothing happens where there is no NAT. */
  renumberGateway(): void {
    if (this.gateway === undefined) return
    for (const ip of this.gateway.addresses) this.#outside.detach(ip)
    this.gateway.renumber(this.#leaseOuter())
    this.#options.onChange({ forgotBy: this })
  }

  setLink(link: LinkSpec): void {
    this.#lines.set(link)
  }

  /** Whether UDP leaves and enters. */
  setUdp(passes: boolean): void {
    this.#border.udp = passes
  }

  /** Whether the link to the outside carries anything. */
  setUp(isUp: boolean): void {
    this.#isUp = isUp
    this.#options.onChange('ways')
  }

  /** A partition: it is on a side, and cut off from the outer site if that is on another one. */
  takeSide(side: number, isCutOff: boolean): void {
    this.side = side
    this.#isCutOff = isCutOff
  }

  // What hosts and inner sites use.

  enter(host: Guest): Line | undefined {
    for (const ip of host.ips) this.attach(ip, host)
    return this.#lines.add()
  }

  leave(host: Guest): void {
    for (const ip of host.ips) this.detach(ip)
    if (host.line !== undefined) this.#lines.remove(host.line)
  }

  leaseIp4(): string {
    return this.#ip4(this.#hosts++)
  }

  attach(ip: string, attachment: Attachment): void {
    if (!this.#border.has(familyOf(ip) === 6)) return
    this.#segment.attach(ip, attachment)
    if (this.#isKnownOutside(ip)) this.#outside.attach(ip, this)
  }

  detach(ip: string): void {
    this.#segment.detach(ip)
    if (this.#isKnownOutside(ip)) this.#outside.detach(ip)
  }

  fromInside(datagram: Datagram, from: Attachment): void {
    const local = this.#segment.find(datagram.to.ip)
    if (local === undefined) this.#goOut(datagram, from)
    else if (!this.spec.isolated || local === from) local.reach(datagram, 2 * LOCAL_MS)
  }

  carry(datagram: Datagram, from: Gateway, delayMs: number): void {
    this.#queue.in(delayMs, () => this.fromInside(datagram, from))
  }

  streamDelay(to: string, from: Attachment): number | undefined {
    const way = new StreamWay(to, this.#queue.elapsed, this.#streamDraws)
    return this.streamOn(way, from) ? way.delayMs : undefined
  }

  streamOn(way: StreamWay, from: Attachment): boolean {
    const local = this.#segment.find(way.to)
    way.takes(local === undefined ? this.#lines.toLinkMs : 2 * LOCAL_MS)
    if (local !== undefined) return !this.spec.isolated && local.letsStreamIn(way)
    if (!this.#isConnected || !this.#border.letsStreamOut(way)) return false
    way.crosses((from.line ?? this.#lines.shared).out)
    return this.#outside.streamOn(way, this)
  }

  // What the outside uses.

  reach(datagram: Datagram, delayMs: number): void {
    const { in: link } = this.#lineTo(datagram.to.ip)
    if (delayMs > 0 && link.isOrdered) this.#queue.in(delayMs, () => this.#comeIn(datagram, link, 0))
    else this.#comeIn(datagram, link, delayMs)
  }

  letsStreamIn(way: StreamWay): boolean {
    if (!this.#isConnected || !this.#border.letsStreamIn(way)) return false
    way.crosses(this.#lineTo(way.to).in)
    way.takes(this.#lines.toLinkMs)
    return this.#segment.find(way.to)?.letsStreamIn(way) ?? false
  }

  #goOut(datagram: Datagram, from: Attachment): void {
    if (!this.#isConnected) return
    const isIpv6 = familyOf(datagram.to.ip) === 6
    const { nat } = this.#border
    if (nat !== undefined && !isIpv6) {
      // It passes on only what bears an address of its own network (RFC 3704).
      if (this.#segment.find(datagram.from.ip) === undefined) return
      if (nat.addresses.includes(datagram.to.ip)) {
        this.#turnBack(datagram)
        return
      }
    }
    const outside = this.#border.outbound(datagram, isIpv6)
    if (outside === undefined) return
    const { out: link } = from.line ?? this.#lines.shared
    const atLinkMs = this.#lines.toLinkMs
    const takesMs = link.pass(this.#queue.elapsed + atLinkMs, sizeOnLink(datagram.bytes.length, isIpv6))
    const { copyMs } = link
    if (takesMs !== LOST) this.#outside.carry(outside, this, atLinkMs + takesMs)
    if (copyMs !== LOST) this.#outside.carry(outside, this, atLinkMs + copyMs)
  }

  /** What an inner host sends to an outer address. */
  #turnBack(datagram: Datagram): void {
    const inside = this.#border.hairpin(datagram)
    if (inside !== undefined) this.#segment.find(inside.to.ip)?.reach(inside, 2 * LOCAL_MS)
  }

  #comeIn(datagram: Datagram, link: Link, atLinkMs: number): void {
    const isIpv6 = familyOf(datagram.to.ip) === 6
    const takesMs = link.pass(this.#queue.elapsed + atLinkMs, sizeOnLink(datagram.bytes.length, isIpv6))
    const { copyMs } = link
    const insideMs = atLinkMs + this.#lines.toLinkMs
    if (takesMs !== LOST) this.#queue.in(insideMs + takesMs, () => this.#arrive(datagram, isIpv6))
    if (copyMs !== LOST) this.#queue.in(insideMs + copyMs, () => this.#arrive(datagram, isIpv6))
  }

  #arrive(datagram: Datagram, isIpv6: boolean): void {
    if (!this.#isConnected) return
    const inside = this.#border.inbound(datagram, isIpv6)
    if (inside === undefined) return
    const attached = this.#segment.find(inside.to.ip)
    if (attached === undefined) inside.unreachable?.('host')
    else attached.reach(inside, 0)
  }

  get #isConnected(): boolean {
    return this.#isUp && !this.#isCutOff
  }

  #lineTo(ip: string): Line {
    return (this.#lines.areOwn ? this.#segment.find(ip)?.line : undefined) ?? this.#lines.shared
  }

  #isKnownOutside(ip: string): boolean {
    return this.spec.nat === undefined || familyOf(ip) === 6
  }

  #ip4(number: number): string {
    return this.spec.nat === undefined ? this.#outside.leaseIp4() : privateIp4(this.#options.range, number)
  }

  /** Outer addresses for the NAT, attached. */
  #leaseOuter(): readonly string[] {
    const addresses = Array.from({ length: this.spec.nat?.addresses ?? 0 }, () => this.#outside.leaseIp4())
    for (const ip of addresses) this.#outside.attach(ip, this)
    return addresses
  }
}
