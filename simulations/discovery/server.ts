/**
 * A server of the mesh: `tunnelbore bootstrap` on public addresses. It stores records, relays streams to those who hold
 * a reservation, and names its own addresses as reflectors; the reflecting itself is no part of this model.
 *
 *   up       ──hang──►   hung      its kernel takes everything, and nothing is read until it goes on
 *            ──crash──►  stopped   connections are reset at once, dials are refused, all that was stored is lost
 *            ──cut───►   off       the machine has no power: nothing is told to anybody
 *      ◄──restore──      all three
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import { type Instant, SECOND } from '../../src/base/time.js'
import { periodOf } from '../../src/wire/period.js'
import { encodeServices, type RelayService } from '../../src/wire/services.js'
import type { Party } from './channel.js'
import type { Connection, Owner } from './connection.js'
import type { StrangersRecord } from './forgery.js'
import { identityKey, multihashOf, peerIdText } from './peerId.js'
import { closeIfDead } from './probe.js'
import type { RecordNames } from './recordNames.js'
import { InboundStreams } from './relayStreams.js'
import type { Setting } from './setting.js'
import { MAX_STORED_RECORDS, Storer, type StorerBehaviour } from './storer.js'

/** TCP for libp2p, UDP for reflecting: the default listen port. */
export const SERVER_PORT = 51_821

/** As in src/io/mesh/node.ts, relayServer.ts and heartbeat.ts. */
export const MAX_CONNECTIONS = 4096
export const MAX_RESERVATIONS = 4096
const PING_MS = 30 * SECOND

export interface ServerOptions {
  readonly name: string
  /** Where it is; the first address of a family is dialled. */
  readonly ips: readonly string[]
  /** Its way to another server, which gossip needs; by default there is none. */
  readonly streamDelay?: (to: string) => number | undefined
  /** What it offers as a member relay, now; absent where it is none. */
  readonly relayOffer?: () => RelayService | undefined
  readonly maxRecords?: number
  readonly maxConnections?: number
  readonly maxReservations?: number
}

export interface ServerSetting extends Setting {
  readonly strangersRecord: StrangersRecord
  readonly names: RecordNames
}

export class Server implements Party, Owner {
  readonly name: string
  /** A raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly key: string
  readonly ips: readonly string[]
  readonly peerId: string
  /** The bytes of the peer id, by which kad-dht places it. */
  readonly multihash: Uint8Array
  readonly storer: Storer
  /** Those that stand in for UDP. */
  readonly streams = new InboundStreams()
  readonly #setting: ServerSetting
  readonly #options: ServerOptions
  /** By the identity of the member at the other end, the oldest first. */
  readonly #connections = new Map<string, Connection[]>()
  readonly #reservations = new Set<string>()
  readonly #backlog: (() => void)[] = []
  #connectionCount = 0
  #state: 'up' | 'hung' | 'stopped' | 'off' = 'up'
  /** Counts its processes. */
  #run = 0
  #startedAt: Instant

  constructor(options: ServerOptions, setting: ServerSetting, random: Random) {
    this.name = options.name
    this.ips = options.ips
    this.#options = options
    this.#setting = setting
    this.#startedAt = setting.queue.now.instant
    this.identity = random.bytes(32)
    this.key = identityKey(this.identity)
    this.peerId = peerIdText(this.identity)
    this.multihash = multihashOf(this.identity)
    const { strangersRecord } = setting
    const maxRecords = options.maxRecords ?? MAX_STORED_RECORDS
    this.storer = new Storer({ setting, random, maxRecords, strangersRecord })
  }

  /** What it says when it is asked for its services. */
  get services(): Uint8Array {
    const reflectors = this.ips.map((ip) => ({ ip, port: SERVER_PORT }))
    const relay = this.#options.relayOffer?.()
    return encodeServices({ version: 1, reflectors, ...(relay === undefined ? {} : { relay }) })
  }

  /** Another one for each of its processes. */
  get run(): number {
    return this.#run
  }

  get state(): 'up' | 'hung' | 'stopped' | 'off' {
    return this.#state
  }

  get isPowered(): boolean {
    return this.#state !== 'off'
  }

  get isAnswering(): boolean {
    return this.#state === 'up'
  }

