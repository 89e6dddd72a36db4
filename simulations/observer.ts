/** What can be watched of a simulated run: invariants, traces and diagrams are made of these events, and change nothing. */

import type { SocketAddress } from '../src/base/address.js'
import type { PublicKey } from '../src/base/publicKey.js'
import type { Effect } from '../src/engine/effects.js'
import type { Input } from '../src/engine/inputs.js'
import type { Datagram } from './network/datagram.js'

/** Names are those of hosts. Bytes must not be changed, nor kept without a copy of what is needed of them. */
export interface Observer {
  /** A datagram left a host, before any gateway has seen it. */
  sent?(host: string, datagram: Datagram): void
  /** A datagram came in at a port of a host that listens there. */
  arrived?(host: string, datagram: Datagram): void
  /** The engine of a host was told something. */
  handled?(host: string, input: Input, effects: readonly Effect[]): void
  /** Data took the short way: from WireGuard to the network, or from the network to WireGuard. */
  forwarded?(
    host: string,
    direction: 'out' | 'in',
    peer: PublicKey,
    remote: SocketAddress,
    bytes: Uint8Array,
  ): void
  /** A message is handed to WireGuard from a peer's loopback endpoint; `author` is the host that sent it. */
  delivered?(host: string, peer: PublicKey, bytes: Uint8Array, author: string): void
  /** An application sent a packet into the tunnel with `peer`. */
  entered?(host: string, peer: PublicKey, packet: Uint8Array): void
  /** A packet came out of the tunnel with `peer`. */
  emerged?(host: string, peer: PublicKey, packet: Uint8Array): void
  /** Something was done to the world, in words: a fault, a move, a start. */
  happened?(what: string): void
}
