/**
 * Can a datagram get there? Two hosts, and what each can send to the other, walked over the plain specs of the networks
 * between them. It shares no code with simulations/network: there addresses are numbers and time passes; here an address
 * is an object that knows where it is, a mapping never dies, and everything is tried until nothing new comes of it.
 *
 *   host ─ site ─ gateway ─ site ─ gateway ─ … ─ the internet ─ … ─ gateway ─ site ─ host
 *           out: mapped, and the destination noted down          in: filtered, and mapped back
 *
 * Mapping and filtering are those of RFC 4787 (sections 4.1 and 5), as is hairpinning (section 6); stateful firewalls
 * are NATs that leave addresses as they are and filter by address and port.
 */

import type { Dependence, NatSpec } from '../topology.js'
import { type Family, hasFamily, INTERNET, type Terrain } from './terrain.js'

/** The address of a host's socket, of a gateway's mapping, or of the reflector. */
export interface Address {
  /** Equal for addresses of which only the port differs. */
  readonly ip: string
  /** The site in which it is. */
  readonly at: number
  readonly of: Socket | Mapping | undefined
}

/** A host's socket at one of the sites to which it is attached. */
export interface Socket {
  readonly host: number
  readonly site: number
  /** True for the one that carries the default route; the others reach their own network only. */
  readonly isDefault: boolean
  readonly address: Address
}

interface Mapping {
  /** True for a port that was opened for a socket: whoever sends there is let in, and is answered from there. */
  readonly isOpen?: boolean
  readonly site: number
  readonly inner: Address
  readonly outer: Address
}

/** What arrived, and from where it seems to come. */
export interface Arrival {
  readonly to: Socket
  readonly from: Address
}

export class Crossing {
  readonly reflector: Address = { ip: 'reflector', at: INTERNET, of: undefined }
  readonly #terrain: Terrain
  readonly #family: Family
  readonly #predicted: number | undefined
  /** By the inner address, then by what the mapping depends on. */
  readonly #mappings = new Map<Address, Map<Address | string, Mapping>>()
  /** By the inner address, from whom something came to an open port of it. */
  readonly #answered = new Map<Address, Map<Address, Mapping>>()
  /** To which addresses was sent from an inner address through a firewall, or through a mapping. */
  readonly #asked = new Map<Address | Mapping, Set<Address | string>>()

  /** The mappings of the host `predicted` are as if its gateways mapped endpoint-independently: the peer has guessed its port. */
  constructor(terrain: Terrain, family: Family, predicted: number | undefined) {
    this.#terrain = terrain
    this.#family = family
    this.#predicted = predicted
  }

