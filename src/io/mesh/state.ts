/** How it stands with the mesh, at a moment. */

import type { BootstrapState } from './knownNodes.js'

export interface MeshState {
  /** Full multiaddrs with `/p2p/`, direct ones and circuits. */
  readonly addresses: readonly string[]
  /** Connected nodes that serve. */
  readonly servers: readonly ServerState[]
  readonly bootstrap: readonly BootstrapState[]
  /** At how many relays we hold a reservation. */
  readonly reservations: number
  readonly connections: number
  /** Somebody hears what we gossip. */
  readonly gossips: boolean
  /** How many nodes are in the DHT's routing table. */
  readonly routingTable: number
  /** How many records are stored here for others. */
  readonly storedRecords: number
}

/** A connected node that serves. */
export interface ServerState {
  readonly peerId: string
  /** What it answered when it was asked for its services. */
  readonly services: Uint8Array
  /** The address of our direct connection to it. */
  readonly ip: string | undefined
}
