/**
 * Watching the path in use: is there traffic, does anything come back, may its mappings be gone?
 *
 *   traffic ─► sent, and for 750 ms nothing came back over the path ─► ask it
 *              every 20 s, or as often as the NAT needs             ─► ask it, which keeps its mappings
 *   no traffic for 120 s ─► nothing at all
 *
 * Data passes without a word to the engine. While all that was sent is answered, the flow tells of the next message that
 * may not be; from then on the engine looks by itself, until a look finds all answered again.
 */

import { after, earliest, elapsed, type Instant, later, SECOND } from '../../base/time.js'
import type { Flow } from '../loopback/forwarding.js'
import type { PathAgent } from '../path/agent.js'
import { KEEPALIVE_MS } from '../path/natLifetime.js'

/** A peer has traffic for this long after its last message; then its mappings are left to die. */
const ACTIVE_MS = 120 * SECOND

/** Sent, and for this long nothing heard: the path is asked. With the probes' 750 ms, suspicion comes within 2 s. */
const SILENCE_MS = 750

/** A path not heard from for this long may have lost its mappings: the peer is knocked beside using it. */
const STALE_MS = 25 * SECOND

export class PathWatch {
  readonly #flow: Flow
  readonly #agent: PathAgent
  readonly #keepaliveMs: () => number
  #watchAt: Instant | undefined = undefined

  /** `keepaliveMs` says how often a path in use is to be asked. */
  constructor(flow: Flow, agent: PathAgent, keepaliveMs = () => KEEPALIVE_MS) {
    this.#flow = flow
    this.#agent = agent
    this.#keepaliveMs = keepaliveMs
  }

  /** True where there was traffic lately, in either direction. */
  isActive(now: Instant): boolean {
    const until = this.#activeUntil
    return until !== undefined && now < until
  }

  get #activeUntil(): Instant | undefined {
    const { lastSentAt, lastHeardAt } = this.#flow
    const last =
      lastSentAt === undefined || lastHeardAt === undefined
        ? (lastSentAt ?? lastHeardAt)
        : later(lastSentAt, lastHeardAt)
    return last === undefined ? undefined : after(last, ACTIVE_MS)
  }

  /** True where there is a path in use, and nothing came over it for so long that its mappings may be gone. */
  isStale(now: Instant): boolean {
    const answered = this.#agent.answeredAt
    if (answered === undefined || this.#agent.current?.proof !== 'check') return false
    const carried = this.#flow.carriedAt
    return elapsed(carried === undefined ? answered : later(carried, answered), now) >= STALE_MS
  }

  /** True where a check was answered over the path in use a moment ago. */
  isAnswered(now: Instant): boolean {
    const answered = this.#agent.answeredAt
    return answered !== undefined && elapsed(answered, now) < SILENCE_MS
  }

  /** Begins or ends the watch, as there is traffic and a path; and sees to it that what may go unanswered is looked at. */
  settle(now: Instant): void {
    if (this.#agent.current === undefined || !this.isActive(now)) {
      this.#watchAt = undefined
      return
    }
    if (this.#watchAt === undefined || this.#flow.unheardSince !== undefined) this.#leaveItToTheFlow()
    this.#watchAt = earliest(this.#watchAt, this.#nextLook(now))
  }

  get nextWake(): Instant | undefined {
    return this.#watchAt
  }

  /** Asks the path in use where that is due. */
  wake(now: Instant): void {
    if (this.#watchAt === undefined || this.#watchAt > now || !this.isActive(now)) return
    const answered = this.#agent.answeredAt
    if (answered !== undefined) {
      const { unheardSince } = this.#flow
      const isSilent = unheardSince !== undefined && elapsed(unheardSince, now) >= SILENCE_MS
      if (isSilent || elapsed(answered, now) >= this.#keepaliveMs()) this.#agent.probe(now)
    }
    this.#leaveItToTheFlow()
    this.#watchAt = this.#nextLook(now)
  }

  /** Where nothing goes unanswered now, the flow says when that changes. */
  #leaveItToTheFlow(): void {
    this.#flow.tellsOfQuestions = this.#flow.unheardSince === undefined
  }

  #nextLook(now: Instant): Instant {
    const answered = this.#agent.answeredAt
    const again = after(now, SILENCE_MS)
    if (answered === undefined) return again
    const { unheardSince } = this.#flow
    const silentAt = unheardSince === undefined ? undefined : after(unheardSince, SILENCE_MS)
    const due = earliest(silentAt, earliest(after(answered, this.#keepaliveMs()), this.#activeUntil))
    // What is due already was asked just now.
    return due === undefined || due <= now ? again : due
  }
}
