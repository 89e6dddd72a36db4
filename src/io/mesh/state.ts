/** How it stands with the mesh, at a moment. */

import type { Connection } from '@libp2p/interface'
import { addressedIp } from './multiaddrs.js'

export interface MeshState {
  /** True while this node serves the mesh itself. */
  readonly serves: boolean
  /** Full multiaddrs with `/p2p/`, direct ones and circuits. */
  readonly addresses: readonly string[]
  /** Connected nodes that serve. */
  readonly servers: readonly ServerState[]
  readonly bootstrap: readonly BootstrapState[]
  /** How many nodes of the mesh are remembered for the next start. */
  readonly remembered: number
  /** How many nodes of the mesh are known on the LAN. */
  readonly lan: number
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

/** How it stands with a node that was given by the user. */
export interface BootstrapState {
  readonly multiaddr: string
  /** Connected, and serving our network. */
  readonly connected: boolean
  /** Why it is not, as far as known. */
  readonly lastError?: string
  /** Seconds until it is tried again. */
  readonly nextTryInS?: number
}

/**
 * The address at which each directly connected node answers, or else from which it came. A relayed connection has none:
 * its address is the relay's.
 */
export function ipsOf(connections: readonly Connection[]): ReadonlyMap<string, string> {
  const ips = new Map<string, string>()
  const direct = connections.filter(({ limits }) => limits === undefined)
  for (const { remotePeer, remoteAddr, direction } of direct) {
    const [peer, ip] = [remotePeer.toString(), addressedIp(remoteAddr)]
    if (ip !== undefined && (direction === 'outbound' || !ips.has(peer))) ips.set(peer, ip)
  }
  return ips
}
