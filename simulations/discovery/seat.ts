/**
 * A member in the mesh: its links to the servers, its connections to other members, its reservations. A daemon that is
 * started again takes a new seat under the same identity.
 */

import { familyOf, isGlobal } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { type Random, randomBelow } from '../../src/base/random.js'
import { elapsed, type Instant, type Now, SECOND, type UnixTime } from '../../src/base/time.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Channel } from './channel.js'
import { Connection, type Owner } from './connection.js'
import type { FloorTable } from './gossipIntake.js'
import { Link } from './link.js'
import type { Member } from './member.js'
import { identityKey, peerIdText } from './peerId.js'
import { closeIfDead } from './probe.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'
import type { DiallingParty, Listener } from './tcpDial.js'

/** As in src/io/mesh/relays.ts. */
export const RESERVATIONS = 2

/** `WATCHED_PING_MS` in src/io/mesh/heartbeat.ts, of all connections alike: those of a member are nearly all with relays. */
const PING_MS = 3.5 * SECOND

/** An open connection with another member. */
export interface Contact {
  readonly seat: Seat
  readonly channel: Channel
}

export interface SeatOptions {
  readonly setting: Setting
  readonly random: Random
  /** What the mesh says of the member, or offers it, may have changed. */
  readonly onChange: (seat: Seat) => void
}

export class Seat implements DiallingParty, Listener, Owner {
  readonly member: Member
  readonly key: string
  readonly peerId: string
  readonly random: Random
  readonly hasRoom = true
  /** Knocks that wait for the engine's answer; see knockDesk.ts. */
  answering = 0
  moves = 0
  /** Highest sequence numbers that were gossiped. */
  readonly floors: FloorTable
  readonly #setting: Setting
  readonly #onChange: (seat: Seat) => void
  readonly #links = new Map<Server, Link>()
  /** The servers that serve it, in the order in which they said so, and where each was dialled. */
  readonly #serving = new Map<Server, string>()
  readonly #waiting = new Set<() => void>()
  /** By the identity of the member at the other end. */
  readonly #contacts = new Map<string, Contact[]>()
  readonly #startedAt: Instant
  #state: 'here' | 'stopped' | 'gone' = 'here'

  constructor(member: Member, { setting, random, onChange }: SeatOptions) {
    this.member = member
    this.key = identityKey(member.identity)
    this.peerId = peerIdText(member.identity)
    this.random = random
    this.floors = member.gossipFloors ?? new Map()
    this.#setting = setting
    this.#onChange = onChange
    this.#startedAt = this.#instant
  }

  get name(): string {
    return this.member.name
  }

  get publicKey(): PublicKey | undefined {
    return this.member.publicKey
  }

  get ips(): readonly string[] {
    return this.member.ips ?? []
  }

  /** What its wall clock shows. */
  get unix(): UnixTime {
    return this.now.unix
  }

  get now(): Now {
    return this.member.clock?.now ?? this.#setting.queue.now
  }

  /** True while its process is there. */
  get isHere(): boolean {
    return this.#state === 'here'
  }

  get isUnplugged(): boolean {
    return this.member.ips?.length === 0
  }

  get isPowered(): boolean {
    return this.#state !== 'gone' && this.member.clock?.asleep !== true
  }

  get isAnswering(): boolean {
    return this.isHere && this.isPowered
  }

  get isListening(): boolean {
    return this.isAnswering
  }

  get links(): IterableIterator<Link> {
    return this.#links.values()
  }

  /** The servers that serve it, in the order in which they said so, and where it dialled them. */
  get serving(): ReadonlyMap<Server, string> {
    return this.#serving
  }

  /** True where it is this seat that `dialler` finds at an address. */
  isAt(ip: string, dialler: Seat): boolean {
    if (!this.ips.includes(ip)) return false
    return isGlobal(ip) || this.member.isNeighbour?.(dialler.member) === true
  }

  wayTo(ip: string): number | undefined {
    return this.isPowered ? this.member.streamDelay(ip) : undefined
  }

