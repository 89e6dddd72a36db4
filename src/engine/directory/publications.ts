/**
 * Our own record in the mesh: sealed for each period in which somebody may look for it, and published there.
 *
 *   today               at once when the record changes
 *   every other day     a random while later: yesterday until 2:00, tomorrow, and from 22:00 the day after
 *
 * Whoever reads another day's first reads today's as well, unless his clock and ours are more than the skew apart. Every
 * sealing has a number of its own, and no two periods' follow each other: who stores both does not see that they are one's. Where gossip is heard, the record for the period that
 * we are in is gossiped as well, if it says what was not gossiped yet. Whoever finds a record of ours that is newer than
 * what we remember lost his disk: the numbers are lifted above it, and all is published again.
 */

import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import { TokenBucket } from '../../base/rateLimit.js'
import { after, earliest, type Instant, MINUTE, type Now, SECOND } from '../../base/time.js'
import type { RecordSealing } from '../../crypto/sealedRecord.js'
import { periodOf } from '../../wire/period.js'
import type { Emit } from '../effects.js'
import type { LookUps } from './lookUps.js'
import type { OwnRecord } from './ownRecord.js'
import type { OwnSequence } from './ownSequence.js'
import { periodsChangeIn, periodsToPublish } from './periods.js'
import { Publication } from './publication.js'

/** After so many publications in a row that nobody acknowledged we ask whether a newer record of ours is the reason. */
const FAILURES_TO_ASK = 4

/** Two machines with one key get ahead of each other for ever: with pauses. */
const LIFTS = { perSecond: SECOND / (5 * MINUTE), burst: 3 } as const

export interface PublicationsParts {
  readonly ownKey: PublicKey
  readonly sealing: RecordSealing
  readonly record: OwnRecord
  readonly sequence: OwnSequence
  readonly random: Random
  readonly lookUps: LookUps
  readonly emit: Emit
}

export class Publications {
  readonly #parts: PublicationsParts
  readonly #byPeriod = new Map<number, Publication>()
  readonly #lifts: TokenBucket
  #isOnline = false
  #gossips = false
  /** What was last gossiped since we joined. */
  #gossiped: string | undefined = undefined
  /** True where no earlier run of ours is remembered, until it is known what the mesh has of ours. */
  #isForgetful: boolean
  #changesAt: Instant | undefined = undefined

  /** `isForgetful`: nothing is remembered of what we published before. */
  constructor(parts: PublicationsParts, isForgetful: boolean, now: Instant) {
    this.#parts = parts
    this.#isForgetful = isForgetful
    this.#lifts = new TokenBucket(LIFTS.perSecond, LIFTS.burst, now)
  }

  /** Whether there is anybody to publish to, and whether anybody hears gossip. Whoever has just joined publishes. */
  setOnline(isOnline: boolean, gossips: boolean, now: Now): void {
    const { lookUps, ownKey, record } = this.#parts
    const joined = isOnline && !this.#isOnline
    const heard = isOnline && gossips && !this.#gossips
    this.#isOnline = isOnline
    this.#gossips = gossips
    if (joined) this.#gossiped = undefined
    this.#renew(now)
    for (const publication of this.#byPeriod.values()) {
      if (isOnline) publication.join(now.instant)
      else publication.leave()
    }
    if (heard && this.#gossiped !== record.published)
      this.#byPeriod.get(periodOf(now.unix))?.change(now.instant)
    if (joined && this.#isForgetful) lookUps.begin(ownKey, now.unix)
  }

  /** The record says something else. */
  change(now: Instant): void {
    for (const publication of this.#byPeriod.values()) publication.change(now)
  }

  /** A record of ours that the mesh has bears these numbers. True where it is newer than what we remember. */
  seen(sequences: readonly number[], now: Now): boolean {
    const { sequence: own, record } = this.#parts
    const isNewer = sequences.filter((sequence) => own.lift(sequence, now.unix)).length > 0
    if (!isNewer) return false
    record.outdate()
    if (!this.#lifts.take(now.instant)) return true
    this.#gossiped = undefined
    this.change(now.instant)
    return true
  }

  /** The mesh was asked for a record of ours, and has said what it has. */
  lookedUp(): void {
    if (this.#isOnline) this.#isForgetful = false
  }

  ended(period: number, acknowledgements: number, now: Now): void {
    const failures = this.#byPeriod.get(period)?.ended(acknowledgements, now.instant) ?? 0
    // A storer that has a newer one refuses, and says nothing.
    if (failures > 0 && failures % FAILURES_TO_ASK === 0)
      this.#parts.lookUps.begin(this.#parts.ownKey, now.unix)
  }

  /** Publishes what is due. */
  wake(now: Now): void {
    this.#renew(now)
    for (const [period, publication] of this.#byPeriod)
      if (publication.begin(now.instant)) this.#publish(period, now)
  }

  get nextWake(): Instant | undefined {
    if (!this.#isOnline) return undefined
    let next = this.#changesAt
    for (const { dueAt } of this.#byPeriod.values()) next = earliest(next, dueAt)
    return next
  }

  #publish(period: number, now: Now): void {
    const { ownKey, sealing, record, sequence, random, emit } = this.#parts
    const key = sealing.blindedKey(ownKey, period)
    if (key === undefined) return
    const signedRecord = record.signed(now)
    const number = sequence.next(now.unix)
    const gossip = this.#gossips && period === periodOf(now.unix) && this.#gossiped !== record.published
    if (gossip) this.#gossiped = record.published
    const sealedRecord = sealing.seal(signedRecord, period, number, random)
    emit({ type: 'publish', period, key, sealedRecord, sequence: number, gossip })
  }

  /** Begins periods that have come, and drops those that are over. */
  #renew(now: Now): void {
    const periods = periodsToPublish(now.unix)
    const isSame =
      periods.length === this.#byPeriod.size && periods.every((period) => this.#byPeriod.has(period))
    if (isSame && this.#changesAt !== undefined && this.#changesAt > now.instant) return
    this.#changesAt = after(now.instant, Math.ceil(periodsChangeIn(now.unix)))
    for (const period of [...this.#byPeriod.keys()])
      if (!periods.includes(period)) this.#byPeriod.delete(period)
    const today = periodOf(now.unix)
    for (const period of periods) {
      const isUrgent = period === today
      const known = this.#byPeriod.get(period)
      if (known !== undefined) known.isUrgent = isUrgent
      else {
        const publication = new Publication(isUrgent, this.#parts.random, now.instant)
        this.#byPeriod.set(period, publication)
        if (this.#isOnline) publication.join(now.instant)
      }
    }
  }
}
