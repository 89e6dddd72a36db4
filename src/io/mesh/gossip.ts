/**
 * Gossip: what one node publishes reaches all that are there, unasked, within some hundred milliseconds.
 *
 *     /tunnelbore/<network>/records/1    sealed records that say something new
 *     /tunnelbore/<network>/knocks/1     sealed knocks, for a peer to which no stream can be had
 *
 * gossipsub carries it, under `/tunnelbore/<network>/gossip/1`. Every node subscribes to both topics and passes on what it
 * accepts. The way of a message from a neighbour:
 *
 *     stream ─► metered ─► decoded ─► GossipIntake ─► gossipsub ─► verdict ─► neighbours, and onRecord or onKnock
 *               bytes      bounded    lengths, rates   seen before?   signature, floor, author's rate
 *
 * A record published while nobody hears is kept until somebody does. A knock is not: it would be stale. And who comes is
 * told what was passed on in the last seconds: gossipsub tells it to those only whom it sends nothing to.
 *
 * Where more authors are heard in a day than the limit, the node leaves both topics until the next day ({@link FleetSize}).
 */

import type { GossipSub, GossipSubComponents, TopicValidatorFn } from '@libp2p/gossipsub'
import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { type DropReason, isDropped } from '../../base/drops.js'
import type { Now } from '../../base/time.js'
import { now } from '../systemClock.js'
import { Conduct } from './conduct.js'
import { isDirect } from './connections.js'
import { FleetSize } from './fleetSize.js'
import { GossipIntake, messageId, type TopicIntake } from './gossipIntake.js'
import { type GossipRouter, gossipRouter, KEPT_MS } from './gossipRouter.js'
import {
  type GossipFloors,
  judgeKnock,
  RecordVerdicts,
  type SealedRecordJudge,
  type Verdict,
} from './gossipVerdicts.js'
import { HeldRecords, type OwnRecord, RecentIds } from './latecomers.js'
import type { Parts } from './parts.js'

export type GossipTopic = 'records' | 'knocks'

export interface GossipOptions {
  readonly judge: SealedRecordJudge
  /** The length of every sealed record, in bytes. */
  readonly recordLength: number
  /** The length of every sealed knock, in bytes. Another one than that of records. */
  readonly knockLength: number
  /** A record of another node, judged, and newer than what was gossiped of its author before. */
  readonly onRecord: (bytes: Uint8Array) => void
  /** A knock of another node, to anybody. */
  readonly onKnock: (bytes: Uint8Array) => void
  /** How many authors may be heard in a day before the node leaves; 0 turns gossip off. */
  readonly limit: number
  /** Other floors than those that the mesh keeps; see `floors.ts`. */
  readonly floors?: GossipFloors
  /** The clocks of this machine, by default. */
  readonly clock?: () => Now
}

export interface GossipLog {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** What is taken of each neighbour and in all, a second and at once. */
export const INTAKE = {
  records: { each: { perSecond: 5, burst: 150 }, all: { perSecond: 10, burst: 300 } },
  knocks: { each: { perSecond: 5, burst: 30 }, all: { perSecond: 20, burst: 60 } },
} as const

export class Gossip {
  readonly #names: Readonly<Record<GossipTopic, string>>
  readonly #protocol: string
  readonly #options: GossipOptions
  readonly #clock: () => Now
  readonly #onDrop: (reason: DropReason) => void
  readonly #onChange: () => void
  readonly #log: GossipLog
  readonly #conduct = new Conduct()
  readonly #fleet: FleetSize
  readonly #floors: GossipFloors
  readonly #verdicts: RecordVerdicts
  readonly #intake: GossipIntake
  readonly #speakers = new Map<string, PeerId>()
  readonly #held = new HeldRecords()
  readonly #recent = new RecentIds()
  /** Those to whom our stream was open at the last heartbeat. */
  #open: ReadonlySet<string> = new Set()
  #router: GossipRouter | undefined
  #parts: Parts | undefined
  #isMember = false
  #wasHeard = false

