/**
 * The internet: in the middle, between the links of sites, a datagram takes as long as their regions are apart. It knows
 * the way to public addresses, and to no others.
 */

import { forked, type Random } from '../../src/base/random.js'
import type { LinkSpec, SiteSpec } from '../topology.js'
import { type PrivateRange, publicIp4 } from './addresses.js'
import type { Datagram } from './datagram.js'
import type { EventQueue } from './eventQueue.js'
import type { Place } from './place.js'
import { delayBetween, REGIONS, type Region } from './regions.js'
import { type Gateway, type Outside, Segment } from './segment.js'
import { type NetworkChange, Site } from './site.js'
import type { StreamWay } from './stream.js'

const SUBNETS = 256

export interface InternetOptions {
  /** One way, in milliseconds; as in regions.ts unless given. */
  readonly delayBetween?: (from: Region, to: Region) => number
  /** The n of a site's 192.168.n.h or 10.n.0.h, from 0 to 255. Unless given, sites have different ones. */
  readonly subnetOf?: (site: number) => number
}

export class Internet implements Outside {
  /** What sees every datagram that crosses the middle, when it is sent; one that returns false loses it. */
  readonly watchers: ((datagram: Datagram) => boolean)[] = []
  /** Who is told of changes, if anybody is. */
  onChange: (what: NetworkChange) => void = () => undefined
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #sites: Site[] = []
  readonly #publicPlaces = new Map<Place, Site>()
  readonly #segment = new Segment<Gateway>()
  readonly #delays: readonly (readonly number[])[]
  readonly #subnetOf: (site: number) => number
  #leasedIp4 = 0
  #ip6Networks = 0

  constructor(queue: EventQueue, random: Random, sites: readonly SiteSpec[], options: InternetOptions = {}) {
    this.#queue = queue
    this.#random = random
    const delay = options.delayBetween ?? delayBetween
    this.#delays = REGIONS.map((from) => REGIONS.map((to) => delay(from, to)))
    this.#subnetOf = options.subnetOf ?? ((site) => site % SUBNETS)
    this.#build(sites)
  }

  get sites(): readonly Site[] {
    return this.#sites
  }

  /** One more site. A site that others are added behind is no carrier's: it has addresses as at home. */
  addSite(spec: SiteSpec, subnet = this.#subnetOf(this.#sites.length)): Site {
    const behind = spec.behind === undefined ? undefined : this.#sites[spec.behind]
    if (spec.behind !== undefined && behind === undefined) throw new Error(`there is no site ${spec.behind}`)
    const site = this.#make(spec, this.#sites.length, behind, { type: 'home', subnet })
    this.#sites.push(site)
    return site
  }

  /** A public address of its own in a region, as for a server: nothing is in front of it. */
  publicPlace(region: Region, link: LinkSpec, hasIpv6 = true): Place<Site> {
    const spec: SiteSpec = {
      region,
      behind: undefined,
      link,
      ipv4: true,
      nat: undefined,
      ipv6: hasIpv6 ? 'open' : 'none',
      firewall: false,
      udp: true,
      broken: 'none',
      isolated: false,
      portMapping: 'none',
    }
    const site = this.#make(spec, undefined, undefined, { type: 'home', subnet: 0 })
    const place = site.place()
    this.#publicPlaces.set(place, site)
    return place
  }

  /**
   * From now on sites and public places of different sides hear nothing of each other, TCP included. Who is not named is
   * on the side of the outer site, or on side 0. What is under way arrives.
   */
  partition(sideOf: ReadonlyMap<Site | Place, number>): void {
    const sideOfSite = (site: Site): number =>
      sideOf.get(site) ?? (site.behind === undefined ? 0 : sideOfSite(site.behind))
    for (const site of this.#sites) {
      const side = sideOfSite(site)
      site.takeSide(side, site.behind !== undefined && sideOfSite(site.behind) !== side)
    }
    for (const [place, site] of this.#publicPlaces) site.takeSide(sideOf.get(place) ?? 0, false)
    this.onChange('ways')
  }

  /** Ends a partition. */
  heal(): void {
    this.partition(new Map())
  }

  /** On which side of a partition a place is. */
  sideOf(place: Place<Site>): number {
    return (this.#publicPlaces.get(place) ?? place.site)?.side ?? 0
  }

  // What sites use.

  leaseIp4(): string {
    return publicIp4(this.#leasedIp4++)
  }

  attach(ip: string, gateway: Gateway): void {
    this.#segment.attach(ip, gateway)
  }

  detach(ip: string): void {
    this.#segment.detach(ip)
  }

  carry(datagram: Datagram, from: Gateway, delayMs: number): void {
    for (const passes of this.watchers) if (!passes(datagram)) return
    const target = this.#segment.find(datagram.to.ip)
    if (target === undefined) datagram.unreachable?.('host')
    if (target === undefined || target.side !== from.side) return
    target.reach(datagram, delayMs + this.#delay(from, target))
  }

  streamOn(way: StreamWay, from: Gateway): boolean {
    const target = this.#segment.find(way.to)
    if (target === undefined || target.side !== from.side) return false
    way.takes(this.#delay(from, target))
    return target.letsStreamIn(way)
  }

  #delay(from: Gateway, to: Gateway): number {
    return this.#delays[from.region]?.[to.region] ?? 0
  }

  /** All sites, each after the one that it is behind. */
  #build(specs: readonly SiteSpec[]): void {
    const outer = new Set(specs.map(({ behind }) => behind))
    const made = new Map<number, Site>()
    const make = (index: number, waiting: readonly number[]): Site => {
      const known = made.get(index)
      if (known !== undefined) return known
      const spec = specs[index]
      if (spec === undefined || waiting.includes(index)) throw new Error(`nobody can be behind site ${index}`)
      const behind = spec.behind === undefined ? undefined : make(spec.behind, [...waiting, index])
      const site = this.#make(spec, index, behind, this.#rangeOf(spec, index, outer.has(index)))
      made.set(index, site)
      return site
    }
    for (const index of specs.keys()) this.#sites.push(make(index, []))
  }

  #rangeOf({ behind }: SiteSpec, index: number, isOuter: boolean): PrivateRange {
    if (isOuter && behind === undefined) return { type: 'carrier', subnet: this.#subnetOf(index) }
    return { type: isOuter ? 'company' : 'home', subnet: this.#subnetOf(index) }
  }

  #make(spec: SiteSpec, index: number | undefined, behind: Site | undefined, range: PrivateRange): Site {
    return new Site({
      spec,
      index: index ?? -1,
      behind,
      outside: behind ?? this,
      isListed: index !== undefined,
      range,
      ip6Network: this.#ip6Networks++,
      queue: this.#queue,
      random: forked(this.#random),
      onChange: (what) => this.onChange(what),
    })
  }
}
