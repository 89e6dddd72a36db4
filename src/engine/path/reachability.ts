/** Which remote addresses may be tried at all, and from which sockets. */

import {
  type AddressScope,
  familyOf,
  prefixContains,
  type SocketAddress,
  scopeOf,
} from '../../base/address.js'
import { isStreamAddress } from '../../base/streamAddress.js'
import type { LocalSocket, MachineRoute } from '../inputs.js'
import type { Machine } from './machine.js'
import type { Route } from './path.js'

/** Scopes in which no far host can be named. */
const NEVER_TRIED: readonly AddressScope[] = ['loopback', 'unspecified', 'multicast', 'link-local', 'stream']

/** True where the machine's routes lead to `ip` through a WireGuard interface: a packet sent there would loop. */
export function leavesByTunnel(routes: readonly MachineRoute[], ip: string): boolean {
  return !isStreamAddress(ip) && (longestMatch(routes, ip)?.tunnel ?? false)
}

function longestMatch(routes: readonly MachineRoute[], ip: string): MachineRoute | undefined {
  let longest: MachineRoute | undefined
  for (const route of routes) {
    if (!prefixContains(route.prefix, ip)) continue
    if (longest === undefined || route.prefix.length > longest.prefix.length) longest = route
  }
  return longest
}

/** True where a route of its own, and not only the default one, leads to `ip`: it is in a network that we are in. */
export function isNear(routes: readonly MachineRoute[], ip: string): boolean {
  const route = longestMatch(routes, ip)
  return route !== undefined && route.prefix.length > 0 && !route.tunnel
}

/**
 * Whether a datagram can be sent over a route: its socket is open, and its remote is not reached through the tunnel. What
 * came through a stream can be answered.
 */
export function isUsable(
  route: Route,
  sockets: readonly LocalSocket[],
  routes: readonly MachineRoute[],
): boolean {
  if (isStreamAddress(route.remote.ip)) return sockets.some(({ id }) => id === route.socket)
  return socketsFor(route.remote.ip, sockets, routes).some((socket) => socket.id === route.socket)
}

/** Whether a route begins with a stream that stands in for UDP. */
export function goesThroughStream(route: Pick<Route, 'socket'>, sockets: readonly LocalSocket[]): boolean {
  return sockets.some(({ id, purpose }) => id === route.socket && purpose === 'stream')
}

/**
 * The sockets from which `ip` can be asked: those by whose device a route leads there, then streams to it. None where it is no address of a
 * single far host.
 */
export function socketsFor(
  ip: string,
  sockets: readonly LocalSocket[],
  routes: readonly MachineRoute[],
): readonly LocalSocket[] {
  return [...udpSocketsFor(ip, sockets, routes), ...sockets.filter(({ relay }) => relay?.ip === ip)]
}

/** The routes over which a far address can be asked from the shared sockets. */
export function routesTo(
  remote: SocketAddress,
  { sockets, routes }: Pick<Machine, 'sockets' | 'routes'>,
): readonly Route[] {
  return socketsFor(remote.ip, sockets, routes).map(({ id }) => ({ socket: id, remote }))
}

function udpSocketsFor(
  ip: string,
  all: readonly LocalSocket[],
  routes: readonly MachineRoute[],
): readonly LocalSocket[] {
  const sockets = all.filter(({ purpose }) => purpose !== 'stream')
  const scope = scopeOf(ip)
  if (NEVER_TRIED.includes(scope)) return []
  if (leavesByTunnel(routes, ip)) return []
  if (sockets.some((socket) => socket.address.ip === ip)) return []
  const family = familyOf(ip)
  const ofFamily = sockets.filter((socket) => familyOf(socket.address.ip) === family)
  // Where no route of the family is known, we do not know better than to try.
  if (!routes.some((route) => familyOf(route.prefix.ip) === family)) return ofFamily
  return ofFamily.filter((socket) =>
    routes.some((route) => route.device === socket.device && prefixContains(route.prefix, ip)),
  )
}
