/**
 * The mesh as engines see it: the servers, who is in it, and what is asked of it. The model is of src/io/mesh and
 * src/daemon with their times, deadlines and failures; what libp2p does below is reduced to round trips.
 *
 *   member.ts, seat.ts        who is in the mesh              storer.ts, forgery.ts     records at a server, good or bad
 *   server.ts                 servers, up and down            lookUp.ts, publish.ts     with dht.ts and walk.ts
 *   link.ts, tcpDial.ts       from a member to a server       knock.ts, ways.ts         with relayed.ts, knockDesk.ts
 *   connection.ts, channel.ts what messages pass over         gossip.ts                 with gossipIntake.ts
 *   monitor.ts, probe.ts       how dead connections are found  surroundings.ts           `mesh-changed`
 *   datagramStream.ts          datagrams in place of UDP       relayStreams.ts           to member relays
 *
 * Every member knows every server. Engines are told everything from events of their own, and nothing after they left.
 */

import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { forked, type Random } from '../../src/base/random.js'
import type { VerifySealed } from '../../src/engine/directory/admission.js'
import type { Effect } from '../../src/engine/effects.js'
import { type Cryptography, realCryptography } from '../crypto/cryptography.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { StreamEnd, StreamHandlers } from './datagramStream.js'
import { strangersRecords } from './forgery.js'
import { Gossip, type GossipOptions, inputOf, USUAL_GOSSIP } from './gossip.js'
import type { GossipTopic } from './gossipIntake.js'
import { Knock, type KnockEffect } from './knock.js'
import { KnockDesk } from './knockDesk.js'
import { lookUp } from './lookUp.js'
import type { Member } from './member.js'
import { identityKey } from './peerId.js'
import { publish } from './publish.js'
import { RecordNames, recordName } from './recordNames.js'
import { openRelayStream } from './relayStreams.js'
import { Seat } from './seat.js'
import { Server, type ServerOptions, type ServerSetting } from './server.js'
import type { Counts, Practice } from './setting.js'
import { Surroundings } from './surroundings.js'

type PublishEffect = Extract<Effect, { readonly type: 'publish' }>

/** `BURST_MS` of src/daemon/readSchedule.ts: so long after a move the daemon tells of its new addresses. */
const NETWORK_BURST_MS = 50

export interface MeshOptions {
  readonly queue: EventQueue
  /** All that it draws comes from here, and from forks of it. */
  readonly random: Random
  /** By default the real one. */
  readonly cryptography?: Pick<Cryptography, 'nodeKeys' | 'recordSealing' | 'verifySealedRecord'>
  readonly practice?: Partial<Practice>
  /** By default as it usually is; `off` where nobody gossips. */
  readonly gossip?: GossipOptions | 'off'
  /** True where engines are also given the records that their mesh part would refuse. */
  readonly unjudged?: boolean
}

export class Mesh {
  /** How often anybody asked anything, and what it cost. */
  readonly counts: Counts = { lookUps: 0, knocks: 0, publications: 0, dials: 0, streams: 0, bytes: 0 }
  readonly #setting: ServerSetting
  readonly #options: MeshOptions
  readonly #servers: Server[] = []
  readonly #serverAt = new Map<string, Server>()
  /** The newest run of each, by its identity. */
  readonly #seats = new Map<string, Seat>()
  readonly #desk = new KnockDesk()
  readonly #surroundings: Surroundings
  readonly #gossip: Gossip | undefined

  constructor(options: MeshOptions) {
    const { queue, practice, cryptography = realCryptography, gossip = USUAL_GOSSIP } = options
    this.#options = options
    this.#surroundings = new Surroundings(queue, gossip !== 'off')
    this.#setting = {
      queue,
      counts: this.counts,
      practice: { followsMoves: true, closesFormerConnections: true, ...practice },
      verify: remembering(cryptography.verifySealedRecord),
      strangersRecord: strangersRecords(queue, cryptography),
      names: new RecordNames(),
    }
    this.#gossip =
      gossip === 'off'
        ? undefined
        : new Gossip(this.#setting, gossip, this.#servers, () => this.#seats.values())
  }

  get servers(): readonly Server[] {
    return this.#servers
  }

