/**
 * The circuit relays at which we hold reservations, for a node that is not reachable. libp2p's transport reserves at
 * whichever relays it finds, one for each time we listen on `/p2p-circuit`, and at a relay that is connected again.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { KnownNodes } from './knownNodes.js'
import { relayIdOf } from './multiaddrs.js'
import type { Parts } from './parts.js'

/** How many reservations a node that is not reachable holds. */
export const RESERVATIONS = 2

/** Sees to it that relays with a reservation of ours are returned to when they are lost. */
export function keepRelays(
  { events }: Parts,
  addresses: () => readonly Multiaddr[],
  known: KnownNodes,
): void {
  // Fires as the reservation is made; `self:peer:update` comes a second later, when the relay may be gone again.
  events.addEventListener('transport:listening', () => {
    for (const id of reservedAt(addresses())) known.keepRelay(peerIdFromString(id))
  })
}

/**
 * Our addresses through the relays to which we dialled, at the addresses at which these answered us. A relay behind
 * one-to-one NAT, as most machines in a cloud are, does not know the address at which it is reached.
 */
export function circuitsAsDialled(
  addresses: readonly Multiaddr[],
  connections: readonly Connection[],
  self: PeerId,
): readonly string[] {
  const relays = reservedAt(addresses)
  const known = new Set(addresses.map(String))
  return connections
    .filter(({ direction, limits }) => direction === 'outbound' && limits === undefined)
    .filter(({ remotePeer }) => relays.has(remotePeer.toString()))
    .map(({ remoteAddr, remotePeer }) => {
      const relay = remoteAddr.decapsulate('/p2p').toString()
      return `${relay}/p2p/${remotePeer}/p2p-circuit/p2p/${self}`
    })
    .filter((circuit) => !known.has(circuit))
}

/** The ids of the relays among our own addresses. */
export function reservedAt(addresses: readonly Multiaddr[]): ReadonlySet<string> {
  return new Set(addresses.map(relayIdOf).filter((id) => id !== undefined))
}