  link(server: Server): Link {
    let link = this.#links.get(server)
    if (link === undefined) {
      link = new Link(this, server, this.#setting)
      this.#links.set(server, link)
    }
    return link
  }

  /** Tells the engine. To be called from an event only. */
  tell(input: Input): void {
    if (this.isHere) this.member.handle(input)
  }

  in(ms: number, action: () => void): void {
    const clock = this.member.clock ?? this.#setting.queue
    clock.in(ms, () => {
      if (this.isHere) action()
    })
  }

  atNextPing(action: () => void): void {
    const since = elapsed(this.#startedAt, this.#instant)
    this.in(PING_MS - (since % PING_MS), action)
  }

  read(action: () => void): void {
    if (this.isHere) action()
  }

  /** Calls back once a server serves it: now, or later. Returns how to call that off. */
  onceServed(action: () => void): () => void {
    if (this.#serving.size > 0) {
      action()
      return () => undefined
    }
    this.#waiting.add(action)
    return () => this.#waiting.delete(action)
  }

  /** The best connection to another member: direct rather than relayed, the latest of its kind. */
  contactWith(key: string): Contact | undefined {
    const open = this.#contacts.get(key)
    return open?.findLast(({ channel }) => channel.isDirect) ?? open?.at(-1)
  }

  /** A connection with another member is open here. */
  addContact(contact: Contact): void {
    const { key } = contact.seat
    this.#contacts.set(key, [...(this.#contacts.get(key) ?? []), contact])
    contact.channel.onClosedAt(this, () => {
      const left = this.#contacts.get(key)?.filter((one) => one !== contact) ?? []
      if (left.length > 0) this.#contacts.set(key, left)
      else this.#contacts.delete(key)
    })
  }

  closed(connection: Connection): void {
    for (const link of this.#links.values()) if (link.connection === connection) link.closed(connection)
  }

  linkChanged(link: Link): void {
    const { server } = link
    if (!link.isServing) this.#serving.delete(server)
    else if (!this.#serving.has(server)) this.#serving.set(server, link.connection?.ip ?? '')
    this.#reserve()
    if (this.#serving.size > 0 && this.#waiting.size > 0) {
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const action of waiting) action()
    }
    this.#onChange(this)
  }

  /** Something that carries streams changed. */
  suspectAll(): void {
    for (const connection of this.#connections()) connection.suspect()
  }

  /** The addresses changed: connections from those that are gone are dead, and nobody is told. */
  moved(): void {
    this.moves += 1
    for (const connection of this.#connections()) {
      const ip = connection.ipOf(this)
      if (ip === undefined || !this.ips.includes(ip)) connection.breakOff('source-gone')
    }
  }

  /** The daemon has seen that the addresses changed. */
  networkChanged(): void {
    for (const connection of this.#connections()) {
      const ip = connection.ipOf(this)
      if (ip === undefined || !this.ips.includes(ip)) connection.close(this)
      else if (connection.isDialledBy(this)) closeIfDead(connection, this)
    }
    for (const link of this.#links.values()) link.beginAnew()
  }

  /** Gateways on the way forgot its connections over IPv4. */
  forgottenByGateways(): void {
    for (const connection of this.#connections()) {
      const ip = connection.ipOf(this)
      const isTranslated = ip === undefined || !isGlobal(ip)
      if (isTranslated && familyOf(connection.ip) === 4 && isGlobal(connection.ip))
        connection.breakOff('mapping-gone')
    }
  }

  /** The process is gone. `silent`: with its machine, so that nobody is told. */
  leave(how: 'clean' | 'silent'): void {
    if (!this.isHere) return
    const connections = this.#connections()
    this.#state = how === 'clean' ? 'stopped' : 'gone'
    this.#waiting.clear()
    for (const connection of connections) {
      if (how === 'clean') connection.close(this)
      else connection.vanish(this)
    }
  }

  /** Reserves at servers that are connected, any of them, until there are enough. */
  #reserve(): void {
    const links = [...this.#links.values()]
    let wanted = RESERVATIONS - links.filter(({ isReserving }) => isReserving).length
    const free = links.filter(({ mayReserve }) => mayReserve)
    for (; wanted > 0 && free.length > 0; wanted--) {
      const at = free.length === 1 ? 0 : randomBelow(this.random, free.length)
      free.splice(at, 1)[0]?.reserve()
    }
  }

  /** The connections to servers, and direct ones with members. */
  #connections(): readonly Connection[] {
    const connections: Connection[] = []
    for (const { connection } of this.#links.values())
      if (connection !== undefined) connections.push(connection)
    for (const contacts of this.#contacts.values())
      for (const { channel } of contacts) if (channel instanceof Connection) connections.push(channel)
    return connections
  }

  get #instant(): Instant {
    return this.now.instant
  }
}