  /** A server that all members know, from now on. Its addresses are public. */
  addServer(options: ServerOptions): Server {
    const server = new Server(options, this.#setting, forked(this.#options.random))
    this.#servers.push(server)
    for (const ip of server.ips) this.#serverAt.set(ip, server)
    for (const seat of this.#seats.values()) if (seat.isHere) seat.link(server).begin()
    return server
  }

  /** A daemon starts: it dials all servers. */
  join(member: Member): void {
    const key = identityKey(member.identity)
    if (this.#seats.get(key)?.isHere === true) throw new Error(`${member.name} is in the mesh already`)
    const seat = new Seat(member, {
      setting: this.#setting,
      random: forked(this.#options.random),
      onChange: (changed) => {
        this.#surroundings.changed(changed)
        this.#gossip?.changed(changed)
      },
    })
    this.#seats.set(key, seat)
    this.#surroundings.changed(seat)
    for (const server of this.#servers) seat.link(server).begin()
  }

  /**
   * A daemon ends, and is told nothing more. `clean`: the kernel closes its connections, also where it was killed;
   * `silent`: its machine is without power, and nobody is told.
   */
  leave(member: Member, how: 'clean' | 'silent'): void {
    const seat = this.#seatOf(member)
    if (seat === undefined) return
    this.#desk.leave(seat)
    seat.leave(how)
  }

  /** The host of a member has other addresses now. Streams from those that are gone are dead. */
  moved(member: Member): void {
    const seat = this.#seatOf(member)
    if (seat === undefined) return
    seat.moved()
    seat.in(NETWORK_BURST_MS, () => {
      if (this.#setting.practice.followsMoves) seat.networkChanged()
      // After the engine has heard of its sockets.
      this.#setting.queue.in(0, () => this.#surroundings.changed(seat))
    })
  }

  /** Gateways on the way of a member forgot its connections. */
  forgottenByGateways(member: Member): void {
    this.#seatOf(member)?.forgottenByGateways()
  }

  /** Ways of a member, or of all, opened or closed, or its host fell asleep: what hangs by it is looked at. */
  waysChanged(member?: Member): void {
    const seats = member === undefined ? this.#seats.values() : [this.#seatOf(member)]
    for (const seat of seats) if (seat?.isHere === true) seat.suspectAll()
  }

  /** The newest record of an author for the present day that a server which is up has, as an honest one would give it. */
  record(author: PublicKey): Uint8Array | undefined {
    let newest: { readonly bytes: Uint8Array; readonly sequence: number } | undefined
    for (const server of this.#servers) {
      const bytes = server.isAnswering ? server.record(author) : undefined
      const record = bytes && this.#setting.verify(bytes)
      if (bytes === undefined || record === undefined || isDropped(record)) continue
      if (newest === undefined || record.sequence > newest.sequence)
        newest = { bytes, sequence: record.sequence }
    }
    return newest?.bytes
  }

  publish(member: Member, effect: PublishEffect): void {
    this.counts.publications += 1
    this.#soon(member, (seat) => {
      const { period, sealedRecord: bytes } = effect
      const { publicKey } = member
      if (publicKey === undefined) throw new Error(`${member.name} has no key to publish under`)
      const key = recordName(effect.key)
      this.#setting.names.published(publicKey, period, key)
      publish({ setting: this.#setting, seat, period, key, bytes, servers: this.#servers })
      if (effect.gossip) this.#gossip?.send(seat, 'records', bytes)
    })
  }

  openStream(
    member: Member,
    relay: Uint8Array,
    handlers: StreamHandlers,
    done: (end: StreamEnd | string) => void,
  ): void {
    this.#soon(member, (seat) => {
      const server = this.#servers.find(({ key }) => key === identityKey(relay))
      if (server === undefined) done('nobody is known by its identity')
      else openRelayStream(seat, server, this.#setting, handlers, done)
    })
  }

  gossipKnock(member: Member, sealedKnock: Uint8Array): void {
    this.gossip(member, 'knocks', sealedKnock)
  }

  /** Gossips whatever it is: a member without a key of WireGuard's is bound to nothing. */
  gossip(member: Member, topic: GossipTopic, bytes: Uint8Array): void {
    this.#soon(member, (seat) => this.#gossip?.send(seat, topic, bytes))
  }

  /** Tells a member's engine directly, where engines are given what their mesh part would refuse. */
  gossipUnjudged(to: PublicKey, topic: GossipTopic, bytes: Uint8Array): void {
    if (this.#options.unjudged !== true) return
    for (const seat of this.#seats.values())
      if (seat.publicKey === to && seat.isHere)
        this.#soon(seat.member, () => seat.tell(inputOf({ topic, bytes })))
  }

  lookUp(member: Member, peer: PublicKey, blindedKeys: readonly Uint8Array[]): void {
    this.counts.lookUps += 1
    this.#soon(member, (seat) => {
      const { unjudged = false } = this.#options
      const keys = blindedKeys.map(recordName)
      lookUp({ setting: this.#setting, seat, peer, keys, servers: this.#servers, unjudged })
    })
  }

  knock(member: Member, effect: KnockEffect): void {
    this.counts.knocks += 1
    this.#soon(member, (seat) =>
      new Knock(seat, effect, {
        setting: this.#setting,
        desk: this.#desk,
        serverAt: (ip) => this.#serverAt.get(ip),
        seatOf: (key) => this.#seats.get(key),
      }).begin(),
    )
  }

  answerKnock(id: number, answer: Uint8Array | undefined): void {
    this.#desk.answer(id, answer)
  }

  /** Members ask from within their engines: what follows has an event of its own. */
  #soon(member: Member, action: (seat: Seat) => void): void {
    const seat = this.#seatOf(member)
    if (seat === undefined) return
    this.#setting.queue.soon(() => {
      if (seat.isHere) action(seat)
    })
  }

  #seatOf(member: Member): Seat | undefined {
    const seat = this.#seats.get(identityKey(member.identity))
    return seat?.member === member && seat.isHere ? seat : undefined
  }
}

/** Verifies the same bytes once: several servers and readers judge one record. */
function remembering(verify: VerifySealed): VerifySealed {
  const known = new WeakMap<Uint8Array, ReturnType<VerifySealed>>()
  return (sealedRecord) => {
    let verified = known.get(sealedRecord)
    if (verified === undefined) {
      verified = verify(sealedRecord)
      known.set(sealedRecord, verified)
    }
    return verified
  }
}
