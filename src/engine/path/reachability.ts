/** Which remote addresses may be tried at all, and from which sockets. */

import { familyOf, prefixContains, scopeOf } from '../../base/address.js'
import type { LocalSocket, MachineRoute } from '../inputs.js'

/** True where the machine's routes lead to `ip` through a WireGuard interface: a packet sent there would loop. */
export function leavesByTunnel(routes: readonly MachineRoute[], ip: string): boolean {
  let longest: MachineRoute | undefined
  for (const route of routes) {
    if (!prefixContains(route.prefix, ip)) continue
    if (longest === undefined || route.prefix.length > longest.prefix.length) longest = route
  }
  return longest?.tunnel ?? false
}

/** The sockets from which `ip` can be asked: those of its family, where it is an address of a single far host. */
export function socketsFor(
  ip: string,
  sockets: readonly LocalSocket[],
  routes: readonly MachineRoute[],
): readonly LocalSocket[] {
  const scope = scopeOf(ip)
  if (scope === 'loopback' || scope === 'unspecified' || scope === 'multicast' || scope === 'link-local')
    return []
  if (leavesByTunnel(routes, ip)) return []
  return sockets.filter((socket) => familyOf(socket.address.ip) === familyOf(ip) && socket.address.ip !== ip)
}
