/**
 * The circuit relays at which a node that does not serve holds reservations.
 *
 *     servers that are connected ─► relayChoice ─► a reservation at each that was chosen ─► our circuit addresses
 *            ▲                                          │ renewed before it ends
 *            └── dialled, where they are too few ◄──────┘ lost with its connection, or its relay's role: chosen anew at once
 *
 * libp2p's own client for it is not used. It reserves at whichever relays it finds at random; one that was named is never
 * reserved again after it restarted (js-libp2p issue 3601) nor after one failed attempt; its listeners close all together.
 * Of its transport we use the dialling and the accepting of relayed connections.
 *
 * A relay that misses a ping is doubted: another reservation is made at once, and the doubtful one stays until its connection
 * is closed, or it answers. So a slow answer costs one request too many, and no knock.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { type DropReason, isDropped } from '../../base/drops.js'
import { elapsed, MINUTE, SECOND, type UnixTime } from '../../base/time.js'
import { decodeReservation, encodeReserve, MAX_RESERVATION_LENGTH } from '../../wire/circuit.js'
import { within } from '../deadline.js'
import { now } from '../systemClock.js'
import { isDirect } from './connections.js'
import { seenAt } from './dialBack.js'
import { ask } from './exchange.js'
import type { KnownNodes } from './knownNodes.js'
import { peerIdOf } from './multiaddrs.js'
import { networkOf } from './networkOf.js'
import type { Parts } from './parts.js'
import { chooseRelays, type RelayCandidate } from './relayChoice.js'
import { RelaySearch } from './relaySearch.js'
import type { Servers } from './servers.js'

/** How many reservations a node that is not reachable holds. */
export const RESERVATIONS = 2

const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const RESERVE_MS = 3 * SECOND
/** How long before its end a reservation is renewed, and how soon after its start at the earliest. */
const RENEWED_BEFORE_MS = 5 * MINUTE
const RENEWED_AFTER_MS = 30 * SECOND
/** A relay that refused, or did not answer, is left alone for so long. */
const REFUSED_MS = 30 * SECOND
/** A relay that does not renew. */
const RENEWAL_TRIES = 3
const MAX_ADDRESSES_OF_A_RELAY = 8

interface Reservation {
  readonly relay: PeerId
  /** Ours through it, complete. */
  readonly circuits: readonly string[]
  renewal: NodeJS.Timeout | undefined
  failures: number
}

export class Relays {
  readonly #parts: Parts
  readonly #servers: Servers
  readonly #known: KnownNodes
  readonly #onChange: () => void
  readonly #onDrop: (reason: DropReason) => void
  readonly #held = new Map<string, Reservation>()
  readonly #asking = new Set<string>()
  readonly #refusedAt = new Map<string, number>()
  readonly #suspects = new Set<string>()
  readonly #search: RelaySearch
  #retry: NodeJS.Timeout | undefined
  #active = false

