/**
 * The sessions at relays that there are for one peer, asked for or joined, and what becomes of them: the best two are kept,
 * those that carry nothing or whose relay is silent are ended, and what has ended is accounted for.
 */

import { equals } from 'uint8arrays'
import type { SocketAddress } from '../../base/address.js'
import { after, earliest, elapsed, type Instant, SECOND } from '../../base/time.js'
import type { RelayOffer, SocketId } from '../inputs.js'
import { type Route, sameRoute } from '../path/path.js'
import { goesThroughStream } from '../path/reachability.js'
import type { AskPace } from './askPace.js'
import type { ClientSession } from './clientSession.js'
import type { RelayingParts } from './relayingParts.js'
import { waysTo } from './waysToRelay.js'

/** One carries the traffic, the other takes its place. */
export const KEPT = 2

/** A relay ends a session that both sides have not bound after 15 s. What carries nothing until then is of no use. */
const USELESS_MS = 14 * SECOND
/** A relay is avoided for so long after that, while there are others. */
const AVOID_MS = 120 * SECOND

/** One that is idle is ended by its relay after 90 s. */
const IDLE_MS = 80 * SECOND

/** Where UDP is said to work and a relay is not reached by it, that is tried so often. */
const STREAM_AGAIN_MS = 120 * SECOND

/** A session in use that its relay says nothing of is kept for so many times. */
const MOST_MISSED = 4

/** Sessions that ended, but may still be in use by the peer. */
const MAX_ENDED = 8

