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

import { equals } from 'uint8arrays'
import type { SocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import { after, earliest, elapsed, type Instant, type Now, SECOND } from '../../base/time.js'
import { MAX_RELAYED_SESSIONS, type RelayedSession, SESSION_NONCE_LENGTH } from '../../wire/knock.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import type { LocalSocket, MachineRoute, RelayOffer } from '../inputs.js'
import type { PathAgent } from '../path/agent.js'
import { type Route, sameRoute } from '../path/path.js'
import { isUsable, socketsFor } from '../path/reachability.js'
import { sealedRequest } from './asking.js'
import { AskPace } from './askPace.js'
import { ClientSession, type RelayRequest, type SessionContext, sameNonce } from './clientSession.js'
import { Invitations } from './invitations.js'
import type { ChosenRelay, RelayOffers } from './offers.js'
import type { RelayStreams } from './streams.js'
import { Trust } from './trust.js'

/** One carries the traffic, the other takes its place. */
const KEPT = 2

/** A relay ends a session that both sides have not bound after 15 s. What carries nothing until then is of no use. */
const USELESS_MS = 14 * SECOND
/** A relay is avoided for so long after that, while there are others. */
const AVOID_MS = 120 * SECOND

/** One that is idle is ended by its relay after 90 s. */
const IDLE_MS = 80 * SECOND

/** One knock tells of relays that grant at about the same time. */
const GATHER_MS = 30

/** A session in use that its relay says nothing of is kept for so many times. */
const MOST_MISSED = 4

const MAX_WAYS = 4
/** Sessions that ended, but may still be in use by the peer. */
const MAX_ENDED = 8

/** Why a session may end though its relay did what it should, as far as we know. */
const IDLE = 'it was idle for too long'
const CARRIES_NOTHING = 'it carries nothing'
const FAULTLESS: ReadonlySet<string> = new Set([IDLE, CARRIES_NOTHING])

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

/** What all peers of a node share. */
export interface RelayContext extends SessionContext {
  readonly ownKey: PublicKey
  readonly random: Random
  readonly offers: RelayOffers
  readonly streams: RelayStreams
  readonly machine: () => {
    readonly sockets: readonly LocalSocket[]
    readonly routes: readonly MachineRoute[]
  }
}

export interface RelayingParts {
  readonly agent: PathAgent
  readonly context: RelayContext
  /** The peer's libp2p identity, as far as known: it may itself be a relay. */
  readonly peerIdentity: () => Uint8Array | undefined
  /** Whether an address that the peer names may mean the same here. */
  readonly isPlausible: (ip: string) => boolean
  readonly log: (message: string, fields: Readonly<Record<string, string | number>>) => void
}

/** What is wanted of the relays now. */
export interface Situation {
  /** True while the peer is looked for. */
  readonly isWanted: boolean
  /** True where there was traffic lately. */
  readonly isActive: boolean
}

export class Relaying {
  readonly #parts: RelayingParts
  #sessions: ClientSession[] = []
  #ended: ClientSession[] = []
  readonly #trust = new Trust()
  /** Relays whose sessions carried nothing to this peer. */
  #avoided: readonly { readonly offer: RelayOffer; readonly until: Instant }[] = []
  #hasAsked = false
  readonly #pace = new AskPace()
  readonly #invitations = new Invitations()
  /** When the peer is to be told of what was granted. */
  #tellAt: Instant | undefined = undefined
  #heardOfPeerAt = LONG_AGO
  #nextWake: Instant | undefined = undefined
  /** Changes where a knock has something new to say. */
  news = 0

  constructor(parts: RelayingParts) {
    this.#parts = parts
  }

  /** The sessions that we asked for, as a knock names them. */
  get named(): readonly RelayedSession[] {
    return this.#sessions
      .filter(({ offer }) => offer !== undefined)
      .slice(-MAX_RELAYED_SESSIONS)
      .map(({ nonce, addresses }) => ({ nonce, addresses }))
  }

  /** False while the answer to a knock had better wait for a session that it is to name. */
  isReadyToAnswer(now: Instant): boolean {
    return !this.#invitations.isInvited(now) || !this.#sessions.some(isAsked)
  }

  /** An effort to reach the peer begins: what there is may be stale, and what failed before may work now. */
  begin(now: Instant): void {
    this.#pace.encourage()
    this.#parts.context.streams.wanted(this.#parts.peerIdentity(), now)
    this.bindAgain(now)
  }

  /** Relays are to learn where we are, and we whether they live. */
  bindAgain(now: Instant): void {
    this.#expire(now)
    for (const session of this.#sessions) session.renew(now)
  }

  /** Our sockets or routes, or our address as others see it, changed. */
  moved({ isWanted, isActive }: Situation, now: Instant): void {
    const { sockets, routes } = this.#parts.context.machine()
    for (const session of this.#sessions) {
      session.machineChanged(
        (way) => isUsable(way, sockets, routes),
        (addresses) => this.#waysTo(addresses),
        now,
      )
    }
    this.#offer(now)
    if (isWanted || isActive) this.bindAgain(now)
  }

  /** UDP works again, or streams have come or gone: sessions move to the best way there is. */
  waysChanged(now: Instant): void {
    this.#pace.encourage()
    const { sockets, routes } = this.#parts.context.machine()
    for (const session of this.#sessions) {
      const { way, offer } = session
      const ways = this.#waysTo(session.addresses)
      if (way === undefined) {
        if (!this.#parts.context.offers.isSilent) continue
        // What is under way over UDP comes to nothing.
        if (session.isAsking && offer !== undefined)
          session.askOver(this.#parts.context.offers.routesTo(offer), now)
        else if (session.isBinding) session.bind(ways, now)
        continue
      }
      const isStream = (socket: number) =>
        sockets.some(({ id, purpose }) => id === socket && purpose === 'stream')
      const [best] = ways
      const isWorking = isUsable(way, sockets, routes)
      if (best === undefined || (isWorking && isStream(way.socket) === isStream(best.socket))) continue
      // It carries the traffic until another one does: a session is known at one address at a time.
      const others = this.#sessions.filter((other) => other !== session && other.way !== undefined)
      if (isWorking && this.#isInUse(way) && others.length > 0) continue
      session.bind(ways, now)
    }
  }

  /** True where a session of this peer's is bound over a socket. */
  uses(socket: number): boolean {
    return this.#sessions.some(({ way }) => way?.socket === socket)
  }

  /** The mesh offers further relays. */
  offersChanged(): void {
    this.#pace.encourage()
  }

  /** The peer knocked, or answered a knock, and named these; `needsPath` where nothing reaches it for sure. */
  heard(named: readonly RelayedSession[], needsPath: boolean, now: Instant): void {
    this.#heardOfPeerAt = now
    this.#parts.context.streams.wanted(this.#parts.peerIdentity(), now)
    this.#expire(now)
    for (const session of named) if (session.addresses.length > 0) this.#join(session, now)
    const count = named.filter(({ addresses }) => addresses.length === 0).length
    this.#invitations.promised(count, now)
    if (needsPath && this.#live(now) === 0) this.#invitations.invite(now)
  }

  /** An authenticated check of the peer's came in; where it passed through a relay, that is a way to answer. */
  checkReceived(from: Route, now: Instant): void {
    const session = [...this.#sessions, ...this.#ended].find((each) => each.isAt(from.remote))
    if (session === undefined || session.way !== undefined) return
    session.heard(from, now)
    if (!this.#sessions.includes(session)) this.#sessions.push(session)
    this.#ended = this.#ended.filter((each) => each !== session)
    this.#offer(now)
  }

  /** A relay answered a request of ours; see {@link ClientSession.answered}. */
  answered(request: RelayRequest, response: DecodedStun, from: Route, now: Now): void {
    const { session } = request
    if (!this.#sessions.includes(session)) return
    const wasAsking = session.isAsking
    session.answered(request, response, from, (addresses) => this.#waysTo(addresses), now.instant)
    if (!wasAsking || session.isAsking || session.hasEnded || session.offer === undefined) return
    this.#parts.context.offers.succeeded(session.offer)
    this.#tellAt ??= after(now.instant, GATHER_MS)
  }

  /** Does what is due. */
  settle({ isWanted, isActive }: Situation, now: Now): void {
    const { instant } = now
    this.#expire(instant)
    this.#judge(instant)
    this.#bury(instant)
    const wanted = this.#wanted(isWanted, isActive, instant)
    const live = this.#live(instant)
    if (live < wanted && instant >= this.#pace.notBefore) this.#ask(wanted - live, now)
    if (isActive) this.#renew(instant)
    for (const session of this.#sessions) while (session.wake(now)) this.#silent(session, instant)
    this.#bury(instant)
    if (this.#tellAt !== undefined && (instant >= this.#tellAt || !this.#sessions.some(isAsked))) {
      this.#tellAt = undefined
      this.news += 1
    }
    this.#offer(instant)
    this.#nextWake = this.#due(isActive, this.#wanted(isWanted, isActive, instant), instant)
  }

  get nextWake(): Instant | undefined {
    return this.#sessions.reduce((next, session) => earliest(next, session.nextWake), this.#nextWake)
  }

  /** The interface has the peer no longer. */
  close(): void {
    const gone = new Set([...this.#sessions, ...this.#ended])
    this.#parts.context.transactions.forget(({ session }) => gone.has(session))
  }

  // Asking

  /** How many sessions carry, or may soon, those that the peer is asking for among them. */
  #live(now: Instant): number {
    return this.#sessions.filter(isOfUse).length + this.#invitations.expected(now)
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
        taken: this.#sessions
          .flatMap(({ addresses, offer }) => [...addresses, ...(offer?.addresses ?? [])])
          .map(ipOf),
        peer: this.#parts.peerIdentity(),
        isAvoided: (offer) => this.#avoided.some((each) => equals(each.offer.identity, offer.identity)),
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
    session.ask(sealed, routes, now.instant)
    this.#sessions.push(session)
  }

  // Joining what the peer asked for

  #join({ nonce, addresses }: RelayedSession, now: Instant): void {
    const { agent, context, isPlausible } = this.#parts
    if (this.#sessions.some((session) => sameNonce(session, { nonce }))) return
    const theirs = this.#sessions.filter(({ offer }) => offer === undefined)
    if (theirs.length >= MAX_RELAYED_SESSIONS && !this.#displace(theirs, now)) return
    if (!this.#trust.admits(theirs.filter(({ isBinding }) => isBinding).length, now)) return
    const plausible = addresses.filter(({ ip }) => isPlausible(ip))
    const ways = this.#waysTo(plausible)
    if (ways.length === 0) return
    // What was decoded is a view.
    const kept = nonce.slice()
    const keys = agent.keys.relaySession(kept)
    const session = new ClientSession({ peer: agent.peer, nonce: kept, keys, offer: undefined, context }, now)
    session.addresses = plausible
    session.bind(ways, now)
    this.#sessions.push(session)
  }

  /** Makes room for a session that the peer names; false where all carry something. */
  #displace(theirs: readonly ClientSession[], now: Instant): boolean {
    const least = theirs.find(
      ({ way }) => way === undefined || this.#parts.agent.proofOf(way)?.isSound !== true,
    )
    // Nobody has answered there yet.
    if (least?.isBinding === true) this.#trust.failed(now)
    least?.end('the peer named others')
    return least !== undefined
  }

  // What becomes of them

  /** Ends those that their relays have ended by now. */
  #expire(now: Instant): void {
    for (const session of this.#sessions) {
      const { boundAt } = session
      if (boundAt !== undefined && elapsed(boundAt, now) >= IDLE_MS) session.end(IDLE)
    }
    this.#bury(now)
  }

  #judge(now: Instant): void {
    const { agent } = this.#parts
    for (const session of this.#sessions) {
      const { way } = session
      if (way === undefined) continue
      const proof = agent.proofOf(way)
      if (proof?.isSound === true) {
        // Once: one that carries on must not hide that the other relays come to nothing.
        if (!session.wasProved && session.offer !== undefined) this.#pace.succeeded()
        session.wasProved = true
        session.rttMs = proof.rttMs
        session.isDoubted = false
      } else if (proof !== undefined && !session.isDoubted) {
        session.isDoubted = true
        session.renew(now)
        agent.ask(way, now)
      } else if (proof === undefined && (session.wasProved || elapsed(session.since, now) >= USELESS_MS)) {
        this.#carriesNothing(session, now)
      }
      if (session.missed >= (this.#isInUse(way) ? MOST_MISSED : 1))
        session.end('the relay does not answer any more')
    }
  }

  #carriesNothing(session: ClientSession, now: Instant): void {
    session.end(CARRIES_NOTHING)
    const { offer } = session
    // If the peer is not there, that is not the relay's fault.
    if (offer === undefined || this.#heardOfPeerAt < session.begunAt) return
    this.#avoided = [...this.#avoided, { offer, until: after(now, AVOID_MS) }]
  }

  /** Nobody answered at one of its addresses. */
  #silent(session: ClientSession, now: Instant): void {
    if (session.offer !== undefined || session.wasBound) return
    this.#trust.failed(now)
    const others = this.#sessions.filter(
      (each) => each !== session && each.offer === undefined && each.isBinding,
    )
    if (session.isBinding && !this.#trust.admits(others.length, now))
      session.end('nobody answers where the peer says')
  }

  /** Takes out those that have ended. */
  #bury(now: Instant): void {
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
  #renew(now: Instant): void {
    for (const session of this.#best()) {
      if (session.renewalDueAt === undefined || session.renewalDueAt > now || session.way === undefined)
        continue
      session.renew(now)
      this.#parts.agent.ask(session.way, now)
    }
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

  #offer(now: Instant): void {
    this.#parts.agent.offerRelayed(
      this.#sessions.flatMap(({ way, rttMs }) => (way === undefined ? [] : [{ ...way, carriedMs: rttMs }])),
      now,
    )
  }

  #due(isActive: boolean, wanted: number, now: Instant): Instant | undefined {
    let next: Instant | undefined
    for (const session of this.#sessions) {
      if (session.way !== undefined && !session.wasProved)
        next = earliest(next, after(session.since, USELESS_MS))
    }
    if (isActive) for (const { renewalDueAt } of this.#best()) next = earliest(next, renewalDueAt)
    const { notBefore } = this.#pace
    if (this.#live(now) < wanted && notBefore > now) next = earliest(next, notBefore)
    next = earliest(next, this.#tellAt)
    next = earliest(next, this.#invitations.due(now))
    return next
  }

  #isInUse(way: Route): boolean {
    const { current } = this.#parts.agent
    return current !== undefined && sameRoute(current, way)
  }

  /** One socket for each address first: a relay knows us at one. */
  #waysTo(addresses: readonly SocketAddress[]): readonly Route[] {
    const { sockets, routes } = this.#parts.context.machine()
    const each = addresses.map((remote) =>
      this.#parts.context.offers
        .inOrder(socketsFor(remote.ip, sockets, routes))
        .map(({ id }) => ({ socket: id, remote })),
    )
    return [...each.flatMap((ways) => ways.slice(0, 1)), ...each.flatMap((ways) => ways.slice(1))].slice(
      0,
      MAX_WAYS,
    )
  }
}

/** Ours, and not granted yet. */
function isAsked(session: ClientSession): boolean {
  return session.isAsking
}

/** True for one that carries, or may soon. */
function isOfUse(session: ClientSession): boolean {
  return !session.hasEnded && session.missed === 0 && !session.isDoubted
}

function ipOf({ ip }: SocketAddress): string {
  return ip
}
