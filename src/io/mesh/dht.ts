/**
 * The DHT, request by request.
 *
 * kad-dht's own `get` and `put` are not used. `get` asks all, corrects stale holders, and only then gives the value;
 * one refused correction, and no reader gets any. One invalid answer discards that node's closer peers as well. `put`
 * neither validates nor fails when nobody acknowledges, and both wait for a query for ourselves first. What is used is
 * its server side, its routing table, and single requests over its `network`; {@link ./walk} goes from node to node.
 *
 * `network` and `routingTable` are public in kad-dht's class and missing from its declared type, so they are declared
 * here, and their presence is checked when the node starts.
 */

import { createHash, randomBytes, randomInt } from 'node:crypto'
import type { PeerId, PeerStore } from '@libp2p/interface'
import { type KadDHT, MessageType, type PeerResponseEvent, type QueryEvent, Record } from '@libp2p/kad-dht'
import type { Multiaddr } from '@multiformats/multiaddr'
import { equals } from 'uint8arrays'
import { BEGUN_WITH, REPLICATION } from '../../engine/dht/query.js'
import { within } from '../deadline.js'
import type { Parts } from './parts.js'

/** What a node answers to a request for a record: the record if it has one, and nodes closer to the key. */
export interface Answer {
  readonly value: Uint8Array | undefined
  readonly closer: readonly { readonly id: PeerId; readonly multiaddrs: readonly Multiaddr[] }[]
}

/** What became of the nodes that were asked. */
export interface DhtEvents {
  /** It was of use for a record; being known is none. */
  onUse(peer: PeerId): void
  /** It could not be connected to; it is out of the routing table by now. */
  onUnreachable(peer: PeerId): void
  /** It is to be dialled again, though it could not be connected to a moment ago. */
  onForgiven(peer: PeerId): void
  /** It is connected and did not answer in time. */
  onSilent(peer: PeerId): void
}

interface Message {
  readonly type: MessageType
  readonly key: Uint8Array
  readonly record?: Uint8Array
}

interface Internals {
  readonly network: {
    sendRequest(
      to: PeerId,
      message: Message,
      options: { readonly signal: AbortSignal; readonly path: typeof PATH },
    ): AsyncIterable<QueryEvent>
  }
  readonly routingTable: {
    readonly size: number
    find(peer: PeerId): Promise<PeerId | undefined>
    /** Pings it first. */
    add(peer: PeerId): Promise<void>
    closestPeers(kadId: Uint8Array, options: { readonly count: number }): PeerId[]
    remove(peer: PeerId): Promise<void>
  }
}

/**
 * How long a node has to answer, in ms. Nobody waits for it, as others are asked in its place long before, but a busy
 * node must not be taken for a dead one. A dial within it ends sooner.
 */
export const REQUEST_DEADLINE_MS = 5_000
const PATH = { index: 0, queued: 0, running: 0, total: 0 } as const
const MAX_ADDRESSES_OF_A_CLOSER_PEER = 8

export class Dht {
  readonly #internals: Internals
  readonly #peerStore: PeerStore
  readonly #isConnected: (peer: PeerId) => boolean
  readonly #connectedServers: () => readonly PeerId[]
  readonly #hears: DhtEvents

  /**
   * Throws where this release of kad-dht is not the one this was written for.
   */
  constructor(
    kadDht: KadDHT,
    { peerStore, connectionManager }: Pick<Parts, 'peerStore' | 'connectionManager'>,
    connectedServers: () => readonly PeerId[],
    hears: DhtEvents,
  ) {
    if (!hasInternals(kadDht)) throw new Error('this release of @libp2p/kad-dht is not supported')
    this.#internals = kadDht
    this.#peerStore = peerStore
    this.#isConnected = (peer) => connectionManager.getConnections(peer).length > 0
    this.#connectedServers = connectedServers
    this.#hears = hears
  }

