/**
 * Getting in touch with one peer: when to look its record up, when to knock.
 *
 * An attempt begins when WireGuard has something to send and there is no path to be trusted, and ends with a path, or
 * after a time with the reason why there is none. Both things are done at once where both make sense: a known record is
 * knocked on while the DHT is asked for a newer one. Attempts that fail are made ever more rarely.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, earliest, elapsed, type Instant, SECOND } from '../../base/time.js'
import type { PeerRecord } from '../../wire/record.js'
import type { KnownRecord } from './directory.js'

/** Long enough for all checks of a punching effort (`PUNCH_MS`) after a slow look-up and knock. */
const ATTEMPT_MS = 12 * SECOND

/** A record that was heard of within this time before the attempt is not looked up beside the knock. */
const SURE_MS = 30 * SECOND

const LOOK_UP_AGAIN_MS = { first: 500, longest: 4 * SECOND } as const
const KNOCK_AGAIN_MS = { first: 1 * SECOND, longest: 4 * SECOND } as const
const ATTEMPT_AGAIN_MS = { first: 1 * SECOND, longest: 60 * SECOND } as const

/** Within one attempt: our addresses may be found one after the other, and each makes another record. */
const MAX_KNOCKS_FOR_CHANGES = 3

/** What the contact needs to know to decide. */
export interface Situation {
  readonly record: KnownRecord | undefined
  /** True where a node that serves the mesh is connected. */
  readonly online: boolean
  /** True where our own record says where we are now. */
  readonly ready: boolean
  /** Changes with what our own record says. */
  readonly own: number
}

export interface Steps {
  readonly lookUp: boolean
  readonly knock: PeerRecord | undefined
}

interface Retries {
  count: number
  notBefore: Instant
}

interface Attempt {
  readonly begunAt: Instant
  readonly lookUps: Retries
  readonly knocks: Retries
  /** What our own record said when the peer was last knocked. */
  knockedAs: number | undefined
  /** True where the peer knocked meanwhile, or answered a knock. */
  isInTouch: boolean
  /** Knocks that bore another record of ours than the one before. */
  changes: number
  /** The sequence of the record that was knocked on, to no avail. */
  failedOn: number | undefined
}

export class Contact {
  #attempt: Attempt | undefined = undefined
  #lookingUp = false
  /** The sequence of the record that is being knocked on. */
  #knockingOn: number | undefined = undefined
  /** True where the peer and we spoke to each other in the last attempt that failed, or since. */
  #isInTouch = false
  #failures: Retries = { count: 0, notBefore: Number.NEGATIVE_INFINITY as Instant }
  /** When it was last asked what to do: what was due then, and not done, waits for something other than time. */
  #pursuedAt = Number.NEGATIVE_INFINITY as Instant
  /** Why there is no path, or what is being done about it. */
  reason = 'nothing was sent to it yet'

  get isUnderWay(): boolean {
    return this.#attempt !== undefined
  }

  /** True where the last attempt failed. */
  get hasFailed(): boolean {
    return this.#attempt === undefined && this.#failures.count > 0
  }

  /** A path is wanted. True where this begins an attempt. */
  begin(now: Instant): boolean {
    if (this.#attempt !== undefined || now < this.#failures.notBefore) return false
    this.#attempt = {
      begunAt: now,
      lookUps: { count: 0, notBefore: now },
      knocks: { count: 0, notBefore: now },
      knockedAs: undefined,
      isInTouch: false,
      changes: 0,
      failedOn: undefined,
    }
    this.reason = 'looking for it'
    return true
  }

  /** There is a path. */
  succeed(): void {
    this.#attempt = undefined
    this.encourage()
    this.reason = 'connected'
  }

