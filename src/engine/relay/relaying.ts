/**
 * What one peer and we have of member relays: sessions that we asked for, and those that the peer named.
 *
 *   a path is wanted ─► two relays are asked ─ granted ─► bound ─► offered to the path agent, and named by a knock
 *   the peer's knock names sessions ────────────────────► bound ─► offered to the path agent
 *
 * From there on they are ways to the peer as any other: checks pass through and prove them, and traffic takes them until
 * there is a direct path. While there is traffic the best two are kept: bound again now and then, and checked; what fails
 * is dropped, and another relay is asked. Without traffic nothing is sent, and the relay ends what is idle.
 */

import type { SocketAddress } from '../../base/address.js'
import { after, earliest, type Instant, type Now } from '../../base/time.js'
import { MAX_RELAYED_SESSIONS, type RelayedSession, SESSION_NONCE_LENGTH } from '../../wire/knock.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import type { Route } from '../path/path.js'
import { goesThroughStream, isUsable } from '../path/reachability.js'
import { sealedRequest } from './asking.js'
import { AskPace } from './askPace.js'
import { vouchedFor } from './claims.js'
import { ClientSession, type RelayRequest } from './clientSession.js'
import { Invitations } from './invitations.js'
import { Joining } from './joining.js'
import { KEPT, Keeping } from './keeping.js'
import type { ChosenRelay } from './offers.js'
import type { RelayingParts } from './relayingParts.js'
import { waysTo } from './waysToRelay.js'

/** One knock tells of relays that grant at about the same time. */
const GATHER_MS = 30

/** What is wanted of the relays now. */
export interface Situation {
  /** True while the peer is looked for. */
  readonly isWanted: boolean
  /** True where there was traffic lately. */
  readonly isActive: boolean
}

export class Relaying {
  readonly #parts: RelayingParts
  readonly #pace = new AskPace()
  readonly #kept: Keeping
  readonly #joining: Joining
  #hasAsked = false
  readonly #invitations = new Invitations()
  /** When the peer is to be told of what was granted. */
  #tellAt: Instant | undefined = undefined
  #nextWake: Instant | undefined = undefined
  /** Changes where a knock has something new to say. */
  news = 0

  constructor(parts: RelayingParts) {
    this.#parts = parts
    this.#kept = new Keeping(parts, this.#pace)
    this.#joining = new Joining(parts, this.#kept)
  }

  /** The sessions that we asked for, as a knock names them. */
  get named(): readonly RelayedSession[] {
    return this.#kept.sessions
      .filter(({ offer }) => offer !== undefined)
      .slice(-MAX_RELAYED_SESSIONS)
      .map(({ nonce, addresses }) => ({ nonce, addresses }))
  }

  /** False while the answer to a knock had better wait for a session that it is to name. */
  isReadyToAnswer(now: Instant): boolean {
    return !this.#invitations.isInvited(now) || !this.#kept.sessions.some(isAsked)
  }

  /** An effort to reach the peer begins: what there is may be stale, and what failed before may work now. */
  begin(now: Instant): void {
    this.#pace.encourage()
    this.#parts.context.streams.wanted(this.#parts.peerIdentity(), now)
    this.bindAgain(now)
  }

