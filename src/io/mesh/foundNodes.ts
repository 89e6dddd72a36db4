/**
 * The nodes that nobody had to tell us of: those remembered from earlier, those that the DHT names, and those on the LAN.
 *
 * - *Remembered ones* are dialled while we are connected to fewer than {@link SERVERS_WANTED} servers that we dialled
 *   ourselves (who dials us, and how often, others decide), the best first, a few at a time. One that does not answer is tried again with growing pauses, which stay short while no server is connected
 *   at all, and never end. So a mesh whose bootstrap nodes are all gone is found as long as one that served us lives.
 * - *Nodes on the LAN* are dialled whenever they are not connected, also where they do not serve: behind one gateway two
 *   nodes may have nobody else, and a knock needs no more than a connection.
 *
 * Given nodes, and relays, are {@link ./knownNodes}' as long as it gets through to them.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { backoffMs } from '../../base/backoff.js'
import { MINUTE, SECOND } from '../../base/time.js'
import { seenAt } from './dialBack.js'
import { dialDirectly, firstOf } from './dials.js'
import { asError } from './exchange.js'
import { isUnsupported, type KnownNodes } from './knownNodes.js'
import { addressedIp, withoutPeerId } from './multiaddrs.js'
import type { MeshLog } from './options.js'
import type { Parts } from './parts.js'
import type { RememberedNodes } from './rememberedNodes.js'
import type { Servers } from './servers.js'

/** How many connected servers that we dialled are enough. */
export const SERVERS_WANTED = 4

/** How many are dialled at once of those remembered, and of those on the LAN. */
const AT_ONCE = 4
const FIRST_PAUSE_MS = SECOND
const GROWTH = 1.7
/** Without any server, and with some: then the mesh works, and who is dead need not be asked so often. */
const LONGEST_PAUSE_MS = { alone: 15 * SECOND, served: 5 * MINUTE } as const
const JITTER = 0.3
const SAVE_AFTER_MS = SECOND
/** How often those connected, and those that the DHT names, are noted. */
const NOTE_EVERY_MS = MINUTE

/** A node and where it may be reached, without `/p2p/` at the end. */
export interface FoundNode {
  readonly id: string
  readonly addresses: readonly string[]
}

/** What is known of the attempts at one node. */
interface Attempts {
  failures: number
  /** When the last one ended. */
  endedAt: number
  /** The last pause is stretched by this. */
  readonly jitter: number
  dialling: AbortController | undefined
}

export interface FoundNodesParts {
  readonly remembered: RememberedNodes
  readonly servers: Servers
  readonly known: KnownNodes
  /** Those of the LAN, now. */
  readonly lan: () => readonly FoundNode[]
  /** The servers that the DHT's routing table holds. */
  readonly routingTable: () => readonly PeerId[]
  readonly log: MeshLog
}

export class FoundNodes {
  readonly #of: FoundNodesParts
  readonly #attempts = new Map<string, Attempts>()
  /** The servers that are connected, and noted. */
  readonly #noted = new Set<string>()
  readonly #stopped = new AbortController()
  #parts: Parts | undefined
  #seekTimer: NodeJS.Timeout | undefined
  #saveTimer: NodeJS.Timeout | undefined
  #noteTimer: NodeJS.Timeout | undefined

  constructor(parts: FoundNodesParts) {
    this.#of = parts
  }