  /** `nodes` are those of the DHT, among which further relays are looked for. */
  constructor(
    parts: Parts,
    servers: Servers,
    known: KnownNodes,
    nodes: () => Promise<readonly PeerId[]>,
    onChange: () => void,
    onDrop: (reason: DropReason) => void,
  ) {
    this.#parts = parts
    this.#servers = servers
    this.#known = known
    this.#search = new RelaySearch(parts, servers, nodes, () => this.review())
    this.#onChange = onChange
    this.#onDrop = onDrop
    // A reservation is the peer's, not a connection's, but without a connection nobody comes through.
    parts.events.addEventListener('peer:disconnect', ({ detail: peer }) => this.#lose(peer, true))
  }

  /** Begins to hold reservations, or gives them up. */
  setActive(active: boolean): void {
    this.#active = active
    if (active) {
      this.review()
      return
    }
    this.#search.for(undefined)
    clearTimeout(this.#retry)
    for (const id of [...this.#held.keys()]) this.#drop(id, false)
    this.#suspects.clear()
    this.#onChange()
  }

  /** Our addresses through the relays, complete. */
  get circuits(): readonly string[] {
    return [...this.#held.values()].flatMap(({ circuits }) => circuits)
  }

  /** How many relays hold a reservation for us. */
  get count(): number {
    return this.#held.size
  }

  /** True for a relay that holds a reservation for us. */
  has(peer: PeerId): boolean {
    return this.#held.has(peer.toString())
  }

  /** A relay misses a ping, or answers again. */
  suspect(peer: PeerId, isSuspect: boolean): void {
    const id = peer.toString()
    if (isSuspect ? this.#suspects.has(id) || !this.#held.has(id) : !this.#suspects.delete(id)) return
    if (isSuspect) this.#suspects.add(id)
    this.review()
  }

  /** A node serves no more: what it held for us is gone. */
  retired(peer: PeerId): void {
    this.#lose(peer, false)
  }

  /** Chooses anew. To be called when a server has come or gone. */
  review(): void {
    if (!this.#active) return
    const candidates = this.#candidates()
    const chosen = chooseRelays(candidates, RESERVATIONS)
    for (const { peerId, isReserved } of chosen) if (!isReserved) void this.#reserve(peerId)
    const wanted = new Set(chosen.map(({ peerId }) => peerId))
    if (chosen.every(({ isReserved }) => isReserved) && chosen.length === RESERVATIONS) {
      const spare = [...this.#held.keys()].filter((id) => !wanted.has(id) && !this.#suspects.has(id))
      for (const id of spare) this.#drop(id, false)
      if (spare.length > 0) this.#onChange()
    }
    const sound = chosen.filter(({ isSuspect }) => !isSuspect)
    const networks = new Set(sound.map(({ network }) => network))
    if (sound.length < RESERVATIONS) this.#search.for('any')
    else this.#search.for(networks.size < RESERVATIONS ? { outside: networks } : undefined)
  }

  #candidates(): readonly RelayCandidate[] {
    const at = performance.now()
    for (const [id, refusedAt] of this.#refusedAt)
      if (at - refusedAt >= REFUSED_MS) this.#refusedAt.delete(id)
    return this.#servers.connected.flatMap((peer) => {
      const peerId = peer.toString()
      const connection = this.#connectionTo(peer)
      const isReserved = this.#held.has(peerId)
      if (connection === undefined || (this.#refusedAt.has(peerId) && !isReserved)) return []
      const ip = seenAt(connection)
      return {
        peerId,
        network: ip === undefined ? undefined : networkOf(ip),
        isSuspect: this.#suspects.has(peerId),
        isReserved,
        rttMs: connection.rtt,
      }
    })
  }

  /** The direct connection to a node, one that we dialled if there is one: it tells where the node is reached. */
  #connectionTo(peer: PeerId): Connection | undefined {
    const direct = this.#parts.connectionManager.getConnections(peer).filter(isDirect)
    return direct.findLast(({ direction }) => direction === 'outbound') ?? direct.at(-1)
  }

  async #reserve(id: string): Promise<void> {
    const peer = this.#servers.connected.find((server) => server.toString() === id)
    const connection = peer && this.#connectionTo(peer)
    if (connection === undefined || this.#asking.has(id)) return
    this.#asking.add(id)
    try {
      const { circuits, expiresAt } = await this.#ask(connection)
      if (!this.#active || connection.status !== 'open' || !this.#servers.has(connection.remotePeer)) return
      clearTimeout(this.#held.get(id)?.renewal)
      const reservation: Reservation = {
        relay: connection.remotePeer,
        circuits,
        renewal: undefined,
        failures: 0,
      }
      this.#held.set(id, reservation)
      this.#renewIn(id, reservation, elapsed(now().unix, expiresAt) - RENEWED_BEFORE_MS)
      this.#known.keepRelay(connection.remotePeer)
      this.#onChange()
    } catch {
      const held = this.#held.get(id)
      if (held === undefined) this.#refusedAt.set(id, performance.now())
      else this.#renewalFailed(id, held)
      clearTimeout(this.#retry)
      if (this.#active) this.#retry = setTimeout(() => this.review(), REFUSED_MS + 1)
    } finally {
      this.#asking.delete(id)
      this.review()
    }
  }

  async #ask(
    connection: Connection,
  ): Promise<{ readonly circuits: readonly string[]; readonly expiresAt: UnixTime }> {
    const options = { signal: within(RESERVE_MS) }
    const bytes = await ask(connection, HOP, encodeReserve(), MAX_RESERVATION_LENGTH, options)
    const answer = decodeReservation(bytes)
    if (answer === 'refused') throw new Error('the relay refused')
    if (isDropped(answer)) {
      this.#onDrop(answer.dropped)
      throw new Error('the answer was not usable')
    }
    return { circuits: this.#circuits(connection, answer.addresses), expiresAt: answer.expiresAt }
  }

  /**
   * Our addresses through a relay: where it says that it is, and where it answered us. A relay behind one-to-one NAT, as
   * most machines in a cloud are, does not know the address at which it is reached.
   */
  #circuits(
    { direction, remoteAddr, remotePeer }: Connection,
    told: readonly Uint8Array[],
  ): readonly string[] {
    const addresses = told.slice(0, MAX_ADDRESSES_OF_A_RELAY).flatMap((bytes) => {
      try {
        const address = multiaddr(bytes)
        return [peerIdOf(address) === undefined ? address.toString() : address.decapsulate('/p2p').toString()]
      } catch {
        return []
      }
    })
    if (direction === 'outbound') addresses.unshift(remoteAddr.decapsulate('/p2p').toString())
    const direct = [...new Set(addresses)].filter((address) => !address.includes('/p2p-circuit'))
    return direct.map((address) => `${address}/p2p/${remotePeer}/p2p-circuit/p2p/${this.#parts.peerId}`)
  }

  #renewIn(id: string, reservation: Reservation, ms: number): void {
    reservation.renewal = setTimeout(() => void this.#reserve(id), Math.max(RENEWED_AFTER_MS, ms))
  }

  #renewalFailed(id: string, reservation: Reservation): void {
    reservation.failures += 1
    if (reservation.failures < RENEWAL_TRIES) this.#renewIn(id, reservation, RENEWED_AFTER_MS)
    else this.#lose(reservation.relay, false)
  }

  #lose(peer: PeerId, isGone: boolean): void {
    const id = peer.toString()
    this.#suspects.delete(id)
    this.#refusedAt.delete(id)
    if (!this.#drop(id, isGone)) return
    this.#onChange()
    this.review()
  }

  /** To one that has gone we return: it may have been restarted. */
  #drop(id: string, isGone: boolean): boolean {
    const held = this.#held.get(id)
    if (held === undefined) return false
    clearTimeout(held.renewal)
    if (!isGone) this.#known.releaseRelay(held.relay)
    return this.#held.delete(id)
  }
}