  /** Relays are to learn where we are, and we whether they live. */
  bindAgain(now: Instant): void {
    this.#kept.expire(now)
    for (const session of this.#kept.sessions) session.renew(now)
  }

  /** Our sockets or routes, or our address as others see it, changed. */
  moved({ isWanted, isActive }: Situation, now: Instant): void {
    const { sockets, routes } = this.#parts.context.machine()
    for (const session of this.#kept.sessions) {
      session.machineChanged(
        (way) => isUsable(way, sockets, routes),
        (addresses) => waysTo(addresses, this.#parts.context),
        now,
      )
    }
    this.#offer(now)
    if (isWanted || isActive) this.bindAgain(now)
  }

  /** UDP works again, or streams have come or gone: sessions move to the best way there is. */
  waysChanged(now: Instant): void {
    // Of those that their relays have ended none is to be bound anew.
    this.#kept.expire(now)
    this.#pace.encourage()
    const { sockets, routes } = this.#parts.context.machine()
    for (const session of this.#kept.sessions) {
      const { way, offer } = session
      const ways = waysTo(session.addresses, this.#parts.context)
      if (way === undefined) {
        if (!this.#parts.context.offers.isSilent) continue
        // What is under way over UDP comes to nothing.
        if (session.isAsking && offer !== undefined) {
          const others = this.#parts.context.offers.routesTo(offer)
          this.#parts.context.offers.asked(others, now)
          session.askOver(others, now)
        } else if (session.isBinding) session.bind(ways, now)
        continue
      }
      const [best] = ways
      const isWorking = isUsable(way, sockets, routes)
      if (
        best === undefined ||
        (isWorking && goesThroughStream(way, sockets) === goesThroughStream(best, sockets))
      )
        continue
      // It carries the traffic until another one does: a session is known at one address at a time.
      const others = this.#kept.sessions.filter(
        (other) => other !== session && (other.way !== undefined || other.isBinding),
      )
      if (isWorking && this.#kept.isInUse(way) && others.length > 0) continue
      session.bind(ways, now)
    }
  }

  /** True where a session of this peer's is bound over a socket, and its relay has not ended it by now. */
  uses(socket: number, now: Instant): boolean {
    return this.#kept.uses(socket, now)
  }

  /** The mesh offers further relays. */
  offersChanged(): void {
    this.#pace.encourage()
  }

  /** The peer knocked, or answered a knock, and named these; `needsPath` where nothing reaches it for sure. */
  heard(named: readonly RelayedSession[], needsPath: boolean, now: Instant): void {
    this.#kept.heardOfPeerAt = now
    this.#parts.context.streams.wanted(this.#parts.peerIdentity(), now)
    this.#kept.expire(now)
    for (const session of named) if (session.addresses.length > 0) this.#joining.join(session, now)
    const count = named.filter(({ addresses }) => addresses.length === 0).length
    this.#invitations.promised(count, now)
    if (needsPath && this.#live(now) === 0) this.#invitations.invite(now)
  }

  /** An authenticated check of the peer's came in; where it passed through a relay, that is a way to answer. */
  checkReceived(from: Route, now: Instant): void {
    const session = this.#kept.findAt(from.remote)
    if (session === undefined || session.way !== undefined) return
    session.heard(from, now)
    this.#kept.revive(session)
    this.#offer(now)
  }

  /** A relay answered a request of ours; see {@link ClientSession.answered}. */
  answered(request: RelayRequest, response: DecodedStun, from: Route, now: Now): void {
    const { session } = request
    if (!this.#kept.sessions.includes(session)) return
    const wasAsking = session.isAsking
    session.answered(
      request,
      response,
      from,
      (addresses) => waysTo(addresses, this.#parts.context),
      now.instant,
    )
    if (!wasAsking || session.isAsking || session.hasEnded || session.offer === undefined) return
    this.#parts.context.offers.succeeded(session.offer, from)
    this.#tellAt ??= after(now.instant, GATHER_MS)
  }

  /** Does what is due. */
  settle({ isWanted, isActive }: Situation, now: Now): void {
    const { instant } = now
    this.#kept.expire(instant)
    this.#kept.judge(instant)
    this.#kept.bury(instant)
    const wanted = this.#wanted(isWanted, isActive, instant)
    const live = this.#live(instant)
    if (live < wanted && instant >= this.#pace.notBefore) this.#ask(wanted - live, now)
    if (isActive) this.#kept.renew(instant)
    for (const session of this.#kept.sessions)
      while (session.wake(now)) this.#joining.silent(session, instant)
    this.#kept.bury(instant)
    if (this.#tellAt !== undefined && (instant >= this.#tellAt || !this.#kept.sessions.some(isAsked))) {
      this.#tellAt = undefined
      this.news += 1
    }
    this.#offer(instant)
    this.#nextWake = this.#due(isActive, this.#wanted(isWanted, isActive, instant), instant)
  }

  get nextWake(): Instant | undefined {
    let next = this.#nextWake
    for (const session of this.#kept.sessions) next = earliest(next, session.nextWake)
    return next
  }

  /** The interface has the peer no longer. */
  close(): void {
    this.#kept.close()
  }

  // Asking

  /** How many sessions carry, or may soon, those that the peer is asking for among them. */
  #live(now: Instant): number {
    return this.#kept.ofUse + this.#invitations.expected(now)
  }

  /** How many sessions there ought to be. */
  #wanted(isWanted: boolean, isActive: boolean, now: Instant): number {
    if (isWanted || (isActive && this.#hasAsked)) return KEPT
    return this.#invitations.isInvited(now) ? 1 : 0
  }

  #ask(count: number, now: Now): void {
    const { offers } = this.#parts.context
    const chosen = offers.choose(
      {
        count,
        taken: this.#kept.sessions
          .flatMap(({ addresses, offer }) => [
            ...addresses,
            ...(offer === undefined ? [] : vouchedFor(offer)),
          ])
          .map(ipOf),
        peer: this.#parts.peerIdentity(),
        isAvoided: (offer) => this.#kept.isAvoided(offer),
      },
      now.instant,
    )
    if (chosen.length < count) this.#pace.nobody(now.instant)
    for (const relay of chosen) this.#askRelay(relay, now)
  }

  #askRelay(relay: ChosenRelay, now: Now): void {
    const { agent, context, log } = this.#parts
    const { offer, routes } = relay
    const nonce = context.random.bytes(SESSION_NONCE_LENGTH)
    const keys = agent.keys.relaySession(nonce)
    const sealed = sealedRequest(relay, keys, context.ownKey, context.random, now.unix)
    if (sealed === undefined) {
      context.offers.failed(offer, true, now.instant)
      return
    }
    this.#hasAsked = true
    log('asking a relay', { ip: routes[0]?.remote.ip ?? '' })
    const session = new ClientSession({ peer: agent.peer, nonce, keys, offer, context }, now.instant)
    context.offers.asked(routes, now.instant)
    session.ask(sealed, routes, now.instant)
    this.#kept.add(session)
  }

  #offer(now: Instant): void {
    this.#parts.agent.offerRelayed(
      this.#kept.sessions.flatMap(({ way, former, rttMs }) => [
        ...(way === undefined ? [] : [{ ...way, carriedMs: rttMs }]),
        ...(former === undefined ? [] : [former]),
      ]),
      now,
    )
  }

  #due(isActive: boolean, wanted: number, now: Instant): Instant | undefined {
    let next = this.#kept.due(isActive)
    const { notBefore } = this.#pace
    if (this.#live(now) < wanted && notBefore > now) next = earliest(next, notBefore)
    next = earliest(next, this.#tellAt)
    next = earliest(next, this.#invitations.due(now))
    return next
  }
}

/** Ours, and not granted yet. */
function isAsked(session: ClientSession): boolean {
  return session.isAsking
}

function ipOf({ ip }: SocketAddress): string {
  return ip
}
