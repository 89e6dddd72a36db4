/**
 * The circuit relays at which we hold reservations, for a node that is not reachable. libp2p's transport reserves at
 * whichever relays it finds, one for each time we listen on `/p2p-circuit`, and at a relay that is connected again.
 */

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

/** The ids of the relays among our own addresses. */
export function reservedAt(addresses: readonly Multiaddr[]): ReadonlySet<string> {
  return new Set(addresses.map(relayIdOf).filter((id) => id !== undefined))
}
