/**
 * Where ports are asked for: the gateways of default routes, as those of our addresses reach them that stand behind NAT
 * (private, IPv4) or behind a firewall (global, IPv6).
 */

import { familyOf, type SocketAddress, scopeOf } from '../../base/address.js'
import { after, type Instant } from '../../base/time.js'
import type { LocalSocket, MachineRoute } from '../inputs.js'
import type { MappedTransport, MappingProtocol, MappingSite } from './mappedPort.js'

/** What changes comes in bursts. */
const SETTLED_MS = 200
/** A machine has few ways out; a home router's LAN may give it many addresses. */
const MAX_SITES = 4
const TRANSPORTS: readonly MappedTransport[] = ['udp', 'tcp']

/** One of our ports, and how it stands with it at a gateway. */
export interface Port {
  readonly protocol: MappedTransport
  held:
    | { readonly external: SocketAddress; readonly by: MappingProtocol; readonly expiresAt: Instant }
    | undefined
  /** Until when an answer is waited for. */
  asking: Instant | undefined
  askedAt: Instant | undefined
  nextAt: Instant | undefined
  failures: number
  conflicts: number
}

/** A gateway, and how it stands with it. */
export interface Site extends MappingSite {
  readonly port: number
  /** Until when a probe is waited for. */
  probing: Instant | undefined
  /** When it is to be probed; undefined while a protocol is in use. */
  probeAt: Instant | undefined
  probes: number
  by: MappingProtocol | undefined
  /** Others that it speaks, in the order of their answers. */
  spare: MappingProtocol[]
  readonly ports: readonly Port[]
}

/** One that was never asked. It is probed when what brought it has settled. */
export function newSite(wanted: MappingSite & { readonly port: number }, now: Instant): Site {
  const ports = TRANSPORTS.map((protocol): Port => {
    return {
      protocol,
      held: undefined,
      asking: undefined,
      askedAt: undefined,
      nextAt: undefined,
      failures: 0,
      conflicts: 0,
    }
  })
  return {
    ...wanted,
    probing: undefined,
    probeAt: after(now, SETTLED_MS),
    probes: 0,
    by: undefined,
    spare: [],
    ports,
  }
}

/** Our addresses behind the gateways of default routes that are worth to be asked. */
export function wantedSites(
  sockets: readonly LocalSocket[],
  routes: readonly MachineRoute[],
): readonly (MappingSite & { readonly port: number })[] {
  const sites = routes.flatMap(({ prefix, device, tunnel, gateway }) => {
    if (prefix.length > 0 || tunnel || device === undefined || gateway === undefined) return []
    const family = familyOf(gateway)
    return sockets
      .filter((socket) => socket.device === device && familyOf(socket.address.ip) === family)
      .filter(({ address }) => scopeOf(address.ip) === (family === 4 ? 'private' : 'global'))
      .map(({ address }) => ({ gateway, device, local: address.ip, port: address.port }))
  })
  return sites
    .filter((site, index) => sites.findIndex((each) => sameSite(each, site)) === index)
    .slice(0, MAX_SITES)
}

/** What names a site. */
export function placeOf({ gateway, device, local }: MappingSite): MappingSite {
  return { gateway, device, local }
}

export function sameSite(a: MappingSite, b: MappingSite): boolean {
  return a.gateway === b.gateway && a.device === b.device && a.local === b.local
}
