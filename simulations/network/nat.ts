/**
 * A NAT for UDP over IPv4, in the words of RFC 4787.
 *
 * A mapping ties an inner address and port, and as much of the remote one as the mapping behaviour looks at (section
 * 4.1), to an outer address and port. No two mappings share an outer port: there is no port overloading (REQ-3), so what
 * comes to an outer port is for one inner one. A filter notes a remote that a mapping has sent to, as much of it as the
 * filtering behaviour looks at (section 5); without one, what comes in is dropped, and leaves no trace.
 *
 * Mappings and filters end when they were not refreshed for the lifetime: by datagrams from inside (REQ-6), and if so
 * specified by those let in. An inner host keeps to one outer address while it has mappings (REQ-2). What an inner host
 * sends to an outer address is hairpinned by sending it out and taking it in again: so its source is an outer address and
 * port, and it is filtered as anybody's (section 6, REQ-9a).
 *
 * Ports below 1024 are assigned only where they are preserved. Where ports count, one count is kept for all inner hosts;
 * a port that is taken is left out for the next free one. Parity and contiguity are not modelled, nor is ICMP, which passes.
 */

import type { SocketAddress } from '../../src/base/address.js'
import type { Random } from '../../src/base/random.js'
import type { NatSpec } from '../topology.js'
import type { Datagram } from './datagram.js'
import { Draws } from './draws.js'
import { type EndpointMap, endpointMap } from './endpointMap.js'
import { type Idle, IdleList } from './idleList.js'
import { OpenPorts } from './openPorts.js'

const FIRST_PORT = 1_024
const PORTS = 65_536 - FIRST_PORT

interface Mapping extends Idle<Mapping> {
  readonly inner: SocketAddress
  readonly outer: SocketAddress
  /** The first that it sent to. */
  readonly remote: SocketAddress
  /** Undefined where everybody is let in. */
  readonly filters: EndpointMap<Filter> | undefined
}

interface Filter extends Idle<Filter> {
  readonly mapping: Mapping
  readonly remote: SocketAddress
}

/** An inner host that has mappings. */
interface InnerHost {
  readonly outerIp: string
  mappings: number
}

export class Nat {
  readonly spec: NatSpec
  readonly #clock: { readonly elapsed: number }
  readonly #draws: Draws
  #addresses: readonly string[]
  #ports: NatSpec['ports']
  #bySocket: EndpointMap<EndpointMap<Mapping>> = endpointMap('address-and-port-dependent')
  #byOuter: EndpointMap<Mapping> = endpointMap('address-and-port-dependent')
  readonly #hosts = new Map<string, InnerHost>()
  readonly #mappings: IdleList<Mapping>
  readonly #filters: IdleList<Filter>
  readonly #openPorts: OpenPorts
  /** Whose turn it is to be an inner host's outer address. */
  #turn = 0
  #nextPort: number

  /** `addresses` are its outer ones, at least one. */
  constructor(
    spec: NatSpec,
    addresses: readonly string[],
    clock: { readonly elapsed: number },
    random: Random,
  ) {
    this.spec = spec
    this.#addresses = addresses
    this.#clock = clock
    this.#draws = new Draws(random)
    this.#ports = spec.ports
    this.#mappings = new IdleList(spec.lifetimeMs)
    this.#filters = new IdleList(spec.lifetimeMs)
    this.#openPorts = new OpenPorts(spec.lifetimeMs)
    this.#nextPort = this.#anyPort()
  }

  /** The outer addresses that it has now. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** How many mappings there are now. */
  get mappings(): number {
    this.#endExpired(this.#clock.elapsed)
    return this.#mappings.size
  }

  /** How many of them are an inner host's. */
  mappingsOf(innerIp: string): number {
    this.#endExpired(this.#clock.elapsed)
    return this.#hosts.get(innerIp)?.mappings ?? 0
  }

  /** What leaves for the network outside; undefined where it is refused a mapping. */
  outbound(datagram: Datagram): Datagram | undefined {
    const now = this.#clock.elapsed
    this.#endExpired(now)
    const { from, to } = datagram
    const answers = this.#openPorts.outbound(from, to, now)
    if (answers !== undefined) return { ...datagram, from: answers, to }
    let mapping = this.#bySocket.get(from)?.get(to)
    if (mapping === undefined) {
      mapping = this.#map(from, to, now)
      if (mapping === undefined) return undefined
    } else this.#mappings.use(mapping, now)
    if (mapping.filters !== undefined) this.#letIn(mapping, mapping.filters, to, now)
    return { ...datagram, from: mapping.outer, to }
  }

  /** What goes on to an inner host of what came to an outer address; undefined where it is dropped. */
  inbound(datagram: Datagram): Datagram | undefined {
    const now = this.#clock.elapsed
    this.#endExpired(now)
    const { from } = datagram
    const open = this.#openPorts.inbound(datagram.to, from, now)
    if (open !== undefined) return { ...datagram, from, to: open }
    const mapping = this.#byOuter.get(datagram.to)
    if (mapping === undefined) return undefined
    const filter = mapping.filters?.get(from)
    if (mapping.filters !== undefined && filter === undefined) return undefined
    if (this.spec.refreshedBy === 'both') {
      this.#mappings.use(mapping, now)
      if (filter !== undefined) this.#filters.use(filter, now)
    }
    return { ...datagram, from, to: mapping.inner }
  }

  /** What goes on to another inner host of what was sent to an outer address; undefined where nothing does. */
  hairpin(datagram: Datagram): Datagram | undefined {
    if (!this.spec.hairpin) return undefined
    const outside = this.outbound(datagram)
    return outside === undefined ? undefined : this.inbound(outside)
  }