  /**
   * There is news of the peer. Where it is as it was at an attempt that failed though the two were in touch, the next
   * one is as hopeless, and waits: two that cannot meet would otherwise encourage each other for ever. True where it need
   * not wait.
   */
  heardOf(hasMoved: boolean): boolean {
    if (!hasMoved && this.#isInTouch) return false
    this.encourage()
    return true
  }

  /** The peer knocked, or answered a knock. */
  inTouch(): void {
    this.#isInTouch = true
    if (this.#attempt !== undefined) this.#attempt.isInTouch = true
  }

  /** Something changed for the better: the next attempt need not wait. */
  encourage(): void {
    this.#failures = { count: 0, notBefore: Number.NEGATIVE_INFINITY as Instant }
  }

  /** When the next attempt may begin. */
  get retryAt(): Instant {
    return this.#failures.notBefore
  }

  /** What is to be done now; the caller does it. */
  pursue(situation: Situation, now: Instant): Steps {
    this.#pursuedAt = now
    const attempt = this.#attempt
    if (attempt === undefined) return { lookUp: false, knock: undefined }
    if (!situation.online) this.reason = 'no node that serves the mesh is connected'
    const lookUp = situation.online && !this.#lookingUp && this.#wantsLookUp(attempt, situation.record, now)
    const knock = this.#toKnock(attempt, situation, now)
    if (lookUp) {
      this.#lookingUp = true
      this.reason = 'looking its record up'
    }
    if (knock !== undefined) {
      this.#knockingOn = knock.sequence
      if (attempt.knockedAs !== undefined && attempt.knockedAs !== situation.own) attempt.changes += 1
      attempt.knockedAs = situation.own
      this.reason = 'knocking'
    }
    return { lookUp, knock }
  }

  /** A knock leaves that says something new of relays. */
  knockedBeside({ sequence }: PeerRecord): void {
    this.#knockingOn ??= sequence
  }

  lookUpEnded(record: KnownRecord | undefined, now: Instant): void {
    this.#lookingUp = false
    if (this.#attempt === undefined) return
    again(this.#attempt.lookUps, LOOK_UP_AGAIN_MS, now)
    if (record === undefined) this.reason = 'no record of it is in the mesh'
  }

  /** The peer answered our knock. */
  knockAnswered(now: Instant): void {
    this.inTouch()
    this.#knockingOn = undefined
    if (this.#attempt === undefined) return
    this.#attempt.failedOn = undefined
    again(this.#attempt.knocks, KNOCK_AGAIN_MS, now)
    this.reason = 'it answered our knock, and no check has got through yet'
  }

  knockFailed(why: string, now: Instant): void {
    const sequence = this.#knockingOn
    this.#knockingOn = undefined
    if (this.#attempt === undefined) return
    // Another one was answered meanwhile, or this one by gossip.
    if (sequence === undefined && this.#attempt.failedOn === undefined && this.#attempt.isInTouch) return
    // Of two that were under way the second to fail says nothing new.
    this.#attempt.failedOn = sequence ?? this.#attempt.failedOn
    again(this.#attempt.knocks, KNOCK_AGAIN_MS, now)
    this.reason = `its record is known, but it answers no knock: ${why}`
  }

  /** True where an attempt has just failed for good. */
  wake(now: Instant): boolean {
    const attempt = this.#attempt
    if (attempt === undefined || elapsed(attempt.begunAt, now) < ATTEMPT_MS) return false
    this.#attempt = undefined
    this.#isInTouch = attempt.isInTouch
    again(this.#failures, ATTEMPT_AGAIN_MS, now)
    return true
  }

  get nextWake(): Instant | undefined {
    const attempt = this.#attempt
    if (attempt === undefined) return undefined
    let next: Instant | undefined = after(attempt.begunAt, ATTEMPT_MS)
    const { lookUps, knocks } = attempt
    if (!this.#lookingUp && lookUps.notBefore > this.#pursuedAt) next = earliest(next, lookUps.notBefore)
    if (this.#knockingOn === undefined && knocks.notBefore > this.#pursuedAt)
      next = earliest(next, knocks.notBefore)
    return next
  }

  #wantsLookUp(attempt: Attempt, known: KnownRecord | undefined, now: Instant): boolean {
    if (now < attempt.lookUps.notBefore) return false
    if (known === undefined || known.record.sequence === attempt.failedOn) return true
    return elapsed(known.heardAt, attempt.begunAt) >= SURE_MS && attempt.lookUps.count === 0
  }

  #toKnock(attempt: Attempt, { record: known, ready, own }: Situation, now: Instant): PeerRecord | undefined {
    if (known === undefined) return undefined
    // The first knock goes at once: our addresses are mostly what they were. If not, it is repeated with the new ones.
    if (attempt.knockedAs === undefined) return this.#knockingOn === undefined ? known.record : undefined
    if (!ready) return undefined
    if (attempt.knockedAs !== own && attempt.changes < MAX_KNOCKS_FOR_CHANGES) return known.record
    if (this.#knockingOn !== undefined) return undefined
    // A record other than the one that failed is worth a knock at once.
    const fresh = attempt.failedOn !== undefined && known.record.sequence !== attempt.failedOn
    return fresh || now >= attempt.knocks.notBefore ? known.record : undefined
  }
}

function again(retries: Retries, wait: Backoff, now: Instant): void {
  retries.notBefore = after(now, backoffMs(wait, retries.count))
  retries.count += 1
}
