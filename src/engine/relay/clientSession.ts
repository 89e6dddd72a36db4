/**
 * One session at a member relay, as one of its two sides sees it, from asking for it to its end.
 *
 *   asking ─ granted ─► binding ─ answered ─► bound ─ every 20 s, while there is traffic: bound again
 *     │                  ▲ │                    │
 *     │     named by the peer                   │
 *     ▼                    ▼                    ▼
 *   ended: refused, silent, or of no use
 *
 * A machine that moves has no network for a moment: then a session waits for a way, as long as its relay keeps it.
 *
 * Requests are paced and sent again a few times. A bind goes from one socket to one address, in turns with one of the other
 * family, or through a stream; where they stay silent, the next way is tried. What the relay's answer gives is sent back at once, which shows it that
 * we are where we seem to be (bindCookies.ts); meanwhile the session is used already. Only a relay that knows the session's key can answer either, so what no relay answers is left after
 * a few packets, whoever it was that named the address.
 */

import { equals } from 'uint8arrays'
import { familyOf, type SocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { TokenBucket } from '../../base/rateLimit.js'
import { after, type Instant, later, type Now, SECOND } from '../../base/time.js'
import type { RelaySessionKeys } from '../../crypto/relaySession.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, MachineRoute, RelayOffer } from '../inputs.js'
import { type Route, sameRoute } from '../path/path.js'
import { goesThroughStream } from '../path/reachability.js'
import type { Transactions } from '../path/transactions.js'
import { grantedAddresses, refusal } from './asking.js'
import type { RelayRoute } from './offers.js'
import { type SentRequest, SessionRequests } from './sessionRequests.js'

/** Milliseconds to wait after each request; after the last wait it has failed. */
const WAITS = [100, 200, 400, 800] as const

/** A mapping at a NAT lives longer (RFC 4787 section 4.3), and a relay ends what is idle for 90 s. */
const RENEW_MS = 20 * SECOND
/** The same where the last time nobody answered, but the session is in use. */
const RETRY_MS = 5 * SECOND

/** Cookies that are sent back at once, one after the other, where each answer brings another one. */
const MAX_ECHOES = 3

/** Who sent a request, and where it went: the subject of its transaction. */
export interface RelayRequest extends SentRequest {
  readonly peer: PublicKey
  readonly session: ClientSession
}

/** What all sessions of a node share. */
export interface SessionContext {
  readonly emit: Emit
  readonly transactions: Transactions<RelayRequest>
  /** Requests to relays, of all peers. */
  readonly budget: TokenBucket
  /** By what relays can be reached. */
  readonly machine: () => {
    readonly sockets: readonly LocalSocket[]
    readonly routes: readonly MachineRoute[]
  }
}

interface Series {
  sent: number
  nextAt: Instant
  /** True where the first one answers a cookie: it waits for no budget, having been paid for by what brought the cookie. */
  readonly isEcho?: boolean
}

type State =
  | { readonly name: 'idle' }
  | {
      readonly name: 'asking'
      readonly routes: readonly RelayRoute[]
      readonly sealed: Uint8Array
      readonly series: Series
    }
  | {
      readonly name: 'binding'
      readonly ways: readonly Route[]
      readonly series: Series
      /** Answers to binds up to this one are of former ways. */
      readonly ignored: number
    }
  | {
      readonly name: 'bound'
      readonly way: Route
      readonly at: Instant
      readonly renewal: Series | undefined
    }
  | {
      /** There is no way to the relay: the machine has no network for a moment. The relay holds the session meanwhile. */
      readonly name: 'stranded'
      readonly remote: SocketAddress
      /** When the relay last said that we are bound. */
      readonly at: Instant
      readonly carries: boolean
    }
  | { readonly name: 'ended'; readonly why: string }

export class ClientSession {
  readonly nonce: Uint8Array
  readonly keys: RelaySessionKeys
  /** The relay that we asked; undefined where the peer did. */
  readonly offer: RelayOffer | undefined
  /** Where the relay takes what is for the peer: one of each family at most. */
  addresses: readonly SocketAddress[] = []
  readonly begunAt: Instant
  /** Since when it is bound, or tries to be, where it is now. */
  since: Instant
  /** When it is to be bound again, if there is traffic; undefined where it is not bound. */
  renewalDueAt: Instant | undefined = undefined
  /** True where it ended because the relay was asked and did not answer. */
  wasSilent = false
  /** True once a relay answered: it is nobody else who is at its address. */
  wasBound = false
  /** True once a check passed through. */
  wasProved = false
  /** The round trip to the peer through it, as last measured. */
  rttMs: number | undefined = undefined
  /** True while a path through it that was proved is doubted. */
  isDoubted = false
  /** True where the relay said that it does not serve us. */
  hasRefused = false
  /** Where it was bound before; what the peer sends may still be known by it, until a check passes where it is now. */
  former: Route | undefined = undefined
  /** How often in a row it was to be bound again, and the relay was silent. */
  missed = 0
  readonly #context: SessionContext
  readonly #requests: SessionRequests
  #state: State = { name: 'idle' }
  /** Where the relay knows that we have the cookie it gave last. */
  #confirmedWay: Route | undefined = undefined
  #echoes = 0

  constructor(
    parts: {
      readonly peer: PublicKey
      readonly nonce: Uint8Array
      readonly keys: RelaySessionKeys
      readonly offer: RelayOffer | undefined
      readonly context: SessionContext
    },
    now: Instant,
  ) {
    this.nonce = parts.nonce
    this.keys = parts.keys
    this.offer = parts.offer
    this.#context = parts.context
    const { peer, context } = parts
    this.#requests = new SessionRequests({
      keys: parts.keys,
      emit: context.emit,
      begin: (sent, at) => context.transactions.begin({ ...sent, peer, session: this }, at),
    })
    this.begunAt = now
    this.since = now
  }

  get isAsking(): boolean {
    return this.#state.name === 'asking'
  }

  get isBinding(): boolean {
    return this.#state.name === 'binding'
  }

  /** Where we are bound; undefined where we are not, or not yet. */
  get way(): Route | undefined {
    return this.#state.name === 'bound' ? this.#state.way : undefined
  }

  /** When the relay last said that we are bound; undefined where we are not, or only until another way is found. */
  get boundAt(): Instant | undefined {
    const state = this.#state
    return state.name === 'bound' || state.name === 'stranded' ? state.at : undefined
  }

  /** True where it was bound until the machine lost all ways to the relay. */
  get isStranded(): boolean {
    return this.#state.name === 'stranded'
  }

  get hasEnded(): boolean {
    return this.#state.name === 'ended'
  }

  /** Why it ended. */
  get why(): string {
    return this.#state.name === 'ended' ? this.#state.why : ''
  }

  /** Asks the relay, which is reached over these routes, one after the other. */
  ask(sealed: Uint8Array, routes: readonly RelayRoute[], now: Instant): void {
    this.#state = { name: 'asking', routes, sealed, series: { sent: 0, nextAt: now } }
  }

  /** Goes on asking over other routes. */
  askOver(routes: readonly RelayRoute[], now: Instant): void {
    if (this.#state.name !== 'asking' || routes.length === 0) return
    // An answer is taken from where the request went only.
    this.#requests.forgetGrant()
    this.ask(this.#state.sealed, routes, now)
  }

  /** Binds our side; the first way is the one to prefer. With none it ends. */
  bind(ways: readonly Route[], now: Instant): void {
    this.#bind(ways, this.#requests.sequence, now)
  }

  /** Answers to binds up to `ignored` do not count any more. */
  #bind(ways: readonly Route[], ignored: number, now: Instant): void {
    this.since = now
    this.former = this.way ?? this.former
    this.wasProved = false
    this.rttMs = undefined
    this.isDoubted = false
    this.renewalDueAt = undefined
    if (ways.length === 0) this.end('its addresses cannot be reached from here')
    else {
      this.#echoes = 0
      this.#confirmedWay = undefined
      this.#state = { name: 'binding', ways, series: { sent: 0, nextAt: now }, ignored }
    }
  }

  /** A check of the peer's came through: we are bound there, whether or not we know it. */
  heard(from: Route, now: Instant): void {
    const state = this.#state
    if (state.name === 'asking' || (state.name === 'bound' && sameRoute(state.way, from))) return
    if (state.name === 'ended') this.bind([from], now)
    this.#bound(from, now)
    // The relay's answer, with its cookie, may come any moment, or be lost.
    const isConfirmed = this.#confirmedWay !== undefined && sameRoute(this.#confirmedWay, from)
    if (!isConfirmed) this.#bindAgain({ sent: 0, nextAt: after(now, WAITS[0]) })
  }

  /** Binds again where we are bound: the relay learns where we are, and we whether it lives. */
  renew(now: Instant): void {
    if (this.#state.name !== 'bound' || this.#state.renewal !== undefined) return
    this.#echoes = 0
    this.#bindAgain({ sent: 0, nextAt: now })
    this.renewalDueAt = undefined
  }

  /** Sockets or routes of ours changed: what cannot be used any more is not. */
  machineChanged(
    isUsable: (route: Route) => boolean,
    waysTo: (addresses: readonly SocketAddress[]) => readonly Route[],
    now: Instant,
  ): void {
    const state = this.#state
    if (state.name === 'asking') {
      const routes = state.routes.filter(isUsable)
      if (routes.length === 0) this.end('the relay cannot be reached from here any more')
      else this.#state = { ...state, routes }
    } else if (state.name === 'binding') {
      if (!state.ways.every(isUsable)) this.bind(waysTo(this.addresses), now)
    } else if (state.name === 'bound' && !isUsable(state.way)) {
      const { way, at } = state
      this.#goOver(waysTo(this.addresses), way.remote, at, this.wasProved && !this.isDoubted, now)
    } else if (state.name === 'stranded') {
      this.#goOver(waysTo(this.addresses), state.remote, state.at, state.carries, now)
    }
  }

  /** Goes on over another way, where there is one; the other side is bound as before, and `carries` where it was heard. */
  #goOver(ways: readonly Route[], remote: SocketAddress, at: Instant, carries: boolean, now: Instant): void {
    const there = ways.find((way) => way.remote.ip === remote.ip && way.remote.port === remote.port)
    if (ways.length === 0) this.#state = { name: 'stranded', remote, at, carries }
    else if (there === undefined || !carries) {
      this.bind(ways, now)
      return
    } else {
      // Whatever follows our bind gets there after it: nobody need wait.
      this.#state = { name: 'bound', way: there, at, renewal: { sent: 0, nextAt: now } }
    }
    this.renewalDueAt = undefined
  }

  end(why: string): void {
    this.former = undefined
    this.#state = { name: 'ended', why }
  }

  /** True for an address that is the session's. */
  isAt(remote: SocketAddress): boolean {
    return this.addresses.some(({ ip, port }) => ip === remote.ip && port === remote.port)
  }

  /** The relay answered: the integrity was verified, and that it came from where the request went. */
  answered(
    request: RelayRequest,
    response: DecodedStun,
    from: Route,
    waysTo: (addresses: readonly SocketAddress[]) => readonly Route[],
    now: Instant,
  ): void {
    if (response.messageClass !== 'success') {
      if (request.purpose === 'grant' && !this.isAsking) return
      this.hasRefused = true
      this.end(refusal(response))
    } else if (request.purpose === 'grant') {
      if (!this.isAsking) return
      this.addresses = grantedAddresses(response, from.remote.ip)
      const ways = waysTo(this.addresses)
      // The way over which it answered is known to be one.
      const isLikely = ({ socket, remote }: Route) => socket === from.socket && remote.ip === from.remote.ip
      this.bind([...ways.filter(isLikely), ...ways.filter((way) => !isLikely(way))], now)
    } else if (this.#isCurrent(request, from)) {
      this.#bindAnswered(request, response.bindCookie, from, now)
    }
  }

  /** Sends what is due. True where an address stayed silent. */
  wake(now: Now): boolean {
    const series = this.#series
    if (series === undefined || series.nextAt > now.instant) return false
    const wait = WAITS[series.sent]
    if (wait === undefined) {
      this.#unanswered(now.instant)
      return true
    }
    const { budget } = this.#context
    const isFree = series.isEcho === true && series.sent === 0
    if (!isFree && !budget.take(now.instant)) {
      series.nextAt = later(budget.availableAt(now.instant), after(now.instant, 1))
      return false
    }
    this.#send(series.sent, now)
    series.sent += 1
    series.nextAt = after(now.instant, wait)
    return false
  }

  get nextWake(): Instant | undefined {
    return this.#series?.nextAt
  }

  get #series(): Series | undefined {
    const state = this.#state
    if (state.name === 'asking' || state.name === 'binding') return state.series
    return state.name === 'bound' ? state.renewal : undefined
  }

  /**
   * Whether the answer to this bind says where we are bound now: once we are bound, only the newest bind's may say that it
   * is elsewhere.
   */
  #isCurrent({ sequence }: RelayRequest, from: Route): boolean {
    const state = this.#state
    if (state.name === 'binding') return sequence > state.ignored
    return state.name === 'bound' && (sequence === this.#requests.sequence || sameRoute(state.way, from))
  }

  #bindAnswered(
    { cookie: sent }: RelayRequest,
    given: Uint8Array | undefined,
    from: Route,
    now: Instant,
  ): void {
    const isConfirmed = given === undefined || (sent !== undefined && equals(given, sent))
    if (!isConfirmed && this.#isEchoing(given, from)) return
    // What was decoded is a view.
    this.#requests.cookie = given && { way: from, value: given.slice() }
    this.#confirmedWay = isConfirmed ? from : undefined
    this.#bound(from, now)
    if (isConfirmed) this.#echoes = 0
    // A bind over another way that left later has moved us there, or will.
    const { newestWay } = this.#requests
    const isElsewhere = newestWay !== undefined && !sameRoute(newestWay, from)
    if ((isConfirmed && !isElsewhere) || this.#echoes >= MAX_ECHOES) return
    this.#echoes += 1
    this.#bindAgain({ sent: 0, nextAt: now, isEcho: true })
  }

  /** True where this cookie is on its way back, and the answer to that will come. */
  #isEchoing(given: Uint8Array, way: Route): boolean {
    const known = this.#requests.cookie
    const isSending = this.#state.name === 'bound' && this.#state.renewal !== undefined
    return isSending && known !== undefined && sameRoute(known.way, way) && equals(known.value, given)
  }

  #bindAgain(series: Series): void {
    if (this.#state.name === 'bound') this.#state = { ...this.#state, renewal: series }
  }

  #bound(way: Route, now: Instant): void {
    this.#state = { name: 'bound', way, at: now, renewal: undefined }
    this.renewalDueAt = after(now, RENEW_MS)
    this.wasBound = true
    this.missed = 0
  }

  #unanswered(now: Instant): void {
    const state = this.#state
    if (state.name === 'asking') {
      this.wasSilent = true
      this.end('the relay does not answer')
    } else if (state.name === 'binding' && state.ways.length > this.#inTurn(state.ways).length)
      this.#bind(state.ways.slice(this.#inTurn(state.ways).length), state.ignored, now)
    else if (state.name !== 'bound') this.end('the relay does not answer at its address')
    else {
      this.missed += 1
      this.renewalDueAt = after(now, RETRY_MS)
      this.#state = { ...state, renewal: undefined }
    }
  }

  #send(count: number, now: Now): void {
    const state = this.#state
    if (state.name === 'asking') this.#requests.sendGrant(state.sealed, state.routes, count, now)
    else if (state.name === 'binding') {
      const ways = this.#inTurn(state.ways)
      const way = ways[count % ways.length]
      if (way !== undefined) this.#requests.sendBind(way, now)
    } else if (state.name === 'bound') this.#requests.sendBind(state.way, now)
  }

  /**
   * The ways over which binds take turns: the first, and the next where it is of the other family, or one of the two goes
   * through a stream, since one may go nowhere.
   */
  #inTurn(ways: readonly Route[]): readonly Route[] {
    const [first, second] = ways
    if (first === undefined || second === undefined) return ways
    const { sockets } = this.#context.machine()
    const isAlike =
      familyOf(first.remote.ip) === familyOf(second.remote.ip) &&
      goesThroughStream(first, sockets) === goesThroughStream(second, sockets)
    return isAlike ? [first] : [first, second]
  }
}

/** Whether a response came over a way that its request went. */
export function isFromAsked({ routes }: RelayRequest, from: Route): boolean {
  return routes.some((route) => sameRoute(route, from))
}

export function sameNonce(a: { readonly nonce: Uint8Array }, b: { readonly nonce: Uint8Array }): boolean {
  return equals(a.nonce, b.nonce)
}