  /**
   * The nodes known to serve the DHT that a query for the key begins with, closest first: of the routing table, and of the
   * connected servers, which enter the routing table only some round trips after they connected, and which are there.
   */
  closestKnown(key: Uint8Array): readonly PeerId[] {
    const target = kadId(key)
    const placed = (peer: PeerId) => ({ peer, distance: distance(target, peer) })
    const byDistance = (a: { readonly distance: Uint8Array }, b: { readonly distance: Uint8Array }): number =>
      Buffer.compare(a.distance, b.distance)
    const connected = this.#connectedServers().map(placed).sort(byDistance).slice(0, REPLICATION)
    const known = new Map(connected.map((each) => [each.peer.toString(), each]))
    for (const peer of this.#internals.routingTable.closestPeers(target, { count: BEGUN_WITH }))
      known.set(peer.toString(), placed(peer))
    return [...known.values()].sort(byDistance).map(({ peer }) => peer)
  }

  /** Up to `count` nodes of the routing table, those nearest to `peer` first. */
  nodesNear(peer: PeerId, count: number): readonly PeerId[] {
    return this.#internals.routingTable.closestPeers(kadId(peer.toMultihash().bytes), { count })
  }

  /**
   * Some nodes of the DHT: up to `count` of the routing table, those nearest to `peer` first, and some that a server names
   * when it is asked for those at a random place. Never rejects.
   */
  async someNodes(peer: PeerId, count: number): Promise<readonly PeerId[]> {
    const known = this.nodesNear(peer, count)
    const servers = this.#connectedServers()
    const server = servers[randomInt(Math.max(1, servers.length))]
    if (server === undefined) return known
    const answer = await this.closer(server, randomBytes(32)).catch(() => undefined)
    return [...known, ...(answer?.closer ?? []).map(({ id }) => id)]
  }

  /**
   * Has those of the connected servers enter the routing table that are not there. kad-dht pings a node once when it
   * connects, and on a busy machine a ping can fail: nobody would learn of that node from us as long as it stays.
   */
  async admitConnected(): Promise<void> {
    const { routingTable } = this.#internals
    for (const peer of this.#connectedServers())
      if ((await routingTable.find(peer)) === undefined) routingTable.add(peer).catch(() => {})
  }

  /** A node that serves the DHT no more. */
  async forget(peer: PeerId): Promise<void> {
    await this.#internals.routingTable.remove(peer)
  }

  get routingTableSize(): number {
    return this.#internals.routingTable.size
  }

  isConnected(peer: PeerId): boolean {
    return this.#isConnected(peer)
  }

  /**
   * Asks one node for the record under `key`. Undefined where it could not be asked, after {@link REQUEST_DEADLINE_MS} at
   * the latest. Its value is not verified.
   */
  async request(peer: PeerId, key: Uint8Array): Promise<Answer | undefined> {
    return this.#ask(peer, { type: MessageType.GET_VALUE, key })
  }

  /** A node that could not be asked a moment ago may be dialled again. */
  forgive(peer: PeerId): void {
    this.#hears.onForgiven(peer)
  }

  /** Asks one node for those it knows that are closest to a place, as {@link request} does. */
  async closer(peer: PeerId, place: Uint8Array): Promise<Answer | undefined> {
    return this.#ask(peer, { type: MessageType.FIND_NODE, key: place })
  }

  async #ask(peer: PeerId, question: Message): Promise<Answer | undefined> {
    const response = await this.#send(peer, question)
    if (response === undefined) return undefined
    const closer = response.closer.slice(0, REPLICATION).map(({ id, multiaddrs }) => ({
      id,
      multiaddrs: multiaddrs.slice(0, MAX_ADDRESSES_OF_A_CLOSER_PEER),
    }))
    // kad-dht stores these addresses as well, but after it has handed out the response: too late to dial by them.
    for (const { id, multiaddrs } of closer)
      if (!this.#isConnected(id)) await this.#peerStore.merge(id, { multiaddrs: [...multiaddrs] })
    return { value: response.record && new Uint8Array(response.record.value), closer }
  }

  /** Asks one node to store a record. True where it acknowledged. */
  async store(peer: PeerId, key: Uint8Array, value: Uint8Array): Promise<boolean> {
    const record = new Record(key, value, new Date()).serialize()
    const response = await this.#send(peer, { type: MessageType.PUT_VALUE, key, record })
    return response?.record !== undefined && equals(response.record.value, value)
  }

  /**
   * No caller calls a request off: where it does not answer, that is worth knowing for the next query, which would pay
   * for it again.
   */
  async #send(peer: PeerId, message: Message): Promise<PeerResponseEvent | undefined> {
    const { network, routingTable } = this.#internals
    const signal = within(REQUEST_DEADLINE_MS)
    for await (const event of network.sendRequest(peer, message, { signal, path: PATH })) {
      if (event.name === 'PEER_RESPONSE') {
        if (message.type !== MessageType.FIND_NODE) this.#hears.onUse(peer)
        return event
      }
      if (event.name !== 'QUERY_ERROR') continue
      // A refused record resets its stream: the node lives.
      if (this.#isConnected(peer)) {
        if (signal.aborted) this.#hears.onSilent(peer)
        continue
      }
      await routingTable.remove(peer)
      this.#hears.onUnreachable(peer)
    }
    return undefined
  }
}

/** The XOR distance of a node from a place in the DHT; compare with `Buffer.compare`. */
export function distance(target: Uint8Array, peer: PeerId): Uint8Array {
  const id = kadId(peer.toMultihash().bytes)
  return id.map((byte, at) => byte ^ (target[at] ?? 0))
}

/** The place of a key, or of a peer id's bytes, in the DHT (libp2p's kad-dht specification, "Distance"). */
export function kadId(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

function hasInternals(kadDht: KadDHT): kadDht is KadDHT & Internals {
  const { network, routingTable } = kadDht as Partial<Internals>
  return (
    typeof network?.sendRequest === 'function' &&
    typeof routingTable?.closestPeers === 'function' &&
    typeof routingTable.find === 'function' &&
    typeof routingTable.add === 'function' &&
    typeof routingTable.remove === 'function'
  )
}
