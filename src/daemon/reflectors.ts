/**
 * Reflectors and member relays, as servers tell of them and as they are asked.
 *
 * A private address of a server means something in its own network only. So others are told of it only by a server
 * that has no other, and asked there only by those who are connected to the server at a private address.
 */

import { formatSocketAddress, isGlobal, type SocketAddress } from '../base/address.js'
import { type DropReason, isDropped } from '../base/drops.js'
import type { RelayOffer, Witness } from '../engine/inputs.js'
import { identityOfPeerId } from '../io/mesh/identity.js'
import type { ServerState } from '../io/mesh/state.js'
import { decodeServices, MAX_REFLECTORS } from '../wire/services.js'
import { interleave } from './interleave.js'

/** Which of our sockets others are told of: the global ones, or all where there is no global one. */
export function reflectorsToTell(own: readonly SocketAddress[]): readonly SocketAddress[] {
  const global = own.filter(({ ip }) => isGlobal(ip))
  return (global.length > 0 ? global : own).slice(0, MAX_REFLECTORS)
}

/**
 * Where to ask, the best first: one address of each connected server, then `stun`, which are the user's own, then the
 * servers' other addresses. Answers from different hosts tell a NAT's behaviour, so servers take turns.
 *
 * The first address of a server is the one at which we are connected to it. It does not know that one itself where it
 * is behind one-to-one NAT.
 */
export function reflectorsToAsk(
  servers: readonly ServerState[],
  stun: readonly SocketAddress[],
  onDrop: (reason: DropReason) => void,
): readonly SocketAddress[] {
  const each = servers.map((server) => reflectorsOf(server, onDrop))
  const [firsts, others] = [each.map((list) => list.slice(0, 1)), each.map((list) => list.slice(1))]
  const all = [...interleave(firsts), ...stun, ...interleave(others)]
  return [...new Map(all.map((address) => [formatSocketAddress(address), address])).values()]
}

/**
 * The servers that are member relays, each with its reflectors as {@link reflectorsToAsk} has them, for there a relay is
 * asked. What does not decode was counted there.
 */
export function relaysToAsk(servers: readonly ServerState[]): readonly RelayOffer[] {
  return servers.flatMap((server) => {
    const services = decodeServices(server.services)
    if (isDropped(services) || services.relay === undefined) return []
    const identity = identityOfPeerId(server.peerId)
    const addresses = reflectorsOf(server, () => {})
    if (identity === undefined || addresses.length === 0) return []
    const claimed = addresses.filter(({ ip }) => ip !== server.ip)
    return [{ identity, ...services.relay, addresses, ...(claimed.length === 0 ? {} : { claimed }) }]
  })
}

/**
 * The servers that reflect, each with its reflectors as {@link reflectorsToAsk} has them: what they prove of addresses is
 * believed. What does not decode was counted there.
 */
export function witnessesOf(servers: readonly ServerState[]): readonly Witness[] {
  return servers.flatMap((server) => {
    const identity = identityOfPeerId(server.peerId)
    const addresses = reflectorsOf(server, () => {})
    return identity === undefined || addresses.length === 0 ? [] : [{ identity, addresses }]
  })
}

function reflectorsOf(
  { services, ip }: ServerState,
  onDrop: (reason: DropReason) => void,
): readonly SocketAddress[] {
  const decoded = decodeServices(services)
  if (isDropped(decoded)) {
    onDrop(decoded.dropped)
    return []
  }
  const [first] = decoded.reflectors
  if (first === undefined) return []
  if (ip === undefined) return decoded.reflectors.filter((told) => isGlobal(told.ip))
  const others = decoded.reflectors.filter((told) => told.ip !== ip && (isGlobal(told.ip) || !isGlobal(ip)))
  return [{ ip, port: first.port }, ...others]
}
