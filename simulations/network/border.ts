/**
 * What stands between a site and what is outside: it blocks UDP or not, has one family or both, translates, filters; and
 * one family may be broken.
 */

import type { SiteSpec } from '../topology.js'
import type { Datagram } from './datagram.js'
import { Firewall } from './firewall.js'
import type { Nat } from './nat.js'
import type { StreamWay } from './stream.js'

export class Border {
  /** Undefined where IPv4 addresses inside are those outside. */
  readonly nat: Nat | undefined
  /** False where UDP neither leaves nor enters. */
  udp: boolean
  readonly #hasIpv4: boolean
  readonly #hasIpv6: boolean
  readonly #broken: SiteSpec['broken']
  readonly #ipv4Firewall: Firewall | undefined
  readonly #ipv6Firewall: Firewall | undefined

  constructor(spec: SiteSpec, nat: Nat | undefined, clock: { readonly elapsed: number }) {
    this.nat = nat
    this.udp = spec.udp
    this.#hasIpv4 = spec.ipv4
    this.#hasIpv6 = spec.ipv6 !== 'none'
    this.#broken = spec.broken
    this.#ipv4Firewall = spec.firewall && nat === undefined ? new Firewall(clock) : undefined
    this.#ipv6Firewall = spec.ipv6 === 'firewalled' ? new Firewall(clock) : undefined
  }

  /** Whether there are addresses of a family. */
  has(isIpv6: boolean): boolean {
    return isIpv6 ? this.#hasIpv6 : this.#hasIpv4
  }

  /** Whether anything of a family passes. */
  #passes(isIpv6: boolean): boolean {
    return this.has(isIpv6) && this.#broken !== (isIpv6 ? 'ipv6' : 'ipv4')
  }

  /** What goes on outwards; undefined where nothing does. */
  outbound(datagram: Datagram, isIpv6: boolean): Datagram | undefined {
    if (!this.udp || !this.#passes(isIpv6)) return undefined
    if (!isIpv6 && this.nat !== undefined) return this.nat.outbound(datagram)
    const firewall = isIpv6 ? this.#ipv6Firewall : this.#ipv4Firewall
    return firewall === undefined || firewall.outbound(datagram) ? datagram : undefined
  }

  /** What goes on inwards; undefined where nothing does. */
  inbound(datagram: Datagram, isIpv6: boolean): Datagram | undefined {
    if (!this.udp || !this.#passes(isIpv6)) return undefined
    if (!isIpv6 && this.nat !== undefined) return this.nat.inbound(datagram)
    const firewall = isIpv6 ? this.#ipv6Firewall : this.#ipv4Firewall
    return firewall === undefined || firewall.inbound(datagram) ? datagram : undefined
  }

  /** What goes on to another inner host of what was sent to an outer address; undefined where nothing does. */
  hairpin(datagram: Datagram): Datagram | undefined {
    return this.udp && this.#broken !== 'ipv4' ? this.nat?.hairpin(datagram) : undefined
  }

  /** TCP leaves everywhere where there is its family (RFC 5382 REQ-1 for NATs). */
  letsStreamOut({ isIpv6 }: StreamWay): boolean {
    return this.#passes(isIpv6)
  }

  /** Nothing forwards a TCP port inwards. */
  letsStreamIn({ isIpv6 }: StreamWay): boolean {
    if (!this.#passes(isIpv6)) return false
    return isIpv6
      ? this.#ipv6Firewall === undefined
      : this.nat === undefined && this.#ipv4Firewall === undefined
  }

  reboot(): void {
    this.nat?.reboot()
    this.#ipv4Firewall?.reboot()
    this.#ipv6Firewall?.reboot()
  }
}
