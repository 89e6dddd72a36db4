/** Where a host can be: fresh addresses in the network of a site, and the host at them while it is there. */

import { familyOf, type SocketAddress } from '../../src/base/address.js'
import type { PortMapping, SiteSpec } from '../topology.js'
import type { Datagram } from './datagram.js'
import type { EventQueue } from './eventQueue.js'
import type { Line } from './link.js'
import type { Attachment } from './segment.js'

/** A host in the network of a site, as the site sees it. */
export interface Guest extends Attachment {
  readonly ips: readonly string[]
}

/** A gateway that is asked to open ports. */
export interface MappingGateway {
  /** Where it is asked. */
  readonly ip: string
  readonly behaviour: PortMapping
  /** Its outer address. */
  readonly outerIp: string
  /** False where somebody else has the outer port. */
  open(inner: SocketAddress, outerPort: number, forMs: number): boolean
  close(inner: SocketAddress, outerPort: number): void
}

/** A site, as the places in it see it. */
export interface Home {
  readonly spec: SiteSpec
  readonly index: number
  readonly mappingGateway: MappingGateway | undefined
  /** Gives a link of its own to the outside, if guests have such here. */
  enter(guest: Guest): Line | undefined
  leave(guest: Guest): void
  fromInside(datagram: Datagram, from: Attachment): void
  streamDelay(to: string, from: Attachment): number | undefined
}

/** Where a host can be. Who wants to do something to the site names its class: `Place<Site>`. */
export interface Place<Site extends Home = Home> {
  /** Undefined for a public place, which is of no site. */
  readonly site: Site | undefined
  /** IPv4 before IPv6. */
  readonly ips: readonly string[]
  /** Undefined where none is there that knows what a port mapping is. */
  readonly gateway: MappingGateway | undefined
  /** A host comes; `receive` is told what is sent to any port of the addresses. */
  attach(host: string, receive: (datagram: Datagram) => void): void
  /** The host leaves; what is under way to it is lost. */
  detach(): void
  /**
   * Sends, if a host is here. From other addresses than `ips` it is spoofing, which gateways that translate do not pass
   * on; answers go to the address named.
   */
  send(datagram: Datagram): void
  /**
   * How long a TCP segment to `to` is under way now, in milliseconds; undefined where there is no way in, or no host.
   * It is drawn anew each time.
   */
  streamDelay(to: string): number | undefined
}

export class HostPlace<Site extends Home> implements Place<Site>, Guest {
  readonly site: Site | undefined
  readonly ips: readonly string[]
  readonly #home: Site
  readonly #queue: EventQueue
  #receive: ((datagram: Datagram) => void) | undefined = undefined
  #host = ''
  #line: Line | undefined = undefined

  constructor(home: Site, isOfSite: boolean, ips: readonly string[], queue: EventQueue) {
    this.#home = home
    this.site = isOfSite ? home : undefined
    this.ips = ips
    this.#queue = queue
  }

  get gateway(): MappingGateway | undefined {
    return this.#home.mappingGateway
  }

  get line(): Line | undefined {
    return this.#line
  }

  attach(host: string, receive: (datagram: Datagram) => void): void {
    if (this.#receive !== undefined) throw new Error(`${host} comes where ${this.#host} is`)
    this.#host = host
    this.#receive = receive
    this.#line = this.#home.enter(this)
  }

  detach(): void {
    if (this.#receive === undefined) return
    this.#receive = undefined
    this.#home.leave(this)
  }

  send(datagram: Datagram): void {
    if (this.#receive === undefined) return
    if (familyOf(datagram.from.ip) !== familyOf(datagram.to.ip)) return
    this.#home.fromInside(datagram, this)
  }

  streamDelay(to: string): number | undefined {
    return this.#receive === undefined ? undefined : this.#home.streamDelay(to, this)
  }

  reach(datagram: Datagram, delayMs: number): void {
    if (delayMs === 0) this.#receive?.(datagram)
    else this.#queue.in(delayMs, () => this.#receive?.(datagram))
  }

  letsStreamIn(): boolean {
    return true
  }
}
