/**
 * Which nodes enter the DHT's routing table, and how often they are looked for.
 *
 * kad-dht dials and pings each node that it hears of in an answer, to see whether it may enter: a connection to everybody
 * from everybody, most of them for nothing (two thousand in a mesh of a hundred, and at 30 ms of processor time each the
 * better part of what starting it took). Here a node enters when it is connected, for whatever reason, and has said by
 * identify that it serves the DHT. Queries connect to the closest nodes anyway, and these are the ones to know.
 *
 * It also walks the whole DHT every five minutes, to keep its routing table fresh. Our queries do that by themselves:
 * what does not answer leaves the table, and what they meet enters it.
 *
 * What is changed for it is missing from kad-dht's declared type, so its presence is checked.
 */

import type { PeerId, PeerInfo } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { MINUTE } from '../../base/time.js'

/** How often the routing table is filled by looking for nodes at random, in ms. */
export const REFRESH_MS = 30 * MINUTE
/** How often a node looks for those closest to itself, in ms: those that serve must know their neighbours. */
export const LOOK_AROUND_MS = { serving: 10 * MINUTE, other: 30 * MINUTE } as const

interface Internals {
  onPeerConnect(peer: PeerInfo): Promise<void>
  readonly routingTableRefresh: { refreshInterval: number }
}

/** Has only connected nodes enter the routing table. Throws where this release of kad-dht is not the one expected. */
export function admitConnectedOnly(kadDht: KadDHT, isConnected: (peer: PeerId) => boolean): void {
  if (!hasInternals(kadDht)) throw new Error('this release of @libp2p/kad-dht is not supported')
  kadDht.routingTableRefresh.refreshInterval = REFRESH_MS
  const admit = kadDht.onPeerConnect.bind(kadDht)
  kadDht.onPeerConnect = async (peer) => {
    if (isConnected(peer.id)) await admit(peer)
  }
}

function hasInternals(kadDht: KadDHT): kadDht is KadDHT & Internals {
  const { onPeerConnect, routingTableRefresh } = kadDht as Partial<Internals>
  return typeof onPeerConnect === 'function' && typeof routingTableRefresh?.refreshInterval === 'number'
}
