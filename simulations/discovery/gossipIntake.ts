/**
 * What one node makes of what is gossiped to it, by the rules of src/io/mesh/gossipIntake.ts and gossipVerdicts.ts: the
 * length, the neighbour's share, the share of all, whether it is new; then signature and times, the author's floor, the
 * author's rate. What is accepted is passed on, and told to latecomers for some seconds.
 *
 * Not modelled: control messages other than those for latecomers, conduct (a bad neighbour is not left), and the limit on
 * authors a day.
 */

import type { DropReason } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { SourceLimiter, TokenBucket } from '../../src/base/rateLimit.js'
import { elapsed, HOUR, type Instant, MINUTE, type Now, SECOND, type UnixTime } from '../../src/base/time.js'
import { admitSealedRecord } from '../../src/engine/directory/admission.js'
import { type GossipFloors, judgeKnock, RecordVerdicts } from '../../src/io/mesh/gossipVerdicts.js'
import { SEALED_KNOCK_LENGTH } from '../../src/wire/sealedKnock.js'
import { SEALED_RECORD_LENGTH } from '../../src/wire/sealedRecord.js'
import type { Setting } from './setting.js'

export type GossipTopic = 'records' | 'knocks'

/** `INTAKE` of src/io/mesh/gossip.ts: of each neighbour and in all, a second and at once. */
export const INTAKE = {
  records: { each: { perSecond: 5, burst: 150 }, all: { perSecond: 10, burst: 300 } },
  knocks: { each: { perSecond: 5, burst: 30 }, all: { perSecond: 20, burst: 60 } },
} as const
const LENGTHS = { records: SEALED_RECORD_LENGTH, knocks: SEALED_KNOCK_LENGTH } as const
/** `SEEN_MS` of src/io/mesh/gossipIntake.ts. */
export const SEEN_MS = 2 * MINUTE
/** `KEPT_MS` of src/io/mesh/gossipRouter.ts, and `MAX_RECENT` of latecomers.ts. */
export const KEPT_MS = 8 * SECOND
export const MAX_RECENT = 256
const MAX_NEIGHBOURS = 4096

/** `FLOOR_LIFETIME_MS` and `MAX_AHEAD_MS` of src/io/mesh/floors.ts. */
export const FLOOR_LIFETIME_MS = 4 * HOUR
export const MAX_AHEAD_MS = 2 * HOUR

export interface Message {
  readonly topic: GossipTopic
  readonly bytes: Uint8Array
  /** The same for the same bytes. */
  readonly id: string
  /** Whose it is, to those who look from outside; undefined where that is not known. */
  readonly author: PublicKey | undefined
}

export function messageOf(topic: GossipTopic, bytes: Uint8Array, author: PublicKey | undefined): Message {
  return { topic, bytes, id: `${topic} ${Buffer.from(bytes).toString('latin1')}`, author }
}

/** Highest sequence numbers by author: what a node keeps on disk of them. */
export type FloorTable = Map<string, number>

export interface IntakeOptions {
  readonly setting: Pick<Setting, 'verify'>
  readonly floors: FloorTable
  readonly clock: () => Now
  readonly onDrop: (reason: DropReason) => void
}

export class GossipIntake {
  readonly #options: IntakeOptions
  readonly #verdicts: RecordVerdicts
  readonly #neighbours: Readonly<Record<GossipTopic, SourceLimiter>>
  readonly #all: Readonly<Record<GossipTopic, TokenBucket>>
  /** When each was heard first, in that order. */
  readonly #seen = new Map<string, Instant>()
  readonly #recent: { readonly message: Message; readonly at: Instant }[] = []

  constructor(options: IntakeOptions) {
    this.#options = options
    const { setting, clock, floors } = options
    const now = clock()
    this.#verdicts = new RecordVerdicts(
      (bytes) => admitSealedRecord(bytes, clock().unix, setting.verify),
      validFloors(floors, () => clock().unix),
      now,
    )
    const limiter = (topic: GossipTopic) =>
      new SourceLimiter({ each: INTAKE[topic].each, maxSources: MAX_NEIGHBOURS }, now.instant)
    const bucket = (topic: GossipTopic) =>
      new TokenBucket(INTAKE[topic].all.perSecond, INTAKE[topic].all.burst, now.instant)
    this.#neighbours = { records: limiter('records'), knocks: limiter('knocks') }
    this.#all = { records: bucket('records'), knocks: bucket('knocks') }
  }

  hasSeen({ id }: Message): boolean {
    const at = this.#seen.get(id)
    return at !== undefined && elapsed(at, this.#options.clock().instant) < SEEN_MS
  }

  /** One of our own, which is passed on without being judged. */
  own(message: Message): void {
    this.#note(message, this.#options.clock().instant)
    this.#passed(message)
  }

  /** True where a message from a neighbour is to be used, and passed on. */
  accepts(neighbour: string, message: Message): boolean {
    const now = this.#options.clock()
    const { topic, bytes } = message
    if (bytes.length !== LENGTHS[topic]) return this.#drop('gossip-malformed')
    if (!this.#neighbours[topic].admit(neighbour, now.instant)) return this.#drop('gossip-rate-limited')
    if (this.hasSeen(message)) return false
    if (!this.#all[topic].take(now.instant)) return this.#drop('gossip-rate-limited')
    this.#note(message, now.instant)
    const verdict = topic === 'records' ? this.#verdicts.judge(bytes, now) : judgeKnock(bytes)
    if (verdict.verdict !== 'accept') return this.#drop(verdict.reason)
    this.#passed(message)
    return true
  }

  /** What was passed on in the last seconds, the newest first. */
  get recent(): readonly Message[] {
    const { instant } = this.#options.clock()
    return this.#recent
      .filter(({ at }) => elapsed(at, instant) < KEPT_MS)
      .map(({ message }) => message)
      .reverse()
  }

  #passed(message: Message): void {
    this.#recent.push({ message, at: this.#options.clock().instant })
    if (this.#recent.length > MAX_RECENT) this.#recent.shift()
  }

  #note({ id }: Message, now: Instant): void {
    this.#seen.delete(id)
    this.#seen.set(id, now)
    for (const [other, at] of this.#seen) {
      if (elapsed(at, now) < SEEN_MS) break
      this.#seen.delete(other)
    }
  }

  #drop(reason: DropReason): false {
    this.#options.onDrop(reason)
    return false
  }
}

/** Those of our time: see src/io/mesh/floors.ts. */
function validFloors(table: FloorTable, now: () => UnixTime): GossipFloors {
  const counts = (sequence: number): boolean =>
    sequence > now() - FLOOR_LIFETIME_MS && sequence <= now() + MAX_AHEAD_MS
  return {
    get: (author) => {
      const floor = table.get(author)
      return floor !== undefined && counts(floor) ? floor : undefined
    },
    raise: (author, sequence) => {
      if (counts(sequence)) table.set(author, sequence)
    },
  }
}
