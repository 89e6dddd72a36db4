/**
 * A network in which each address is one attachment's: a host's, or a gateway's with all that is behind it. Addresses are
 * routed one by one, the IPv6 addresses of inner networks and public IPv4 ones too; so a look-up is all there is to
 * routing, and what is for nobody here goes to the gateway.
 */

import type { Datagram } from './datagram.js'
import type { Line } from './link.js'
import type { StreamWay } from './stream.js'

/** From an attachment of a local network to the middle of it, and to its gateway there. */
export const LOCAL_MS = 0.5

export interface Attachment {
  /** Its own link to the outside; undefined where it shares the one of its network. */
  readonly line: Line | undefined
  /** A datagram for one of its addresses is in the network, `delayMs` milliseconds away; 0 for at its door. */
  reach(datagram: Datagram, delayMs: number): void
  /** Whether a TCP connection from the network gets in. */
  letsStreamIn(way: StreamWay): boolean
}

/** A site, as what it is attached to sees it. */
export interface Gateway extends Attachment {
  /** The index of its region in `REGIONS`. */
  readonly region: number
  /** Its side of a partition. */
  readonly side: number
}

/** What a site is attached to: the internet, or another site. */
export interface Outside {
  /** A fresh IPv4 address that means something there. */
  leaseIp4(): string
  attach(ip: string, gateway: Gateway): void
  detach(ip: string): void
  /** Takes what left a site, and is `delayMs` from having passed its link. */
  carry(datagram: Datagram, from: Gateway, delayMs: number): void
  /** Whether there is a way on for a TCP connection that left a site. */
  streamOn(way: StreamWay, from: Gateway): boolean
}

export class Segment<Attached extends Attachment> {
  readonly #attached = new Map<string, Attached>()

  find(ip: string): Attached | undefined {
    return this.#attached.get(ip)
  }

  attach(ip: string, attachment: Attached): void {
    if (this.#attached.has(ip)) throw new Error(`${ip} is there already`)
    this.#attached.set(ip, attachment)
  }

  detach(ip: string): void {
    this.#attached.delete(ip)
  }
}
