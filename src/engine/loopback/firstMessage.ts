/**
 * Our WireGuard's first message: held until there is a path, released so that it never meets the peer's own, sent again
 * where it may have been lost, and missed where it is not answered.
 *
 *   made ─► held ─► the path in use, or the way of the peer's check ─► sent ─► answered
 *                                                                       └────► unanswered: the peer is looked for
 *
 * Two first messages that cross make each WireGuard throw its own state away, and both wait for 5 s. Each check says
 * whether its sender holds one back. Where both do, the one with the lower key sends at once, and the other waits for one
 * round trip, in which the first one's arrives and makes its own needless. Where they cross nevertheless, the one with
 * the lower key does not hear the other's.
 */

import { after, earliest, elapsed, type Instant, SECOND } from '../../base/time.js'
import type { PathAgent } from '../path/agent.js'
import { type Path, type Route, sameRoute } from '../path/path.js'
import type { PathWatch } from '../roam/watch.js'
import type { Handshakes, OwnHandshake } from './handshakes.js'

/** A first message ought to be answered within this, or within three round trips. WireGuard itself repeats it after 5 s. */
const ANSWER_MS = 500
const ANSWER_ROUND_TRIPS = 3

/** How long a first message of ours makes one of the peer's wait, or two round trips. */
const GLARE_MS = 200
const GLARE_ROUND_TRIPS = 2

export interface FirstMessageParts {
  /** True where our key is the lower one. */
  readonly precedes: boolean
  readonly handshakes: Handshakes
  readonly agent: PathAgent
  readonly watch: PathWatch
  readonly send: (message: Uint8Array, over: Route, now: Instant) => void
}

/** For so long after one went unanswered, the peer's goes first: WireGuard makes three in this time. */
const REFUSED_MS = 15 * SECOND

export class FirstMessage {
  readonly #parts: FirstMessageParts
  #releaseAt: Instant | undefined = undefined
  #answerDueAt: Instant | undefined = undefined
  /** How many in a row went unanswered over a path that answers checks, and when the last answer was overdue. */
  #unanswered = 0
  #overdueAt: Instant | undefined = undefined

  constructor(parts: FirstMessageParts) {
    this.#parts = parts
  }

  /** True while one waits for a path. */
  get isHeld(): boolean {
    const own = this.#parts.handshakes.unanswered
    return own !== undefined && own.sent === undefined
  }

  /** How many in a row went unanswered over a path that answers checks. */
  get unanswered(): number {
    return this.#unanswered
  }

  /** True where the path answers checks, and nobody answers our handshakes. */
  get isIgnored(): boolean {
    return this.#unanswered > 1
  }

  /** WireGuard made one. It replaces any older. True where it was sent, and not held. */
  made(handshake: OwnHandshake, now: Instant): boolean {
    this.#releaseAt = undefined
    const { agent, watch } = this.#parts
    const path = agent.current
    if (path === undefined) return false
    const doubtful = !agent.isSound || watch.isStale(now)
    this.#send(handshake, path, { proved: agent.isSound, doubtful }, now)
    this.#expectAnswer(path, now)
    return true
  }

  /** Sends it to where a peer without Tunnelbore may be, and keeps it. */
  tryOver(handshake: OwnHandshake, route: Route, now: Instant): void {
    // Where it is under way over a sound path as well, that is where its answer is missed.
    if (handshake.sent?.doubtful === false) this.#parts.send(handshake.firstMessage, route, now)
    else this.#send(handshake, route, { proved: false, doubtful: true }, now)
  }

  /**
   * The peer's check came in, while there is no path. It has proved who is there, not yet that we reach it; but the
   * message is as likely to arrive as our answer to the check, and saves half a round trip.
   */
  followCheck(from: Route, now: Instant): void {
    const own = this.#parts.handshakes.unanswered
    if (own === undefined || own.sent !== undefined || this.#parts.agent.current !== undefined) return
    if (!this.#mayRelease()) return
    this.#send(own, from, { proved: true, doubtful: false }, now)
    this.#answerDueAt = after(now, ANSWER_MS)
  }

  /** It was answered, or the handshake proved itself otherwise. */
  answered(): void {
    this.#answerDueAt = undefined
    this.#unanswered = 0
    this.#overdueAt = undefined
  }

  /** The peer's own was handed to WireGuard, which forgets ours: sending ours now would end the peer's handshake. */
  yieldToPeer(): void {
    const own = this.#parts.handshakes.own
    if (own !== undefined) own.settled = true
    this.#answerDueAt = undefined
  }

  /** True where ours, on its way to where the peer is, goes before the peer's that came from there. */
  goesBefore(from: Route, now: Instant): boolean {
    const sent = this.#parts.handshakes.unanswered?.sent
    if (!this.#parts.precedes || sent === undefined) return false
    // Our last one went unanswered: the peer's WireGuard may refuse all of ours, as after our wall clock was set back.
    if (this.#overdueAt !== undefined && elapsed(this.#overdueAt, now) < REFUSED_MS) return false
    if (!sent.proved && !sameRoute(sent.over, from)) return false
    const rttMs = this.#parts.agent.current?.rttMs ?? 0
    return elapsed(sent.at, now) < Math.max(GLARE_MS, GLARE_ROUND_TRIPS * rttMs)
  }

  /** Sends the one that waits for a path, or that may have been lost, where there is a path now. */
  release(now: Instant): void {
    const { handshakes, agent, watch } = this.#parts
    const own = handshakes.unanswered
    const path = agent.current
    if (own === undefined || path === undefined || !agent.isSound || watch.isStale(now)) {
      this.#releaseAt = undefined
      return
    }
    if (own.sent !== undefined && !own.sent.doubtful && sameRoute(own.sent.over, path)) return
    if (own.sent === undefined && !this.#mayRelease()) {
      this.#releaseAt ??= after(now, path.rttMs ?? 0)
      if (now < this.#releaseAt) return
    }
    this.#releaseAt = undefined
    this.#send(own, path, { proved: true, doubtful: false }, now)
    this.#expectAnswer(path, now)
  }

  get nextWake(): Instant | undefined {
    return earliest(this.#releaseAt, this.#answerDueAt)
  }

  /**
   * Says what is to be thought of the path where an answer is missing: `suspect` the first time, because the peer moved
   * or died; `ask` from then on, because the path answers and the peer's WireGuard may just not know us.
   */
  wake(now: Instant): 'suspect' | 'ask' | undefined {
    if (this.#answerDueAt === undefined || this.#answerDueAt > now) return undefined
    this.#answerDueAt = undefined
    this.#overdueAt = now
    this.#unanswered += 1
    if (this.#unanswered > 1) return 'ask'
    const own = this.#parts.handshakes.unanswered
    if (own?.sent !== undefined) own.sent = { ...own.sent, doubtful: true }
    return 'suspect'
  }

  #mayRelease(): boolean {
    return this.#parts.precedes || !this.#parts.agent.peerHolds
  }

  #expectAnswer(path: Path, now: Instant): void {
    this.#answerDueAt = after(now, Math.max(ANSWER_MS, ANSWER_ROUND_TRIPS * (path.rttMs ?? 0)))
  }

  #send(
    handshake: OwnHandshake,
    over: Route,
    how: { readonly proved: boolean; readonly doubtful: boolean },
    now: Instant,
  ): void {
    handshake.sent = { at: now, over, ...how }
    this.#parts.send(handshake.firstMessage, over, now)
  }
}
