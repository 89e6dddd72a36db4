/**
 * Gossip: a published record, or a sealed knock, reaches all that are connected, unasked:
 *
 *     author ──► its servers ──► other servers, members ──► other servers …        each hop takes its way, and `hopMs`
 *
 * Each node judges what comes (gossipIntake.ts) before it uses it and passes it on. A record that nobody hears is held until
 * somebody does; a knock is not. Who connects is told what was passed on in the last seconds. What is sent over a
 * connection that is dead already is lost.
 *
 * For the sake of speed two things are left out that change nothing: nobody sends to who has it already, and what is known
 * to come from an author who is no peer of a member is judged and passed on by it, but its engine is not told.
 */

import { isDropped } from '../../src/base/drops.js'
import { SECOND } from '../../src/base/time.js'
import { admitSealedRecord } from '../../src/engine/directory/admission.js'
import type { Input } from '../../src/engine/inputs.js'
import { HeldRecords } from '../../src/io/mesh/latecomers.js'
import { GossipIntake, type GossipTopic, type Message, messageOf } from './gossipIntake.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'

export interface GossipOptions {
  /** What each hop takes to validate and pass on, in ms. */
  readonly hopMs: number
}

export const USUAL_GOSSIP: GossipOptions = { hopMs: 3 }

/** Who comes is told with the next heartbeat what it missed: `HEARTBEAT_MS` of src/io/mesh/gossipRouter.ts. */
export const HEARTBEAT_MS = SECOND

interface Member {
  readonly seat: Seat
  readonly intake: GossipIntake
  readonly held: HeldRecords
  /** Those that served it when that was last looked at. */
  serving: ReadonlySet<Server>
}

/** In one run of its process. */
interface Relay {
  readonly server: Server
  readonly run: number
  readonly intake: GossipIntake
}

export class Gossip {
  readonly #setting: Setting
  readonly #options: GossipOptions
  readonly #servers: readonly Server[]
  readonly #seats: () => Iterable<Seat>
  readonly #members = new WeakMap<Seat, Member>()
  readonly #relays = new WeakMap<Server, Relay>()

  constructor(
    setting: Setting,
    options: GossipOptions,
    servers: readonly Server[],
    seats: () => Iterable<Seat>,
  ) {
    this.#setting = setting
    this.#options = options
    this.#servers = servers
    this.#seats = seats
  }

  /** What a member has to say. A record of its own that nobody hears is held; what is not valid is not sent. */
  send(seat: Seat, topic: GossipTopic, bytes: Uint8Array): void {
    const message = messageOf(topic, bytes, seat.publicKey)
    if (topic === 'knocks' || seat.publicKey === undefined) {
      if (isHeard(seat)) this.#begin(seat, message)
      return
    }
    const record = admitSealedRecord(bytes, seat.unix, this.#setting.verify)
    if (isDropped(record)) return
    seat.floors.set(record.author, record.sequence)
    if (isHeard(seat)) this.#begin(seat, message)
    else this.#member(seat).held.hold({ bytes, ...record })
  }

  /** The servers that serve a member may be others now. */
  changed(seat: Seat): void {
    if (!seat.isHere) return
    const member = this.#member(seat)
    const came = [...seat.serving.keys()].filter((server) => !member.serving.has(server))
    member.serving = new Set(seat.serving.keys())
    if (came.length === 0) return
    for (const { bytes } of member.held.release()) this.send(seat, 'records', bytes)
    seat.in(HEARTBEAT_MS, () => {
      for (const server of came) this.#tellRecent(seat, server)
    })
  }

  #begin(seat: Seat, message: Message): void {
    this.#member(seat).intake.own(message)
    this.#fromMember(seat, message)
  }

  /** Each tells the other what it missed. */
  #tellRecent(seat: Seat, server: Server): void {
    for (const message of this.#relay(server).intake.recent) this.#toMember(server, seat, message)
    for (const message of this.#member(seat).intake.recent) this.#toServer(seat, server, message)
  }

  #fromMember(seat: Seat, message: Message): void {
    for (const server of this.#servers) this.#toServer(seat, server, message)
  }

  #fromServer(server: Server, message: Message): void {
    for (const other of this.#servers) this.#betweenServers(server, other, message)
    for (const seat of this.#seats()) this.#toMember(server, seat, message)
  }

  #toServer(seat: Seat, server: Server, message: Message): void {
    const { connection } = seat.link(server)
    if (connection === undefined || this.#relay(server).intake.hasSeen(message)) return
    connection.send(seat, message.bytes.length, () => this.#atServer(server, seat.key, message))
  }

  #betweenServers(server: Server, other: Server, message: Message): void {
    if (other === server || !other.isAnswering || this.#relay(other).intake.hasSeen(message)) return
    const delay = server.wayTo(other.ips[0] ?? '')
    if (delay !== undefined) this.#setting.queue.in(delay, () => this.#atServer(other, server.key, message))
  }

  #toMember(server: Server, seat: Seat, message: Message): void {
    const connection = seat.isHere ? seat.link(server).connection : undefined
    if (connection === undefined || this.#member(seat).intake.hasSeen(message)) return
    connection.send(server, message.bytes.length, () => this.#atMember(seat, server.key, message))
  }

  #atServer(server: Server, neighbour: string, message: Message): void {
    server.in(this.#options.hopMs, () => {
      if (this.#relay(server).intake.accepts(neighbour, message)) this.#fromServer(server, message)
    })
  }

  #atMember(seat: Seat, neighbour: string, message: Message): void {
    seat.in(this.#options.hopMs, () => {
      if (!this.#member(seat).intake.accepts(neighbour, message)) return
      const { author } = message
      if (author === undefined || seat.member.isPeer?.(author) === true) seat.tell(inputOf(message))
      this.#fromMember(seat, message)
    })
  }

  #member(seat: Seat): Member {
    let member = this.#members.get(seat)
    if (member === undefined) {
      const intake = new GossipIntake({
        setting: this.#setting,
        floors: seat.floors,
        clock: () => seat.now,
        onDrop: (reason) => seat.member.drop?.(reason),
      })
      member = { seat, intake, held: new HeldRecords(), serving: new Set() }
      this.#members.set(seat, member)
    }
    return member
  }

  /** One that begins anew has forgotten all, as if it had lost its disk. */
  #relay(server: Server): Relay {
    let relay = this.#relays.get(server)
    if (relay?.run !== server.run) {
      const intake = new GossipIntake({
        setting: this.#setting,
        floors: new Map(),
        clock: () => this.#setting.queue.now,
        onDrop: () => undefined,
      })
      relay = { server, run: server.run, intake }
      this.#relays.set(server, relay)
    }
    return relay
  }
}

/** True where somebody hears what a member gossips. */
export function isHeard(seat: Seat): boolean {
  return seat.serving.size > 0
}

/** What an engine is told of a message. */
export function inputOf({ topic, bytes }: Pick<Message, 'topic' | 'bytes'>): Input {
  return topic === 'records'
    ? { type: 'record-gossiped', sealedRecord: bytes }
    : { type: 'knock-gossiped', sealedKnock: bytes }
}
