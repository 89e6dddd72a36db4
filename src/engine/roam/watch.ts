/**
 * Watching the path in use: is there traffic, does anything come back, may its mappings be gone?
 *
 *   traffic ─► sent, and for 750 ms nothing came back over the path ─► ask it
 *              every 20 s                                           ─► ask it, which keeps its mappings
 *   no traffic for 120 s ─► nothing at all
 *
 * Data passes without a word to the engine, so it is looked at now and then what passed. Nothing can have gone
 * unanswered for 750 ms sooner than 750 ms after a look at which all was answered: no look is needed before.
 */

import { after, earliest, elapsed, type Instant, later, SECOND } from '../../base/time.js'
import type { Flow } from '../loopback/forwarding.js'
import type { PathAgent } from '../path/agent.js'

/** A peer has traffic for this long after its last message; then its mappings are left to die. */
const ACTIVE_MS = 120 * SECOND

/** Sent, and for this long nothing heard: the path is asked. With the probes' 750 ms, suspicion comes within 2 s. */
const SILENCE_MS = 750

/** A path in use is asked this often, which keeps its mappings: NATs keep them for 30 s or more, as a rule. */
const KEEPALIVE_MS = 20 * SECOND

/** A path not heard from for this long may have lost its mappings: the peer is knocked beside using it. */
const STALE_MS = 25 * SECOND

export class PathWatch {
  readonly #flow: Flow
  readonly #agent: PathAgent
  #watchAt: Instant | undefined = undefined

  constructor(flow: Flow, agent: PathAgent) {
    this.#flow = flow
    this.#agent = agent
  }

  /** True where there was traffic lately, in either direction. */
  isActive(now: Instant): boolean {
    const { lastSentAt, lastHeardAt } = this.#flow
    return [lastSentAt, lastHeardAt].some((at) => at !== undefined && elapsed(at, now) < ACTIVE_MS)
  }

  /** True where there is a path in use, and nothing came over it for so long that its mappings may be gone. */
  isStale(now: Instant): boolean {
    const answered = this.#agent.answeredAt
    if (answered === undefined || this.#agent.current?.proof !== 'check') return false
    const carried = this.#flow.carriedAt
    return elapsed(carried === undefined ? answered : later(carried, answered), now) >= STALE_MS
  }

  /** Begins or ends the watch, as there is traffic and a path. */
  settle(now: Instant): void {
    if (this.#agent.current === undefined || !this.isActive(now)) this.#watchAt = undefined
    else this.#watchAt ??= this.#nextLook(now)
  }

  get nextWake(): Instant | undefined {
    return this.#watchAt
  }

  /** Asks the path in use where that is due. */
  wake(now: Instant): void {
    if (this.#watchAt === undefined || this.#watchAt > now) return
    const answered = this.#agent.answeredAt
    if (answered !== undefined) {
      const silent = this.#silentSince(answered)
      const isSilent = silent !== undefined && elapsed(silent, now) >= SILENCE_MS
      if (isSilent || elapsed(answered, now) >= KEEPALIVE_MS) this.#agent.probe(now)
    }
    this.#watchAt = this.#nextLook(now)
  }

  /** Since when what was sent has gone unanswered: nothing came over the path, and it answered no check either. */
  #silentSince(answered: Instant): Instant | undefined {
    const { unheardSince, lastSentAt } = this.#flow
    if (unheardSince === undefined || lastSentAt === undefined || lastSentAt <= answered) return undefined
    return later(unheardSince, answered)
  }

  #nextLook(now: Instant): Instant {
    const answered = this.#agent.answeredAt
    const fresh = after(now, SILENCE_MS)
    if (answered === undefined) return fresh
    const silent = this.#silentSince(answered)
    const due = earliest(after(silent ?? now, SILENCE_MS), after(answered, KEEPALIVE_MS))
    // What is due already was asked just now.
    return due === undefined || due <= now ? fresh : due
  }
}
