/**
 * Paths to one peer: candidates are paired with our sockets, pairs are checked, proved pairs are paths, one is in use.
 *
 *   candidates ─► pairs ─► checks in a series ─► answered: proved ─► the best proved one is in use
 *                  ▲                                                    │ asked again while there is traffic
 *      an authenticated check from elsewhere                            ▼
 *      (a peer-reflexive candidate)                        unanswered: suspect, in use until a better one is proved;
 *                                                          a suspect one out of use that fails a series is forgotten
 *
 * This is RFC 8445 without its roles: no controlling side, no nomination. Each side uses the best path that it has
 * proved by itself, and takes what comes over any proved path.
 */

import { type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { type Backoff, backoffMs } from '../../base/backoff.js'
import type { PublicKey } from '../../base/publicKey.js'
import { isStreamAddress } from '../../base/streamAddress.js'
import { after, earliest, elapsed, type Instant, type Now, SECOND } from '../../base/time.js'
import type { PairKeys } from '../../crypto/pair.js'
import type { Candidate, CandidateType } from '../../wire/candidate.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, MachineRoute, SocketId } from '../inputs.js'
import { Chase } from './chase.js'
import { CheckLedger } from './checkLedger.js'
import { candidatePriority, encodeCheck } from './checks.js'
import { choosePath, type Rated } from './choice.js'
import { type Path, type Proof, type Route, sameRoute } from './path.js'
import type { PunchBudget } from './punchLimits.js'
import { isUsable, socketsFor } from './reachability.js'
import type { Transactions } from './transactions.js'

/** Milliseconds to wait after each check of a series; after the last wait the series has failed. */
type Series = readonly number[]

/** A hole is bored: often at first, because the peer begins when the knock arrives, then ever more rarely. */
const PUNCH: Series = [100, 150, 250, 500, 1_000, 2_000, 3_000]

/** A path in use is asked whether it still carries; the waits grow with its round trip. */
const PROBE: Series = [250, 250, 250]
const PROBE_ROUND_TRIPS = 2

/** The same where there is a sign that it does not: what goes over it meanwhile is lost. */
const QUICK_PROBE: Series = [50, 50, 100]

/** The same where traffic goes over another path as well: nothing is lost meanwhile, so a verdict may take its time. */
const THOROUGH_PROBE: Series = [50, 100, 200, 400, 500]

/** Of the paths that are not in use so many are asked with it at once. */
const MAX_ASKED_BESIDES = 4

/** A peer that knocks has an address checked so often at once; if that comes to nothing, ever more rarely. It may be another's. */
const FREE_SERIES = 3
const ON_KNOCK_MS: Backoff = { first: 8 * SECOND, longest: 60 * SECOND }

/** What comes in brings no check to that address forward to less than this after the last (Ta of RFC 8445 section 14.2). */
const PACE_MS = 50

/** The whole of {@link PUNCH}: how long an effort lasts. */
export const PUNCH_MS = PUNCH.reduce((sum, gap) => sum + gap, 0)

/** Bounds what one peer's record, and its peer-reflexive addresses, may make us check. */
const MAX_PAIRS = 64

/** A peer that answers no checks leaves a proof wherever it was. Of those out of use so many are kept, the latest. */
const MAX_HANDSHAKE_PROOFS = 4

interface ProofState {
  readonly kind: Proof
  readonly at: Instant
  answeredAt: Instant
  rttMs: number | undefined
  suspect: boolean
}

interface SeriesState {
  readonly waits: Series
  readonly isQuick?: boolean
  sent: number
  nextAt: Instant
  /** When its first check was sent. */
  begunAt?: Instant
}

interface Pair extends Route {
  type: CandidateType
  readonly throughStream: boolean
  /** False where the peer does not name the address, or no longer: then only a proof, or a series of checks, keeps the pair. */
  offered: boolean
  proof: ProofState | undefined
  series: SeriesState | undefined
  /** Series that knocks of the peer began, all in vain so far, and when the next may. */
  readonly onKnock: { count: number; notBefore: Instant }
}

/** What a check is about: the subject of its transaction. */
export interface CheckSubject {
  readonly agent: PathAgent
  readonly route: Route
  /** Of a check that was padded, to learn what the path carries: its length in bytes. */
  readonly size?: number
}

/** What all agents of a node share. */
export interface PathContext {
  readonly emit: Emit
  readonly transactions: Transactions<CheckSubject>
  /** The budget of checks that punch, for all peers. */
  readonly punching: PunchBudget
  /** The shared ones. */
  sockets: readonly LocalSocket[]
  /** Those of birthday punching, which are paired with nothing: what comes in over them makes pairs. */
  punchingSockets: readonly LocalSocket[]
  /** Streams that stand in for UDP. */
  streamSockets: readonly LocalSocket[]
  routes: readonly MachineRoute[]
}

/** What the checks, or WireGuard's handshakes, have proved. */
export interface Proved {
  /** The path in use. */
  readonly current: Path | undefined
  /** Remote addresses of all proved paths, and when the peer last answered there. */
  readonly remotes: readonly { readonly remote: SocketAddress; readonly answeredAt: Instant }[]
  /** Paths that are not in use, but were proved by a check and are not suspect. */
  readonly besides: readonly Beside[]
}

export interface Beside {
  readonly path: Path
  readonly answeredAt: Instant
}

export class PathAgent {
  readonly peer: PublicKey
  readonly keys: PairKeys
  readonly #context: PathContext
  /** Whether we hold a first message back; each check says so. */
  readonly #holdsFirstMessage: () => boolean
  #candidates: readonly Candidate[] = []
  /** Where member relays pass on what goes to the peer. */
  #relayed: readonly Route[] = []
  #pairs: Pair[] = []
  #current: Pair | undefined = undefined
  #proved: Proved | undefined = undefined
  readonly #chase = new Chase()
  /** For those who ask; nothing is decided by it. */
  readonly ledger = new CheckLedger()
  /** True where the peer said in its last check or answer that it holds a first message back. */
  peerHolds = false

  constructor(peer: PublicKey, keys: PairKeys, context: PathContext, holdsFirstMessage: () => boolean) {
    this.peer = peer
    this.keys = keys
    this.#context = context
    this.#holdsFirstMessage = holdsFirstMessage
  }

  /** What is proved: the same object until that changes. */
  get proved(): Proved {
    this.#proved ??= this.#describeProved()
    return this.#proved
  }

  /** The path in use. */
  get current(): Path | undefined {
    return this.proved.current
  }

  /** True where there is a path in use and it answers. */
  get isSound(): boolean {
    return this.#current?.proof !== undefined && !this.#current.proof.suspect
  }

  /** True where the path in use answers, and nobody passes its packets on. */
  get isDirect(): boolean {
    return this.isSound && this.#current?.type !== 'relayed'
  }

  /** When the path in use was last known to carry; undefined where there is none. */
  get answeredAt(): Instant | undefined {
    return this.#current?.proof?.answeredAt
  }

  /** When the path in use was asked something that it has not answered yet. */
  get askedAt(): Instant | undefined {
    return this.#current?.series?.begunAt
  }

  /** True while checks are under way that may prove a first path. */
  get isPunching(): boolean {
    return this.#pairs.some((pair) => pair.series !== undefined && pair.proof === undefined)
  }

  /** How many remote addresses are known and may be tried. */
  get triable(): number {
    return this.#pairs.length
  }

  /** Whether a path, or what may become one, has this socket. */
  uses(socket: SocketId): boolean {
    return this.#pairs.some((pair) => pair.socket === socket)
  }

  /** Whether something can be sent over a route: its socket is open, and no tunnel leads there. */
  mayUse(route: Route): boolean {
    const { sockets, punchingSockets, streamSockets, routes } = this.#context
    return isUsable(route, [...sockets, ...punchingSockets, ...streamSockets], routes)
  }

  /** The peer is at these addresses now; those no longer named are forgotten unless they are proved. */
  offer(candidates: readonly Candidate[]): void {
    // Which addresses are relays is not for the peer to say. Whoever sent to a mapped address sees the peer there as well:
    // what is said of an address first counts.
    this.#candidates = candidates.filter(
      ({ type, address }, index) =>
        type !== 'relayed' &&
        candidates.findIndex((each) => sameSocketAddress(each.address, address)) === index,
    )
    this.#pairUp()
  }

  /**
   * Over these routes member relays pass on what goes to the peer, and no others: what was proved over one that is gone
   * holds no longer. New ones are checked at once, and cost nothing of the budget of punching: the relay has shown that it
   * is one, and nobody else's address is tried. One that has carried from another socket of ours until now, with a round
   * trip of `carriedMs`, is a path at once: the peer is there, and only we have moved.
   */
  offerRelayed(routes: readonly (Route & { readonly carriedMs?: number | undefined })[], now: Instant): void {
    const [gone, added] = [without(this.#relayed, routes), without(routes, this.#relayed)]
    if (gone.length === 0 && added.length === 0) return
    this.#relayed = routes
    for (const pair of this.#pairs) {
      if (!gone.some((route) => sameRoute(route, pair))) continue
      pair.proof = undefined
      pair.series = undefined
    }
    this.#pairUp()
    for (const route of added) {
      const pair = this.#find(route)
      if (pair === undefined || pair.proof !== undefined) continue
      const rttMs = routes.find((each) => sameRoute(each, route))?.carriedMs
      if (rttMs === undefined) pair.series = { waits: PUNCH, sent: 0, nextAt: now }
      else {
        pair.proof = { kind: 'check', at: now, answeredAt: now, rttMs, suspect: false }
        this.#askAnew(pair, QUICK_PROBE, now)
      }
    }
    this.#choose()
  }

  /** True where the peer is known, or was said, to be there. */
  knows(route: Route): boolean {
    return this.#find(route) !== undefined
  }

  /** What is known of a way to the peer; undefined where nothing was proved over it. */
  proofOf(route: Route): { readonly isSound: boolean; readonly rttMs: number | undefined } | undefined {
    const proof = this.#find(route)?.proof
    return proof && { isSound: !proof.suspect, rttMs: proof.rttMs }
  }

  /** The sockets or routes of the machine changed. */
  machineChanged(): void {
    this.#pairs = this.#pairs.filter((pair) => this.mayUse(pair))
    this.#pairUp()
    this.#choose()
  }

  /**
   * Checks every pair from the beginning, the most promising first; those that are proved are only asked. `onKnock` where
   * only the peer wants that: then what came to nothing is checked ever more rarely.
   */
  punch(now: Instant, onKnock = false): void {
    this.#chase.begin(now)
    for (const pair of this.#pairs) {
      if (onKnock && pair.proof === undefined && !mayPunchOnKnock(pair, now)) continue
      // An address that only a check named is tried once for that check.
      if (pair.type === 'peer-reflexive' && pair.series?.waits === PUNCH) continue
      if (pair.proof !== undefined && !pair.proof.suspect) this.#ask(pair, pair.proof, now)
      else if (pair.series?.waits !== PUNCH || pair.series.sent > 0)
        pair.series = { waits: PUNCH, sent: 0, nextAt: now }
    }
  }

  /** Asks the path in use whether it still carries, unless that is being done. */
  probe(now: Instant): void {
    const pair = this.#current
    if (pair?.proof !== undefined) this.#ask(pair, pair.proof, now)
  }

  /** Asks a proved path, in use or not, whether it still carries. */
  ask(route: Route, now: Instant): void {
    const pair = this.#find(route)
    if (pair?.proof !== undefined) this.#ask(pair, pair.proof, now)
  }

  /** The peer uses another way than we do: ours may have died, and what comes over the other would hide it. */
  probeQuickly(now: Instant): void {
    this.#askAnew(this.#current, QUICK_PROBE, now)
  }

  /** Asks the path in use, or it and the first of these others, several times before it is judged. */
  askThoroughly(besides: readonly Route[], now: Instant): void {
    const asked = [this.#current, ...besides.slice(0, MAX_ASKED_BESIDES).map((route) => this.#find(route))]
    for (const pair of asked) this.#askAnew(pair, THOROUGH_PROBE, now)
  }

  /** The path in use is not believed in any more. It stays in use until a better one is proved. */
  suspect(): void {
    if (this.#current?.proof !== undefined) this.#current.proof.suspect = true
    this.#choose()
  }

  /** Suspects the path in use if the peer, which has just said where it is, is no longer there. */
  suspectWithdrawn(): void {
    const pair = this.#current
    if (pair !== undefined && !pair.offered && pair.type !== 'peer-reflexive') this.suspect()
  }

  /** Everything was tried: suspect paths are no paths any more. */
  giveUp(): void {
    for (const pair of this.#pairs) {
      if (pair.proof?.suspect === true) pair.proof = undefined
      pair.series = undefined
    }
    this.#dropUnoffered()
    this.#choose()
  }

  /**
   * An authenticated check came in: where it came from, the peer is. It is checked in turn, at once (RFC 8445 section
   * 7.3.1.4); an address that nobody named only within limits, unless it is one that we looked for (`isExpected`).
   */
  checkReceived(from: Route, peerHolds: boolean, now: Instant, isExpected = false): void {
    this.peerHolds = peerHolds
    this.ledger.received(from.remote, now)
    const mayTry = isExpected || this.#mayChase(now)
    // One that may not be tried must not take the place of another.
    const pair = this.#find(from) ?? (mayTry ? this.#addReflexive(from) : undefined)
    if (pair === undefined) return
    const isSound = pair.proof !== undefined && !pair.proof.suspect
    const { series } = pair
    if (series !== undefined && series.sent < series.waits.length) {
      // The hole is open now, so our next check gets through; but the answer to the last one may be on its way.
      const sinceMs = (series.waits[series.sent - 1] ?? 0) - elapsed(now, series.nextAt)
      const answerMs = isSound ? (pair.proof?.rttMs ?? 0) * PROBE_ROUND_TRIPS : 0
      const leastMs = Math.max(PACE_MS, answerMs)
      const isChased = pair.type === 'peer-reflexive' && pair.proof === undefined
      if (series.sent > 0 && sinceMs >= leastMs && !isChased) series.nextAt = now
      return
    }
    // That its checks arrive does not say that ours do: the last answer to a probe is waited for no longer.
    if (isSound) return
    if (pair.offered || mayTry) pair.series = { waits: PUNCH, sent: 0, nextAt: now }
    else this.#dropUnoffered()
  }

  /**
   * Our own check over `route`, sent at `sentAt`, was answered. Over an address that nobody named it proves a path only
   * where it is one that we looked for (`isExpected`).
   */
  answered(route: Route, sentAt: Instant, peerHolds: boolean, now: Instant, isExpected = false): void {
    this.peerHolds = peerHolds
    this.ledger.answered(route.remote, now)
    const pair = this.#find(route) ?? (isExpected ? this.#addReflexive(route) : undefined)
    if (pair === undefined) return
    const sample = elapsed(sentAt, now)
    const former = pair.proof
    const rttMs = former?.rttMs === undefined ? sample : former.rttMs + (sample - former.rttMs) / 8
    pair.series = undefined
    pair.onKnock.count = 0
    pair.proof = { kind: 'check', at: former?.at ?? now, answeredAt: now, rttMs, suspect: false }
    if (!pair.offered) this.#chase.succeeded()
    this.#choose()
  }

  /** WireGuard itself uses a session whose handshake went over `route`. A path proved by checks is not displaced. */
  provedByHandshake(route: Route, now: Instant): void {
    const pair = this.#find(route) ?? this.#addReflexive(route)
    if (pair === undefined) return
    if (pair.proof?.kind === 'check' && !pair.proof.suspect) return
    pair.proof = { kind: 'handshake', at: now, answeredAt: now, rttMs: undefined, suspect: false }
    // Where such a peer was before it is no more.
    if (this.#current !== pair && this.#current?.proof?.kind === 'handshake')
      this.#current.proof.suspect = true
    this.#choose()
    this.#forgetFormerHandshakes()
  }

  /** Sends the checks that are due. True where a path in use has become suspect. */
  wake(now: Now): boolean {
    const { nextWake } = this
    if (nextWake === undefined || nextWake > now.instant) return false
    let becameSuspect = false
    for (const pair of this.#pairs) {
      const series = pair.series
      if (series === undefined || series.nextAt > now.instant) continue
      const wait = series.waits[series.sent]
      if (wait === undefined) {
        pair.series = undefined
        if (pair.type === 'peer-reflexive' && pair.proof === undefined) this.#chase.failed(now.instant)
        // A peer without Tunnelbore answers no check.
        if (pair.proof?.kind === 'handshake') continue
        if (pair.proof?.suspect === true && pair !== this.#current) {
          pair.proof = undefined
        } else if (pair.proof !== undefined) {
          becameSuspect ||= pair === this.#current && !pair.proof.suspect
          pair.proof.suspect = true
        }
        continue
      }
      const isPaced = series.waits === PUNCH && pair.type !== 'relayed'
      if (isPaced && !this.#context.punching.take(now.instant)) {
        series.nextAt = this.#context.punching.availableAt(now.instant)
        continue
      }
      this.ledger.sent(pair.type, pair.remote, now.instant)
      this.check(pair, now)
      series.begunAt ??= now.instant
      series.sent += 1
      series.nextAt = after(now.instant, wait)
    }
    this.#dropUnoffered()
    if (becameSuspect) this.#choose()
    return becameSuspect
  }

  get nextWake(): Instant | undefined {
    let next: Instant | undefined
    for (const pair of this.#pairs) next = earliest(next, pair.series?.nextAt)
    return next
  }

  /** Asks a proved pair whether it still carries, unless that is being done. */
  #ask(pair: Pair, proof: ProofState, now: Instant): void {
    if (proof.kind !== 'check' || pair.series !== undefined) return
    const wait = (proof.rttMs ?? 0) * PROBE_ROUND_TRIPS
    pair.series = { waits: PROBE.map((ms) => Math.max(ms, wait)), sent: 0, nextAt: now }
  }

  /** Asks a proved pair by `series` in place of a slower one; its last wait grows with the pair's round trip. */
  #askAnew(pair: Pair | undefined, series: Series, now: Instant): void {
    if (pair?.proof?.kind !== 'check' || pair.series?.waits === PUNCH || pair.series?.isQuick === true) return
    const last = (pair.proof.rttMs ?? 0) * PROBE_ROUND_TRIPS
    const waits = series.map((ms, index) => (index === series.length - 1 ? Math.max(ms, last) : ms))
    pair.series = { waits, sent: 0, nextAt: now, isQuick: true }
  }

  /** Sends a check over a route, which need not be a pair. */
  check({ socket, remote }: Route, now: Now): void {
    const id = this.#context.transactions.begin({ agent: this, route: { socket, remote } }, now.instant)
    this.#context.emit({
      type: 'send',
      socket,
      remote,
      datagram: encodeCheck(this.keys, id, this.#holdsFirstMessage(), now.unix),
    })
  }

  /** Asks the path in use with a check of `size` bytes, which arrives whole or not at all. */
  askWithSize(size: number, now: Now): void {
    const pair = this.#current
    if (pair === undefined) return
    const { socket, remote } = pair
    const id = this.#context.transactions.begin({ agent: this, route: { socket, remote }, size }, now.instant)
    const datagram = encodeCheck(this.keys, id, this.#holdsFirstMessage(), now.unix, size)
    this.#context.emit({ type: 'send-unfragmented', peer: this.peer, socket, remote, datagram })
  }

  #mayChase(now: Instant): boolean {
    const chased = this.#pairs.filter(
      ({ offered, proof, series }) => !offered && proof === undefined && series !== undefined,
    )
    return this.#chase.admits(chased.length, this.isSound, now)
  }

  #find(route: Route): Pair | undefined {
    return this.#pairs.find((pair) => sameRoute(pair, route))
  }

  /** Pairs every candidate with every socket that can reach it; the best first, because that is the order of checks. */
  #pairUp(): void {
    const { sockets, streamSockets, routes } = this.#context
    const usual = [...sockets, ...streamSockets]
    for (const pair of this.#pairs) pair.offered = false
    for (const route of this.#relayed) if (this.mayUse(route)) this.#pair(route, 'relayed')
    for (const { type, address } of this.#candidates) {
      for (const socket of socketsFor(address.ip, usual, routes)) {
        const route = { socket: socket.id, remote: address }
        if (!this.#relayed.some((each) => sameRoute(each, route))) this.#pair(route, type)
      }
    }
    for (const pair of this.#pairs) {
      // The peer has just said that it is no longer there.
      if (!pair.offered && pair.proof === undefined && pair.type !== 'peer-reflexive') pair.series = undefined
    }
    this.#dropUnoffered()
    this.#pairs.sort((a, b) => candidatePriority(b.type) - candidatePriority(a.type))
  }

  #pair(route: Route, type: CandidateType): void {
    const known = this.#find(route)
    if (known === undefined) {
      this.#add(route, type)
      return
    }
    known.type = type
    known.offered = true
  }

  #addReflexive(route: Route): Pair | undefined {
    return this.mayUse(route) ? this.#add(route, 'peer-reflexive') : undefined
  }

  #add(route: Route, type: CandidateType): Pair | undefined {
    if (this.#pairs.length >= MAX_PAIRS) {
      // The last is the least promising.
      const unproved = this.#pairs.findLastIndex(
        (pair) => pair.proof === undefined && pair.series === undefined && pair.type !== 'relayed',
      )
      if (unproved < 0) return undefined
      this.#pairs.splice(unproved, 1)
    }
    const pair: Pair = {
      ...route,
      type,
      throughStream:
        isStreamAddress(route.remote.ip) || this.#context.streamSockets.some(({ id }) => id === route.socket),
      offered: type !== 'peer-reflexive',
      proof: undefined,
      series: undefined,
      onKnock: { count: 0, notBefore: Number.NEGATIVE_INFINITY as Instant },
    }
    this.#pairs.push(pair)
    return pair
  }

  #forgetFormerHandshakes(): void {
    const latestFirst = this.#pairs
      .flatMap((pair) =>
        pair.proof?.kind === 'handshake' && pair !== this.#current ? [{ pair, at: pair.proof.at }] : [],
      )
      .sort((a, b) => b.at - a.at)
    for (const { pair } of latestFirst.slice(MAX_HANDSHAKE_PROOFS)) pair.proof = undefined
    this.#dropUnoffered()
  }

  /** After every change of what is offered, tried or proved. */
  #dropUnoffered(): void {
    this.#proved = undefined
    this.#pairs = this.#pairs.filter(
      (pair) => pair.offered || pair.proof !== undefined || pair.series !== undefined,
    )
  }

  #choose(): void {
    this.#proved = undefined
    const rated = this.#pairs.flatMap((pair) => rate(pair))
    const current = rated.find(({ pair }) => pair === this.#current)
    this.#current = choosePath(rated, current)?.pair
  }

  #describeProved(): Proved {
    const proof = this.#current?.proof
    return {
      current:
        this.#current === undefined || proof === undefined ? undefined : describe(this.#current, proof),
      remotes: this.#pairs.flatMap(({ remote, proof: own }) =>
        own === undefined ? [] : [{ remote, answeredAt: own.answeredAt }],
      ),
      besides: this.#pairs.flatMap((pair) =>
        pair === this.#current || pair.proof?.kind !== 'check' || pair.proof.suspect
          ? []
          : [{ path: describe(pair, pair.proof), answeredAt: pair.proof.answeredAt }],
      ),
    }
  }
}

interface RatedPair extends Rated {
  readonly pair: Pair
}

/** Those of `routes` that are not among `others`. */
function without(routes: readonly Route[], others: readonly Route[]): readonly Route[] {
  return routes.filter((route) => !others.some((other) => sameRoute(other, route)))
}

/** Whether a knock may begin a series over an unproved pair; if so, it is counted. */
function mayPunchOnKnock({ onKnock }: Pair, now: Instant): boolean {
  if (onKnock.count > 0 && now < onKnock.notBefore) return false
  onKnock.count += 1
  const inVain = onKnock.count - FREE_SERIES
  onKnock.notBefore = inVain < 0 ? now : after(now, backoffMs(ON_KNOCK_MS, inVain))
  return true
}

function rate(pair: Pair): RatedPair[] {
  if (pair.proof === undefined) return []
  return [{ path: describe(pair, pair.proof), suspect: pair.proof.suspect, pair }]
}

function describe(pair: Pair, proof: ProofState): Path {
  const { socket, remote, type, throughStream } = pair
  const path = { socket, remote, type, proof: proof.kind, provedAt: proof.at, rttMs: proof.rttMs }
  return throughStream ? { ...path, throughStream } : path
}
