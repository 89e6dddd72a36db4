/**
 * Birthday punching with one peer: when an effort begins, and when it ends.
 *
 *   knock, or its answer ─► 2 s for ordinary checks ─► effort, up to 40 s ─► a direct path
 *                ▲                                              └─► in vain: again after 1 min, 2 min, … 1 h
 *                └───────────────────────────────────────────────────────┘ we knock, if there is traffic
 *
 * The knock makes both begin: it is answered within a round trip, and each counts from when it came. A relayed path is no
 * reason not to try; a direct one is. Over a relay an effort is made only while there is traffic.
 *
 * What the peer sends from the address that its record names is what does not get through. So an effort has one address,
 * begins only when the peer has just been heard of, and each that was in vain makes the pause longer, whatever address
 * comes next. Only a path that an effort won, or another network of ours, ends that. And where no reflector says that the
 * peer is there (addressWitnesses.ts), it has one effort of a few checks, and then none, until one says so.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import {
  after,
  earliest,
  elapsed,
  HOUR,
  type Instant,
  later,
  MINUTE,
  type Now,
  SECOND,
} from '../../base/time.js'
import type { PathAgent } from './agent.js'
import type { Effort } from './birthdayEffort.js'
import type { BirthdayPlan } from './birthdayPlan.js'
import type { Birthdays } from './birthdays.js'
import type { Route } from './path.js'
import { PUNCH_MS } from './series.js'

/** Ordinary checks are answered by then if they ever are: a few round trips after both have begun. */
const GRACE_MS = 2 * SECOND

/** Where a gateway says that it has opened a port for one of the two: a whole series of checks has failed by then. */
const MAPPED_GRACE_MS = PUNCH_MS

/** We may learn of our own NAT, or the peer's, a little after the knock; later the peer has begun without us. */
const BEGIN_MS = 8 * SECOND

/** Whatever networks the peer says that it is in: the pause after an effort in vain, and between knocks for one. */
const PEER_AGAIN_MS: Backoff = { first: 1 * MINUTE, longest: 1 * HOUR }

/** The peer's pause ends as much before ours at most. */
const SLACK_MS = 5 * SECOND

/** The peer's proof may come a little later than the peer: with its answer to a knock, or its record. */
const PROOF_MS = 5 * SECOND

/** How often it is looked again whether there is a proof by now. */
const PROOF_AGAIN_MS = 5 * MINUTE

const NOW_OR_LATER = Number.NEGATIVE_INFINITY as Instant

export interface BirthdayParts {
  readonly birthdays: Birthdays
  readonly agent: PathAgent
  /** What can be done as things are now; asked only when an effort may begin. */
  readonly plan: (now: Now) => BirthdayPlan | undefined
  /** Whether there was traffic lately. */
  readonly isActive: (now: Now) => boolean
  /** Knocks on the peer, so that both begin. */
  readonly knock: (now: Now) => void
}

export class Birthday {
  readonly #parts: BirthdayParts
  #effort: Effort | undefined = undefined
  /** When the peer and we began to speak to each other, if that is still to lead to an effort. */
  #touchedAt: Instant | undefined = undefined
  #notBefore = NOW_OR_LATER
  /** Efforts in vain since the last that led to a path, from behind `own`; and whether one had an address without a proof. */
  #failures = { count: 0, own: '', unproved: false }
  /** When to try again, after an effort in vain. */
  #againAt: Instant | undefined = undefined
  #nextWake: Instant | undefined = undefined

  constructor(parts: BirthdayParts) {
    this.#parts = parts
  }

  /** True while an effort is made. */
  get isUnderWay(): boolean {
    return this.#effort !== undefined
  }