  start(parts: Parts): void {
    this.#parts = parts
    for (const event of ['peer:connect', 'peer:disconnect'] as const)
      parts.events.addEventListener(event, () => this.seek())
    // One that dialled us says where it listens a moment later.
    parts.events.addEventListener('peer:update', ({ detail: { peer } }) => {
      const id = peer.id.toString()
      if (!this.#noted.has(id) || this.#of.remembered.nodes.some((node) => node.id === id)) return
      void this.#prove(peer.id).then(() => this.#saveSoon())
    })
    this.#noteTimer = setInterval(() => this.#saveSoon(), NOTE_EVERY_MS)
    this.seek()
  }

  /** What is known is kept for the next start. */
  async stop(): Promise<void> {
    if (this.#parts !== undefined) await this.#note()
    this.#stopped.abort()
    clearTimeout(this.#seekTimer)
    clearTimeout(this.#saveTimer)
    clearInterval(this.#noteTimer)
    this.#of.remembered.save()
  }

  /** A server connected, or went. */
  serversChanged(): void {
    const connected = this.#of.servers.connected
    const ids = new Set(connected.map(String))
    for (const id of this.#noted) if (!ids.has(id)) this.#noted.delete(id)
    for (const peer of connected) {
      if (this.#noted.has(peer.toString())) continue
      this.#noted.add(peer.toString())
      void this.#prove(peer).then(() => this.#saveSoon())
    }
    this.seek()
  }

  /** True for a node that would be dialled again if it were not connected any more. */
  wants(id: string): boolean {
    return (
      this.#dialledServers.slice(0, SERVERS_WANTED).includes(id) ||
      this.#of.lan().some((node) => node.id === id)
    )
  }

  /** The connected servers that we dialled, the one that is connected longest first. */
  get #dialledServers(): readonly string[] {
    return this.#of.servers.connected
      .filter((peer) => this.#connectionsTo(peer).some(isOwnDial))
      .map((peer) => peer.toString())
  }

  /** A node has another address: it is tried at once. */
  moved(id: string): void {
    if (this.#attempts.get(id)?.dialling === undefined) this.#attempts.delete(id)
    this.seek()
  }

  /** Failures from before mean nothing any more, and what is being dialled may have left by a way that is gone. */
  networkChanged(): void {
    for (const { dialling } of this.#attempts.values()) dialling?.abort(new Error('the network changed'))
    this.#attempts.clear()
    this.seek()
  }

  /** Dials those that are due, and sees to it that this is called again when others are. */
  seek(): void {
    clearTimeout(this.#seekTimer)
    if (this.#parts === undefined || this.#stopped.signal.aborted) return
    const { remembered, lan } = this.#of
    const wanted = this.#dialledServers.length < SERVERS_WANTED
    const next = Math.min(this.#dialDue(wanted ? remembered.nodes : [], false), this.#dialDue(lan(), true))
    if (Number.isFinite(next))
      this.#seekTimer = setTimeout(() => this.seek(), Math.max(0, next - performance.now()))
  }

  /** Dials those of `nodes` that are due, at most {@link AT_ONCE} at a time; when the next one will be due. */
  #dialDue(nodes: readonly FoundNode[], onLan: boolean): number {
    const now = performance.now()
    let [running, next] = [0, Number.POSITIVE_INFINITY]
    for (const { id } of nodes) if (this.#attempts.get(id)?.dialling !== undefined) running += 1
    for (const node of nodes) {
      // The end of a dial looks for the next one.
      if (running >= AT_ONCE) return Number.POSITIVE_INFINITY
      if (this.#attempts.get(node.id)?.dialling !== undefined || !this.#isToBeDialled(node.id)) continue
      const due = this.#dueAt(node.id)
      if (due > now) next = Math.min(next, due)
      else {
        running += 1
        void this.#dial(node, onLan)
      }
    }
    return next
  }

  #isToBeDialled(id: string): boolean {
    if (this.#parts === undefined || id === this.#parts.peerId.toString()) return false
    const { known } = this.#of
    return !this.#isConnected(id) && (!known.has(id) || known.failsToReach(id))
  }

  #isConnected(id: string): boolean {
    return this.#connectionsTo(peerIdFromString(id)).length > 0
  }

  #connectionsTo(peer: PeerId): readonly Connection[] {
    return this.#parts?.connectionManager.getConnections(peer) ?? []
  }

  #dueAt(id: string): number {
    const attempts = this.#attempts.get(id)
    if (attempts === undefined) return 0
    const longest = this.#of.servers.connected.length === 0 ? LONGEST_PAUSE_MS.alone : LONGEST_PAUSE_MS.served
    const pause = backoffMs({ first: FIRST_PAUSE_MS, longest, growth: GROWTH }, attempts.failures - 1)
    return attempts.endedAt + pause * (1 + attempts.jitter)
  }

  async #dial({ id, addresses }: FoundNode, onLan: boolean): Promise<void> {
    const parts = this.#parts
    if (parts === undefined) return
    const dialling = new AbortController()
    const before = this.#attempts.get(id)?.failures ?? 0
    const attempts = { failures: before + 1, endedAt: 0, jitter: JITTER * Math.random(), dialling }
    this.#attempts.set(id, { ...attempts })
    const signal = AbortSignal.any([this.#stopped.signal, dialling.signal])
    let serves = false
    try {
      const dials = addresses.map((address) => (until: AbortSignal) => {
        return dialDirectly(parts, multiaddr(`${address}/p2p/${id}`), until)
      })
      const { connection } = await firstOf(dials, signal)
      serves = await this.#greet(connection, id, onLan)
    } catch (error) {
      this.#of.log.debug(
        { id, addresses, onLan, cause: asError(error).message },
        'a found node was not reached',
      )
      // It never served us: where others do, it is not worth a place.
      const { nodes } = this.#of.remembered
      const isProved = nodes.some((node) => node.id === id && node.proved)
      if (!isProved && this.#of.servers.connected.length > 0) this.#of.remembered.forget(id)
    }
    // The network has changed meanwhile: all begins anew.
    if (this.#attempts.get(id)?.dialling !== dialling) return
    // One that closes what it takes is not dialled without a pause.
    this.#attempts.set(id, {
      ...attempts,
      failures: serves || (onLan && this.#isConnected(id)) ? 1 : attempts.failures,
      endedAt: performance.now(),
      dialling: undefined,
    })
    this.#dropAttempts()
    this.seek()
  }

  /** True where it serves our network. One that does not is let go and forgotten, unless it is on the LAN. */
  async #greet(connection: Connection, id: string, onLan: boolean): Promise<boolean> {
    try {
      await this.#of.servers.greet(connection)
      return true
    } catch (error) {
      if (!isUnsupported(asError(error))) throw error
      if (onLan) return false
      this.#of.remembered.forget(id)
      await connection.close().catch(() => {})
      throw error
    }
  }

  /** Attempts at nodes that are known no more are not kept for ever. */
  #dropAttempts(): void {
    const ids = new Set([...this.#of.remembered.nodes, ...this.#of.lan()].map(({ id }) => id))
    for (const [id, { dialling }] of this.#attempts)
      if (dialling === undefined && !ids.has(id)) this.#attempts.delete(id)
  }

  /** Notes those connected, who have lived until now, and those that the DHT names. */
  async #note(): Promise<void> {
    for (const peer of this.#of.servers.connected.toReversed()) await this.#prove(peer)
    for (const peer of this.#of.routingTable())
      this.#of.remembered.hear(peer.toString(), await this.#addressesOf(peer))
  }

  async #prove(peer: PeerId): Promise<void> {
    const reached = this.#connectionsTo(peer)
      .filter(isOwnDial)
      .map(({ remoteAddr }) => withoutPeerId(remoteAddr))
    if (reached.length > 0) {
      this.#of.remembered.prove(peer.toString(), reached)
      return
    }
    // One that dialled us says by libp2p's identify where it listens. Where it came from there is no doubt about.
    const ips = new Set(this.#connectionsTo(peer).map(seenAt))
    const told = await this.#addressesOf(peer)
    const seen = told.filter((address) => ips.has(addressedIp(multiaddr(address))))
    if (seen.length > 0) this.#of.remembered.prove(peer.toString(), seen)
    else this.#of.remembered.hear(peer.toString(), told)
  }

  async #addressesOf(peer: PeerId): Promise<readonly string[]> {
    try {
      const { addresses } = (await this.#parts?.peerStore.get(peer)) ?? { addresses: [] }
      return addresses.map(({ multiaddr }) => withoutPeerId(multiaddr))
    } catch {
      return []
    }
  }

  #saveSoon(): void {
    if (this.#stopped.signal.aborted) return
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = undefined
      void this.#note().then(() => {
        this.#of.remembered.save()
        this.seek()
      })
    }, SAVE_AFTER_MS)
  }
}

function isOwnDial({ direction, limits }: Connection): boolean {
  return direction === 'outbound' && limits === undefined
}