  /** Opens a port of its first address to all; false where it is another inner socket's. */
  open(inner: SocketAddress, outerPort: number, forMs: number): boolean {
    const now = this.#clock.elapsed
    this.#endExpired(now)
    const outer: SocketAddress = { ip: this.#addresses[0] ?? '', port: outerPort }
    const mapping = this.#byOuter.get(outer)
    const isOthers =
      mapping !== undefined && (mapping.inner.ip !== inner.ip || mapping.inner.port !== inner.port)
    return !isOthers && this.#openPorts.open(inner, outer, forMs, now) !== undefined
  }

  close(inner: SocketAddress, outerPort: number): void {
    this.#openPorts.close(inner, outerPort)
  }

  /** How many ports are open for an inner host. */
  openPortsOf(innerIp: string): number {
    return this.#openPorts.countOf(innerIp, this.#clock.elapsed)
  }

  /** It was restarted: it remembers nothing, and no port is assigned as it was. */
  reboot(): void {
    this.#forget()
    if (this.#ports === 'preserving') this.#ports = 'random'
    this.#nextPort = this.#anyPort()
  }

  /** It has other outer addresses, and no mapping any more. */
  renumber(addresses: readonly string[]): void {
    this.#forget()
    this.#addresses = addresses
  }

  #letIn(mapping: Mapping, filters: EndpointMap<Filter>, remote: SocketAddress, now: number): void {
    const known = filters.get(remote)
    if (known !== undefined) {
      this.#filters.use(known, now)
      return
    }
    const filter: Filter = { mapping, remote, usedAt: now, previous: undefined, next: undefined }
    filters.set(remote, filter)
    this.#filters.add(filter, now)
  }

  #map(inner: SocketAddress, remote: SocketAddress, now: number): Mapping | undefined {
    const { spec } = this
    if (this.#mappings.size >= spec.maxMappings) return undefined
    const host = this.#hosts.get(inner.ip) ?? { outerIp: this.#takeTurn(), mappings: 0 }
    const port = this.#freePort(host.outerIp, inner, now)
    if (port === undefined) return undefined
    const mapping: Mapping = {
      inner,
      outer: { ip: host.outerIp, port },
      remote,
      filters: spec.filtering === 'endpoint-independent' ? undefined : endpointMap(spec.filtering),
      usedAt: now,
      previous: undefined,
      next: undefined,
    }
    host.mappings += 1
    this.#hosts.set(inner.ip, host)
    this.#byOuter.set(mapping.outer, mapping)
    let ofSocket = this.#bySocket.get(inner)
    if (ofSocket === undefined) {
      ofSocket = endpointMap(spec.mapping)
      this.#bySocket.set(inner, ofSocket)
    }
    ofSocket.set(remote, mapping)
    this.#mappings.add(mapping, now)
    return mapping
  }

  /** No filter outlives its mapping: whatever refreshes a filter refreshes its mapping as well. */
  #endExpired(now: number): void {
    for (let filter = this.#filters.takeExpired(now); filter !== undefined; ) {
      filter.mapping.filters?.delete(filter.remote)
      filter = this.#filters.takeExpired(now)
    }
    for (let mapping = this.#mappings.takeExpired(now); mapping !== undefined; ) {
      this.#unmap(mapping)
      mapping = this.#mappings.takeExpired(now)
    }
  }

  #unmap({ inner, outer, remote }: Mapping): void {
    this.#byOuter.delete(outer)
    const ofSocket = this.#bySocket.get(inner)
    ofSocket?.delete(remote)
    if (ofSocket?.isEmpty === true) this.#bySocket.delete(inner)
    const host = this.#hosts.get(inner.ip)
    if (host === undefined) return
    host.mappings -= 1
    if (host.mappings === 0) this.#hosts.delete(inner.ip)
  }

  #forget(): void {
    this.#openPorts.forget()
    this.#bySocket = endpointMap('address-and-port-dependent')
    this.#byOuter = endpointMap('address-and-port-dependent')
    this.#hosts.clear()
    this.#mappings.clear()
    this.#filters.clear()
  }

  #takeTurn(): string {
    const ip = this.#addresses[this.#turn % this.#addresses.length]
    if (ip === undefined) throw new Error('a NAT has no outer address')
    this.#turn += 1
    return ip
  }

  /** A port of `ip` that has no mapping, as the port assignment has it; undefined where all are taken. */
  #freePort(ip: string, inner: SocketAddress, now: number): number | undefined {
    const isFree = (port: number): boolean =>
      this.#byOuter.get({ ip, port }) === undefined && !this.#openPorts.isTaken({ ip, port }, inner, now)
    if (this.#ports === 'preserving' && isFree(inner.port)) return inner.port
    const { portStep } = this.spec
    const first = this.#ports === 'sequential' ? this.#nextPort : this.#anyPort()
    const direction = Math.sign(portStep)
    for (let tried = 0; tried < PORTS; tried++) {
      const port = wrapped(first + tried * direction)
      if (!isFree(port)) continue
      this.#nextPort = wrapped(port + portStep)
      return port
    }
    return undefined
  }

  #anyPort(): number {
    return FIRST_PORT + this.#draws.below(PORTS)
  }
}

/** Counts on from the first port after the last one, and from the last one before the first. */
function wrapped(port: number): number {
  return FIRST_PORT + ((((port - FIRST_PORT) % PORTS) + PORTS) % PORTS)
}