/** Why a session may end though its relay did what it should, as far as we know. */
const IDLE = 'it was idle for too long'
const CARRIES_NOTHING = 'it carries nothing'
const FAULTLESS: ReadonlySet<string> = new Set([IDLE, CARRIES_NOTHING])

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class Keeping {
  readonly #parts: RelayingParts
  readonly #pace: AskPace
  #sessions: ClientSession[] = []
  #ended: ClientSession[] = []
  /** Relays whose sessions carried nothing to this peer. */
  #avoided: readonly { readonly offer: RelayOffer; readonly until: Instant }[] = []
  /** When the peer knocked last, or answered. */
  heardOfPeerAt = LONG_AGO

  constructor(parts: RelayingParts, pace: AskPace) {
    this.#parts = parts
    this.#pace = pace
  }

  /** Those that have not ended. */
  get sessions(): readonly ClientSession[] {
    return this.#sessions
  }

  add(session: ClientSession): void {
    this.#sessions.push(session)
  }

  /** How many carry, or may soon. */
  get ofUse(): number {
    return this.#sessions.filter(isOfUse).length
  }

  /** True for a relay whose session carried nothing a while ago. */
  isAvoided(offer: RelayOffer): boolean {
    return this.#avoided.some((each) => equals(each.offer.identity, offer.identity))
  }

  isInUse(way: Route): boolean {
    const { current } = this.#parts.agent
    return current !== undefined && sameRoute(current, way)
  }

  /** True where one is bound over a socket, and its relay has not ended it by now. */
  uses(socket: SocketId, now: Instant): boolean {
    return this.#sessions.some(
      ({ way, boundAt }) =>
        way?.socket === socket && boundAt !== undefined && elapsed(boundAt, now) < IDLE_MS,
    )
  }

  /** The session whose relay has this address, even where it has ended. */
  findAt(remote: SocketAddress): ClientSession | undefined {
    return [...this.#sessions, ...this.#ended].find((each) => each.isAt(remote))
  }

  /** The peer uses it: it has not ended after all. */
  revive(session: ClientSession): void {
    if (!this.#sessions.includes(session)) this.#sessions.push(session)
    this.#ended = this.#ended.filter((each) => each !== session)
  }

  /** Ends those that their relays have ended by now. */
  expire(now: Instant): void {
    for (const session of this.#sessions) {
      const { boundAt } = session
      if (boundAt !== undefined && elapsed(boundAt, now) >= IDLE_MS) session.end(IDLE)
    }
    this.bury(now)
  }

  /** Doubts and ends sessions by what was proved over them. */
  judge(now: Instant): void {
    const { agent } = this.#parts
    for (const session of this.#sessions) {
      const { way } = session
      if (way === undefined) continue
      const proof = agent.proofOf(way)
      if (proof?.isSound === true) {
        // Once: one that carries on must not hide that the other relays come to nothing.
        if (!session.wasProved && session.offer !== undefined) this.#pace.succeeded()
        session.wasProved = true
        session.former = undefined
        session.rttMs = proof.rttMs
        session.isDoubted = false
      } else if (proof !== undefined && !session.isDoubted) {
        session.isDoubted = true
        session.renew(now)
        agent.ask(way, now)
      } else if (proof === undefined && (session.wasProved || elapsed(session.since, now) >= USELESS_MS)) {
        this.#carriesNothing(session, now)
      }
      if (session.missed >= (this.isInUse(way) ? MOST_MISSED : 1))
        session.end('the relay does not answer any more')
    }
  }

  /** Takes out those that have ended. */
  bury(now: Instant): void {
    this.#avoided = this.#avoided.filter(({ until }) => now < until)
    const ended = this.#sessions.filter(({ hasEnded }) => hasEnded)
    if (ended.length === 0) return
    this.#sessions = this.#sessions.filter(({ hasEnded }) => !hasEnded)
    for (const { offer, why, hasRefused, addresses, wasProved, wasSilent } of ended) {
      this.#parts.log('a session at a relay ended', {
        why,
        ip: (addresses[0] ?? offer?.addresses[0])?.ip ?? '',
      })
      if (offer === undefined) continue
      if (wasProved) this.#pace.encourage()
      else if (why !== IDLE) this.#pace.failed(now)
      if (!FAULTLESS.has(why)) this.#parts.context.offers.failed(offer, hasRefused, now)
      if (wasSilent) this.#parts.context.streams.unanswered(offer, now)
    }
    this.#ended = [...this.#ended, ...ended.filter(({ addresses }) => addresses.length > 0)].slice(-MAX_ENDED)
  }

  /** Keeps the best two. */
  renew(now: Instant): void {
    for (const session of this.#best()) {
      if (session.renewalDueAt === undefined || session.renewalDueAt > now || session.way === undefined)
        continue
      const ways = this.#waysFromStream(session, now)
      if (ways !== undefined) {
        session.bind(ways, now)
        continue
      }
      session.renew(now)
      this.#parts.agent.ask(session.way, now)
    }
  }

  /** Ways to try in place of the stream over which a session is bound that is not in use; undefined for none. */
  #waysFromStream({ way, since, addresses }: ClientSession, now: Instant): readonly Route[] | undefined {
    const { context } = this.#parts
    if (way === undefined || context.offers.isSilent || this.isInUse(way)) return undefined
    // One after the other: the peer may use this one, and then has the rest meanwhile.
    if (this.#sessions.some(({ isBinding }) => isBinding)) return undefined
    const { sockets } = context.machine()
    const isStream = (route: Route) => goesThroughStream(route, sockets)
    if (!isStream(way) || elapsed(since, now) < STREAM_AGAIN_MS) return undefined
    const ways = waysTo(addresses, context)
    return ways.every(isStream) ? undefined : ways
  }

  /** When something is to be judged; `isActive` where there is traffic, for which sessions are renewed. */
  due(isActive: boolean): Instant | undefined {
    let next: Instant | undefined
    for (const session of this.#sessions) {
      if (session.way !== undefined && !session.wasProved)
        next = earliest(next, after(session.since, USELESS_MS))
    }
    if (isActive) for (const { renewalDueAt } of this.#best()) next = earliest(next, renewalDueAt)
    return next
  }

  /** The interface has the peer no longer. */
  close(): void {
    const gone = new Set([...this.#sessions, ...this.#ended])
    this.#parts.context.transactions.forget(({ session }) => gone.has(session))
  }

  #carriesNothing(session: ClientSession, now: Instant): void {
    session.end(CARRIES_NOTHING)
    const { offer } = session
    // If the peer is not there, that is not the relay's fault.
    if (offer === undefined || this.heardOfPeerAt < session.begunAt) return
    this.#avoided = [...this.#avoided, { offer, until: after(now, AVOID_MS) }]
  }

  /** Those that carry, the fastest first. */
  #best(): readonly ClientSession[] {
    return this.#sessions
      .flatMap((session) => {
        const proof = session.way && this.#parts.agent.proofOf(session.way)
        return proof?.isSound === true ? [{ session, rttMs: proof.rttMs ?? Number.MAX_SAFE_INTEGER }] : []
      })
      .sort((a, b) => a.rttMs - b.rttMs)
      .slice(0, KEPT)
      .map(({ session }) => session)
  }
}

/** True for one that carries, or may soon. */
function isOfUse(session: ClientSession): boolean {
  return !session.hasEnded && !session.isStranded && session.missed === 0 && !session.isDoubted
}