  /** The sockets of a host at these sites, of which the first that has the family carries its default route. */
  socketsOf(host: number, sites: readonly number[]): readonly Socket[] {
    const sockets: Socket[] = []
    for (const site of sites) {
      const spec = this.#terrain.sites[site]
      if (spec === undefined || !hasFamily(spec, this.#family)) continue
      sockets.push(socketAt(host, site, sockets.length === 0))
    }
    return sockets
  }

  /** What becomes of a datagram. To the reflector nothing arrives at a socket: see {@link seenByReflector}. */
  send(from: Socket, to: Address): Arrival | undefined {
    if (!this.#isRouted(from, to)) return undefined
    const found = this.#walk(from, to)
    if (found === undefined || found.to === undefined) return undefined
    return this.#isRouted(found.to, found.from) ? { to: found.to, from: found.from } : undefined
  }

  /** The address of a socket as the internet sees it; undefined where it does not get there. */
  seenByReflector(from: Socket): Address | undefined {
    return this.#isRouted(from, this.reflector) ? this.#walk(from, this.reflector)?.from : undefined
  }

  /** Where a gateway on the internet opens a port for a socket; undefined where none does. */
  openPort({ site, address, isDefault }: Socket): Address | undefined {
    const nat = this.#natOf(site)
    const by = this.#terrain.sites[site]?.portMapping
    const opens = by === 'pcp' || by === 'nat-pmp' || by === 'upnp'
    if (!isDefault || !opens || nat === undefined || nat.addresses > 1 || this.#outerOf(site) !== INTERNET)
      return undefined
    const outer: { ip: string; at: number; of: Mapping | undefined } = {
      ip: `gateway ${site}`,
      at: INTERNET,
      of: undefined,
    }
    outer.of = { site, inner: address, outer, isOpen: true }
    return outer
  }

  /** True for an address that means the same everywhere. */
  isGlobal(address: Address): boolean {
    return this.#netOf(address.at) === INTERNET
  }

  /** A socket without the default route reaches, and answers, its own network only. */
  #isRouted(socket: Socket, to: Address): boolean {
    return socket.isDefault || this.isOnLink(socket, to)
  }

  /** True where an address is in the very network of a socket. Public IPv4 addresses are in none but the internet. */
  isOnLink(socket: Socket, to: Address): boolean {
    return to.at === socket.site && (this.#family === 6 || this.#netOf(socket.site) !== INTERNET)
  }

  #walk(sender: Socket, to: Address): { to: Socket | undefined; from: Address } | undefined {
    let from = sender.address
    let at = sender.site
    for (;;) {
      if (this.#netOf(to.at) === this.#netOf(at) && this.#isWithin(to.at, at))
        return this.#isIsolated(at) ? undefined : this.#descend(at, from, to)
      if (at === INTERNET) return undefined
      if (!this.#passes(at)) return undefined
      const nat = this.#natOf(at)
      if (nat === undefined) {
        if (this.#hasFirewall(at)) this.#note(from, to)
      } else {
        const mapping =
          this.#answered.get(from)?.get(to) ?? this.#map(at, nat, from, to, sender.host === this.#predicted)
        from = mapping.outer
        this.#note(mapping, to)
        if (to.of !== undefined && 'inner' in to.of && to.of.site === at)
          return nat.hairpin ? this.#enter(to.of, from) : undefined
      }
      if (this.#outerOf(at) === INTERNET && !this.#isOnSideOf(at, to)) return undefined
      at = this.#outerOf(at)
    }
  }

  /** From inside of a site to an address there, or in a network behind it to which packets are routed. */
  #descend(at: number, from: Address, to: Address): { to: Socket | undefined; from: Address } | undefined {
    const down: number[] = []
    for (let site = to.at; site !== at; site = this.#outerOf(site)) down.unshift(site)
    for (const site of down) {
      if (!this.#passes(site)) return undefined
      if (this.#hasFirewall(site) && !this.#isAsked(to, 'address-and-port-dependent', from)) return undefined
    }
    if (to.of === undefined) return { to: undefined, from }
    if ('host' in to.of) return { to: to.of, from }
    return this.#passes(to.of.site) ? this.#enter(to.of, from) : undefined
  }

  #enter(mapping: Mapping, from: Address): { to: Socket | undefined; from: Address } | undefined {
    const nat = this.#natOf(mapping.site)
    if (mapping.isOpen === true) {
      const answered = this.#answered.get(mapping.inner) ?? new Map<Address, Mapping>()
      this.#answered.set(mapping.inner, answered.set(from, mapping))
    } else if (nat === undefined || !this.#isAsked(mapping, nat.filtering, from)) return undefined
    return this.#descend(mapping.site, from, mapping.inner)
  }

  #map(site: number, nat: NatSpec, inner: Address, to: Address, predicted: boolean): Mapping {
    let mappings = this.#mappings.get(inner)
    if (mappings === undefined) {
      mappings = new Map()
      this.#mappings.set(inner, mappings)
    }
    const dependsOn = part(predicted ? 'endpoint-independent' : nat.mapping, to)
    const known = mappings.get(dependsOn)
    if (known !== undefined) return known
    // With several addresses each inner host keeps to one of them, and nobody can tell which ("paired", RFC 4787 REQ-2).
    const ip = nat.addresses === 1 ? `gateway ${site}` : `gateway ${site} for ${inner.ip}`
    const outer: { ip: string; at: number; of: Mapping | undefined } = {
      ip,
      at: this.#outerOf(site),
      of: undefined,
    }
    const mapping: Mapping = { site, inner, outer }
    outer.of = mapping
    mappings.set(dependsOn, mapping)
    return mapping
  }

  #note(asker: Address | Mapping, to: Address): void {
    let asked = this.#asked.get(asker)
    if (asked === undefined) {
      asked = new Set()
      this.#asked.set(asker, asked)
    }
    asked.add(to)
    asked.add(to.ip)
  }

  #isAsked(asker: Address | Mapping, dependence: Dependence, from: Address): boolean {
    return (
      dependence === 'endpoint-independent' || this.#asked.get(asker)?.has(part(dependence, from)) === true
    )
  }

  /** Whether the border of a site and its link carry this family over UDP; alike in both directions. */
  #passes(site: number): boolean {
    const { sites } = this.#terrain
    const [spec, outer] = [sites[site], sites[this.#outerOf(site)]]
    if (spec === undefined || !hasFamily(spec, this.#family)) return false
    if (spec.broken === (this.#family === 6 ? 'ipv6' : 'ipv4')) return false
    if (outer !== undefined) {
      if (!hasFamily(outer, this.#family)) return false
      if (this.#terrain.sideOf(site) !== this.#terrain.sideOf(this.#outerOf(site))) return false
    }
    return this.#terrain.isUp(site) && this.#terrain.passesUdp(site)
  }

  /** Partitions run through the internet: whether an address there is on the side of an outermost site. */
  #isOnSideOf(site: number, { at, of }: Address): boolean {
    let outermost = of !== undefined && 'inner' in of ? of.site : at
    if (outermost === INTERNET) return true
    for (let outer = this.#outerOf(outermost); outer !== INTERNET; outer = this.#outerOf(outer))
      outermost = outer
    return this.#terrain.sideOf(site) === this.#terrain.sideOf(outermost)
  }

  /** Whether a network keeps those in it apart. */
  #isIsolated(site: number): boolean {
    return this.#terrain.sites[site]?.isolated === true
  }

  #hasFirewall(site: number): boolean {
    const spec = this.#terrain.sites[site]
    if (spec === undefined) return false
    return this.#family === 6 ? spec.ipv6 === 'firewalled' : spec.firewall && spec.nat === undefined
  }

  #natOf(site: number): NatSpec | undefined {
    return this.#family === 6 ? undefined : this.#terrain.sites[site]?.nat
  }

  #outerOf(site: number): number {
    return this.#terrain.sites[site]?.behind ?? INTERNET
  }

  /** The network whose addresses are used in a site: its own behind a NAT, else that in which it lies. */
  #netOf(site: number): number {
    let at = site
    while (at !== INTERNET && this.#natOf(at) === undefined) at = this.#outerOf(at)
    return at
  }

  #isWithin(site: number, outer: number): boolean {
    let at = site
    while (at !== outer && at !== INTERNET) at = this.#outerOf(at)
    return at === outer
  }
}

/** What of an address a mapping or filter looks at. */
function part(dependence: Dependence, address: Address): Address | string {
  switch (dependence) {
    case 'endpoint-independent':
      return ''
    case 'address-dependent':
      return address.ip
    case 'address-and-port-dependent':
      return address
  }
}

function socketAt(host: number, site: number, isDefault: boolean): Socket {
  const address: { ip: string; at: number; of: Socket | undefined } = {
    ip: `host ${host} in ${site}`,
    at: site,
    of: undefined,
  }
  const socket: Socket = { host, site, isDefault, address }
  address.of = socket
  return socket
}