  /** True where its kernel completes connections that are dialled to it. */
  get isListening(): boolean {
    return this.#state === 'up' || this.#state === 'hung'
  }

  /** How many connections it believes to have. */
  get connectionCount(): number {
    return this.#connectionCount
  }

  get reservationCount(): number {
    return this.#reservations.size
  }

  /** The process is stopped, as by a debugger or a machine that thrashes. */
  hang(): void {
    if (this.#state !== 'up') return
    this.#state = 'hung'
    for (const connection of this.#all()) connection.suspect()
  }

  /** The process ends: cleanly, or killed, which is the same from outside. */
  crash(): void {
    this.#end('stopped', (connection) => connection.close(this))
  }

  /** The machine loses its power. */
  cut(): void {
    this.#end('off', (connection) => connection.vanish(this))
  }

  /** One that hung goes on; any other begins anew, with nothing stored. */
  restore(): void {
    if (this.#state === 'up') return
    const wasHung = this.#state === 'hung'
    this.#state = 'up'
    if (!wasHung) this.#startedAt = this.#setting.queue.now.instant
    for (const action of this.#backlog.splice(0)) this.read(action)
  }

  /** How it treats records from now on; undefined for well. */
  behave(behaviour: StorerBehaviour | undefined): void {
    this.storer.behave(behaviour)
  }

  /** An author's record of the present day, as an honest storer would give it. */
  record(author: PublicKey): Uint8Array | undefined {
    const { names, queue } = this.#setting
    const name = names.of(author, periodOf(queue.now.unix))
    return name === undefined ? undefined : this.storer.kept(name)
  }

  wayTo(ip: string): number | undefined {
    return this.#options.streamDelay?.(ip)
  }

  read(action: () => void): void {
    if (this.#state === 'up') action()
    else if (this.#state === 'hung') this.#backlog.push(action)
  }

  in(ms: number, action: () => void): void {
    const run = this.#run
    this.#setting.queue.in(ms, () => {
      if (run === this.#run) this.read(action)
    })
  }

  atNextPing(action: () => void): void {
    const since = this.#setting.queue.now.instant - this.#startedAt
    this.in(PING_MS - (since % PING_MS), action)
  }

  /** True where there is room for another connection. */
  get hasRoom(): boolean {
    return this.#connectionCount < (this.#options.maxConnections ?? MAX_CONNECTIONS)
  }

  /** A connection was opened to it. */
  accept(connection: Connection): void {
    const { key } = connection.other(this)
    const former = this.#connections.get(key) ?? []
    this.#connections.set(key, [...former, connection])
    this.#connectionCount += 1
    if (this.#setting.practice.closesFormerConnections) for (const old of former) closeIfDead(old, this)
  }

  closed(connection: Connection): void {
    const { key } = connection.other(this)
    const left = (this.#connections.get(key) ?? []).filter((other) => other !== connection)
    this.#connectionCount -= 1
    if (left.length > 0) {
      this.#connections.set(key, left)
      return
    }
    this.#connections.delete(key)
    // libp2p keeps it for 15 min, but without a connection it is of no use.
    this.#reservations.delete(key)
  }

  /** Whether a reservation is granted. */
  reserve({ key }: Party): boolean {
    const most = this.#options.maxReservations ?? MAX_RESERVATIONS
    if (!this.#reservations.has(key) && this.#reservations.size >= most) return false
    this.#reservations.add(key)
    return true
  }

  /** The latest connection of a member, dead or alive. */
  connectionOf({ key }: Pick<Party, 'key'>): Connection | undefined {
    return this.#connections.get(key)?.at(-1)
  }

  /** The connection over which streams are relayed to a member, dead or alive. Undefined without a reservation. */
  relaysOver({ key }: Pick<Party, 'key'>): Connection | undefined {
    if (!this.#reservations.has(key)) return undefined
    return this.#connections.get(key)?.at(this.#setting.practice.closesFormerConnections ? -1 : 0)
  }

  #end(state: 'stopped' | 'off', leave: (connection: Connection) => void): void {
    if (this.#state === state) return
    const connections = this.#all()
    this.#state = state
    this.#run += 1
    this.#backlog.length = 0
    this.storer.clear()
    for (const connection of connections) leave(connection)
    this.#reservations.clear()
  }

  #all(): readonly Connection[] {
    return [...this.#connections.values()].flat()
  }
}