  /** The peer knocked, or answered our knock. Of several times the first counts: it is the same for both. */
  touched(now: Instant): void {
    if (this.#effort === undefined && !this.#parts.agent.isDirect) this.#touchedAt ??= now
  }

  /** Whether a check, or an answer, over such a route is what an effort is made for. */
  expects({ socket, remote }: Route): boolean {
    const plan = this.#effort?.plan
    if (plan === undefined) return false
    if (plan.role === 'easy') return plan.socket === socket && plan.ip === remote.ip
    return plan.target.ip === remote.ip && this.#parts.birthdays.isFor(this.#parts.agent, socket)
  }

  /** Begins and ends what is to begin and to end. */
  settle(now: Now): void {
    const { birthdays, agent } = this.#parts
    birthdays.tidy(agent)
    this.#nextWake = undefined
    if (this.#effort === undefined && this.#touchedAt === undefined && this.#againAt === undefined) return
    if (agent.isDirect) {
      this.#met()
      return
    }
    if (this.#effort !== undefined) this.#look(this.#effort, now)
    else if (this.#touchedAt !== undefined) this.#mayBegin(this.#touchedAt, now)
    else if (this.#againAt !== undefined) this.#mayKnock(this.#againAt, now)
  }

  get nextWake(): Instant | undefined {
    return this.#nextWake
  }

  /** It is no peer any more. */
  close(): void {
    this.#effort = undefined
    this.#parts.birthdays.forget(this.#parts.agent)
  }

  #met(): void {
    const { birthdays, agent } = this.#parts
    if (this.#effort !== undefined) {
      const { between } = this.#effort.plan
      // Another way to the peer says nothing of the address that was tried.
      if (agent.current !== undefined && this.expects(agent.current)) {
        birthdays.failed.met(between)
        this.#failures = { count: 0, own: between.own, unproved: false }
        this.#notBefore = NOW_OR_LATER
      }
      birthdays.end(this.#effort)
      this.#effort = undefined
    }
    this.#touchedAt = undefined
    this.#againAt = undefined
  }

  #look(effort: Effort, now: Now): void {
    const { birthdays, agent, isActive } = this.#parts
    const isOver = now.instant >= effort.endsAt
    const { plan } = effort
    if (!plan.isProved && this.#parts.plan(now)?.isProved === true) {
      // What a few checks had little hope for is worth an effort now.
      this.#effort = undefined
      birthdays.end(effort)
      this.#touchedAt = after(now.instant, -GRACE_MS)
      this.#mayBegin(this.#touchedAt, now)
      return
    }
    const hasMoved =
      plan.role === 'easy' && !agent.mayUse({ socket: plan.socket, remote: { ip: plan.ip, port: 1 } })
    // Without any path the knock says that there is traffic.
    if (!isOver && !hasMoved && (!agent.isSound || isActive(now))) {
      this.#nextWake = effort.endsAt
      return
    }
    if (isOver && plan.isProved) birthdays.failed.failed(plan.between, effort.endsAt)
    this.#effort = undefined
    birthdays.end(effort)
    if (!plan.isProved) {
      this.#awaitProof(now)
      return
    }
    this.#againAt = later(birthdays.failed.notBefore(plan.between) ?? this.#notBefore, this.#notBefore)
    this.#mayKnock(this.#againAt, now)
  }

  #mayBegin(touchedAt: Instant, now: Now): void {
    const { birthdays, agent, plan: planOf, isActive } = this.#parts
    if (agent.isSound && !isActive(now)) {
      this.#touchedAt = undefined
      return
    }
    if (elapsed(touchedAt, now.instant) < GRACE_MS) {
      this.#nextWake = after(touchedAt, GRACE_MS)
      return
    }
    const plan = planOf(now)
    // A port that is open to all needs no guessing, unless it turns out not to be.
    if (plan?.isMapped === true && elapsed(touchedAt, now.instant) < MAPPED_GRACE_MS) {
      this.#nextWake = after(touchedAt, MAPPED_GRACE_MS)
      return
    }
    if (plan === undefined) {
      const until = after(touchedAt, BEGIN_MS)
      if (now.instant >= until) this.#touchedAt = undefined
      else this.#nextWake = earliest(until, after(now.instant, SECOND))
      return
    }
    const { own } = plan.between
    if (own !== this.#failures.own) {
      this.#failures = { count: 0, own, unproved: false }
      this.#notBefore = NOW_OR_LATER
    }
    if (!plan.isProved && elapsed(touchedAt, now.instant) < PROOF_MS) {
      this.#nextWake = earliest(after(touchedAt, PROOF_MS), after(now.instant, SECOND))
      return
    }
    this.#touchedAt = undefined
    if (!plan.isProved && this.#failures.unproved) {
      this.#awaitProof(now)
      return
    }
    const notBefore = later(birthdays.failed.notBefore(plan.between) ?? now.instant, this.#notBefore)
    if (after(now.instant, SLACK_MS) < notBefore) {
      this.#againAt = notBefore
      this.#mayKnock(this.#againAt, now)
      return
    }
    this.#effort = birthdays.begin(plan, agent, now.instant)
    if (!plan.isProved) {
      this.#failures = { ...this.#failures, unproved: this.#effort !== undefined }
    } else if (this.#effort !== undefined) {
      // Until it leads to a path it is one in vain, however it ends.
      this.#notBefore = after(this.#effort.endsAt, backoffMs(PEER_AGAIN_MS, this.#failures.count))
      this.#failures = { ...this.#failures, count: this.#failures.count + 1 }
    }
    this.#againAt = undefined
    this.#nextWake = this.#effort?.endsAt
  }

  /** There is nothing to do but wait for a proof, while there is traffic. */
  #awaitProof(now: Now): void {
    this.#againAt = after(now.instant, PROOF_AGAIN_MS)
    this.#nextWake = this.#againAt
  }

  /** Over a relay nobody knocks any more, so that is for us to do; without one whoever looks for the peer does. */
  #mayKnock(againAt: Instant, now: Now): void {
    const { agent, isActive, knock } = this.#parts
    if (againAt > now.instant) {
      this.#nextWake = againAt
      return
    }
    if (!agent.isSound || !isActive(now)) return
    if (this.#parts.plan(now)?.isProved === false) {
      this.#awaitProof(now)
      return
    }
    // The answer counts as being in touch; without one it is tried again.
    this.#againAt = after(now.instant, PEER_AGAIN_MS.first)
    this.#nextWake = this.#againAt
    knock(now)
  }
}
