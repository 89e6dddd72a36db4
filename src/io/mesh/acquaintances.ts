/**
 * Which nodes enter the DHT's routing table, and how they are found.
 *
 * kad-dht dials and pings each node that it hears of in an answer, to see whether it may enter: a connection to everybody
 * from everybody, most of them for nothing (two thousand in a mesh of a hundred, and at 30 ms of processor time each the
 * better part of what starting it took). Here a node enters when it is connected, for whatever reason, and has said by
 * identify that it serves the DHT. Queries connect to the closest nodes anyway, and these are the ones to know.
 *
 * kad-dht also looks for its own surroundings 50 ms after its start, when often nobody is connected yet, and then walks
 * the whole DHT every five minutes. Here a node looks around as soon as it is connected, and again in growing pauses: soon
 * enough for a fleet that starts as one, and hardly ever once all is settled. Those that serve look at a random place as
 * well, so that all of their routing table has a chance to be fresh. What does not answer leaves it with any query.
 *
 * What is changed for it is missing from kad-dht's declared type, so its presence is checked.
 */

import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { PeerId, PeerInfo } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { MINUTE, SECOND } from '../../base/time.js'
import { within } from '../deadline.js'
import type { Dht } from './dht.js'
import { walk } from './walk.js'

const FIRST_PAUSE_MS = SECOND
const GROWTH = 2
const LONGEST_PAUSE_MS = { serving: 10 * MINUTE, other: 30 * MINUTE } as const
/** Pauses are stretched by up to this share at random, so that a fleet does not look around in step. */
const JITTER = 0.3
const DEADLINE_MS = 20 * SECOND

interface Internals {
  onPeerConnect(peer: PeerInfo): Promise<void>
  readonly querySelf: { start(): void }
  readonly routingTableRefresh: { afterStart(): Promise<void> }
  /** Tags the closest nodes to be kept connected, whatever that costs; libp2p would dial them again at once. */
  readonly routingTable: { readonly closestPeerTagger: { start(): Promise<void> } }
}

/** Has only connected nodes enter the routing table. Throws where this release of kad-dht is not the one expected. */
export function admitConnectedOnly(kadDht: KadDHT, isConnected: (peer: PeerId) => boolean): void {
  if (!hasInternals(kadDht)) throw new Error('this release of @libp2p/kad-dht is not supported')
  kadDht.querySelf.start = () => {}
  kadDht.routingTableRefresh.afterStart = async () => {}
  kadDht.routingTable.closestPeerTagger.start = async () => {}
  const admit = kadDht.onPeerConnect.bind(kadDht)
  kadDht.onPeerConnect = async (peer) => {
    if (isConnected(peer.id)) await admit(peer)
  }
}

function hasInternals(kadDht: KadDHT): kadDht is KadDHT & Internals {
  const { onPeerConnect, querySelf, routingTableRefresh, routingTable } = kadDht as Partial<Internals>
  return (
    typeof onPeerConnect === 'function' &&
    typeof querySelf?.start === 'function' &&
    typeof routingTableRefresh?.afterStart === 'function' &&
    typeof routingTable?.closestPeerTagger?.start === 'function'
  )
}

/** Looks around until the signal aborts, from when `untilConnected` resolves. */
export async function lookAround(
  dht: Dht,
  self: PeerId,
  serves: () => boolean,
  untilConnected: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs *= GROWTH) {
    pauseMs = Math.min(pauseMs, serves() ? LONGEST_PAUSE_MS.serving : LONGEST_PAUSE_MS.other)
    await untilConnected(signal)
    await dht.admitConnected()
    await lookAt(dht, self, self.toMultihash().bytes, signal)
    if (serves()) await lookAt(dht, self, randomBytes(32), signal)
    const ms = pauseMs * (1 + JITTER * Math.random())
    await pause(ms, undefined, { signal, ref: false }).catch(() => undefined)
  }
}

/** Connects to the nodes closest to a place, as far as they are not known yet. */
async function lookAt(dht: Dht, self: PeerId, place: Uint8Array, signal: AbortSignal): Promise<void> {
  const walked = {
    request: (peer: PeerId) => dht.closer(peer, place),
    forgive: (peer: PeerId) => dht.forgive(peer),
    isConnected: (peer: PeerId) => dht.isConnected(peer),
  }
  const until = within(DEADLINE_MS, signal)
  for await (const _ of walk(place, dht.closestKnown(place), self, walked, until));
}