  constructor(
    network: string,
    options: GossipOptions,
    floors: GossipFloors,
    onDrop: (reason: DropReason) => void,
    onChange: () => void,
    log: GossipLog,
  ) {
    const prefix = `/tunnelbore/${network}`
    this.#names = { records: `${prefix}/records/1`, knocks: `${prefix}/knocks/1` }
    this.#protocol = `${prefix}/gossip/1`
    this.#options = options
    this.#clock = options.clock ?? now
    this.#onDrop = onDrop
    this.#onChange = onChange
    this.#log = log
    this.#fleet = new FleetSize(options.limit)
    this.#floors = options.floors ?? floors
    this.#verdicts = new RecordVerdicts(options.judge, this.#floors, this.#clock())
    this.#intake = new GossipIntake(
      new Map<string, TopicIntake>([
        [this.#names.records, { ...INTAKE.records, length: options.recordLength }],
        [this.#names.knocks, { ...INTAKE.knocks, length: options.knockLength }],
      ]),
      (neighbour) => this.#fault(neighbour),
      onDrop,
      this.#clock().instant,
    )
  }

  /** What makes the service that libp2p is composed with. */
  service(): (components: GossipSubComponents) => GossipSub {
    return gossipRouter(
      {
        protocol: this.#protocol,
        topics: Object.values(this.#names),
        score: (neighbour) => this.#conduct.score(neighbour, this.#clock().instant),
        admit: (neighbour, rpc) => {
          const { instant } = this.#clock()
          // What was under way when it was left.
          if (this.#conduct.refuses(neighbour, instant)) return { subscriptions: [], messages: [] }
          return this.#intake.admit(neighbour, rpc, instant)
        },
        onFlood: (neighbour) => this.#leave(neighbour.toString()),
      },
      (router) => this.#prepare(router),
    )
  }

  /** To be called before libp2p starts. */
  async start(parts: Parts): Promise<void> {
    this.#parts = parts
    await parts.registrar.register(this.#protocol, {
      onConnect: (peer) => {
        this.#speakers.set(peer.toString(), peer)
      },
      onDisconnect: (peer) => {
        this.#speakers.delete(peer.toString())
      },
    })
    // The registrar tells of the end of those only of whom it has heard by identify, and whom libp2p has not forgotten.
    // gossipsub remembers whoever opened a stream.
    parts.events.addEventListener('peer:disconnect', ({ detail: peer }) => {
      for (const topology of parts.registrar.getTopologies(this.#protocol)) topology.onDisconnect?.(peer)
    })
  }

  /** To be called when libp2p has started. */
  join(): void {
    if (this.#router !== undefined) this.#join(this.#router)
  }

  /**
   * Publishes, and resolves to how many neighbours it was sent to. A record that is sent to none is kept, and sent when
   * somebody hears ({@link HeldRecords}). Rejects where the bytes are not valid.
   */
  async publish(topic: GossipTopic, bytes: Uint8Array): Promise<number> {
    const length = topic === 'records' ? this.#options.recordLength : this.#options.knockLength
    if (bytes.length !== length)
      throw new Error(`what we gossip is of a wrong length: ${bytes.length} bytes, not ${length}`)
    if (topic === 'knocks') return (await this.#send(topic, bytes)) ?? 0
    const record = this.#options.judge(bytes)
    if (isDropped(record)) throw new Error(`our own record is not valid: ${record.dropped}`)
    this.#floors.raise(record.author, record.sequence)
    return this.#sendOrHold({ bytes, ...record })
  }

  /** True where somebody hears what we publish. */
  get isHeard(): boolean {
    return this.#isMember && this.#router !== undefined && this.#reaches(this.#router, 'records')
  }

  /** True for a node that was left because of what it sent. */
  refuses(node: PeerId): boolean {
    return this.#conduct.refuses(node.toString(), this.#clock().instant)
  }

  #prepare(router: GossipRouter): void {
    this.#router = router
    router.topicValidators.set(
      this.#names.records,
      this.#validator(this.#names.records, (bytes) => this.#judgeRecord(bytes)),
    )
    router.topicValidators.set(this.#names.knocks, this.#validator(this.#names.knocks, judgeKnock))
    router.addEventListener('message', ({ detail: { topic, data } }) => {
      // A copy: the data is part of all that came with it.
      if (topic === this.#names.records) this.#options.onRecord(data.slice())
      else this.#options.onKnock(data.slice())
    })
    router.addEventListener('subscription-change', ({ detail: { peerId, subscriptions } }) => {
      if (subscriptions.some(({ subscribe }) => subscribe)) this.#tellRecent(router, peerId)
      this.#changed()
    })
    router.addEventListener('gossipsub:heartbeat', () => this.#onHeartbeat(router))
  }

  async #sendOrHold(record: OwnRecord): Promise<number> {
    const reached = await this.#send('records', record.bytes)
    if (reached === undefined && this.#isMember) this.#held.hold(record)
    return reached ?? 0
  }

  /** To how many neighbours it was sent; undefined where it was not published, and can be later. */
  async #send(topic: GossipTopic, bytes: Uint8Array): Promise<number | undefined> {
    const router = this.#router
    // gossipsub takes a message for published also if no stream was there to send it over.
    if (router === undefined || !this.#isMember || !this.#reaches(router, topic)) return undefined
    this.#intake.sent(this.#names[topic], bytes)
    try {
      const { recipients } = await router.publish(this.#names[topic], bytes)
      this.#passed(this.#names[topic], bytes)
      return recipients.length
    } catch (error) {
      this.#log.debug({ topic, error }, 'could not gossip')
      return undefined
    }
  }

  #reaches(router: GossipRouter, topic: GossipTopic): boolean {
    return router
      .getSubscribers(this.#names[topic])
      .some((peer) => router.streamsOutbound.has(peer.toString()))
  }

  #validator(topic: string, judge: (bytes: Uint8Array) => Verdict): TopicValidatorFn {
    return (neighbour, { data }) => {
      const verdict = judge(data)
      if (verdict.verdict === 'accept') {
        this.#passed(topic, data)
        return TopicValidatorResult.Accept
      }
      this.#onDrop(verdict.reason)
      if (verdict.verdict === 'ignore') return TopicValidatorResult.Ignore
      this.#fault(neighbour.toString())
      return TopicValidatorResult.Reject
    }
  }

  #judgeRecord(bytes: Uint8Array): Verdict {
    const at = this.#clock()
    const verdict = this.#verdicts.judge(bytes, at)
    if (verdict.verdict === 'accept' && verdict.author !== undefined) {
      if (this.#fleet.hear(verdict.author, at.unix)) this.#log.warn({ limit: this.#options.limit }, TOO_LARGE)
    }
    return verdict
  }

  #passed(topic: string, data: Uint8Array): void {
    this.#recent.add(topic, messageId(topic, data), this.#clock().instant)
  }

  #tellRecent(router: GossipRouter, neighbour: PeerId): void {
    const { instant } = this.#clock()
    const ihave = Object.values(this.#names)
      .map((topicID) => ({ topicID, messageIDs: this.#recent.since(topicID, KEPT_MS, instant) }))
      .filter(({ messageIDs }) => messageIDs.length > 0)
    if (ihave.length > 0) router.gossip.set(neighbour.toString(), ihave)
  }

  #fault(neighbour: string): void {
    if (this.#conduct.fault(neighbour, this.#clock().instant)) this.#disconnect(neighbour)
  }

  #leave(neighbour: string): void {
    if (this.#conduct.leave(neighbour, this.#clock().instant)) this.#disconnect(neighbour)
  }

  #disconnect(neighbour: string): void {
    this.#log.warn({ peer: neighbour }, 'a node sends what no honest one would: it is left')
    for (const connection of this.#parts?.connectionManager.getConnections() ?? [])
      if (connection.remotePeer.toString() === neighbour)
        connection.abort(new Error('it sends what no honest node would'))
  }

  #onHeartbeat(router: GossipRouter): void {
    const isTooLarge = this.#fleet.isTooLarge(this.#clock().unix)
    if (isTooLarge && this.#isMember) this.#quit(router)
    if (!isTooLarge && !this.#isMember) this.#join(router)
    this.#reopenStreams(router)
    this.#tellNewlyOpen(router)
    this.#changed()
  }

  /**
   * A neighbour's stream to us, and what it is subscribed to, can be there before our stream to it is: what is published
   * in between is sent to it by nobody.
   */
  #tellNewlyOpen(router: GossipRouter): void {
    for (const id of router.streamsOutbound.keys()) {
      const speaker = this.#speakers.get(id)
      if (!this.#open.has(id) && speaker !== undefined) this.#tellRecent(router, speaker)
    }
    this.#open = new Set(router.streamsOutbound.keys())
  }

  /**
   * gossipsub opens its stream when a peer connects, and never again: where a peer has two connections and the one with
   * the stream closes, as when it moved, neither side hears the other any more.
   */
  #reopenStreams(router: GossipRouter): void {
    if (this.#parts === undefined) return
    const { connectionManager, registrar } = this.#parts
    for (const [id, peer] of this.#speakers) {
      if (router.streamsOutbound.has(id)) continue
      const connections = connectionManager.getConnections(peer)
      const open = connections.findLast(isDirect)
      if (open === undefined) continue
      for (const topology of registrar.getTopologies(this.#protocol)) topology.onConnect?.(peer, open)
    }
  }

  #join(router: GossipRouter): void {
    this.#isMember = true
    for (const name of Object.values(this.#names)) router.subscribe(name)
  }

  #quit(router: GossipRouter): void {
    this.#isMember = false
    this.#held.release()
    for (const name of Object.values(this.#names)) router.unsubscribe(name)
  }

  #changed(): void {
    const isHeard = this.isHeard
    if (isHeard) this.#sendHeld()
    if (isHeard === this.#wasHeard) return
    this.#wasHeard = isHeard
    this.#onChange()
  }

  #sendHeld(): void {
    for (const record of this.#held.release())
      if (!isDropped(this.#options.judge(record.bytes))) void this.#sendOrHold(record)
  }
}

const TOO_LARGE =
  'more nodes than --gossip-limit: the fleet is too large to gossip, so until tomorrow (UTC) records are only looked up'
