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

import { sameSocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import { after, earliest, elapsed, type Instant, type Now } from '../../base/time.js'
import type { PairKeys } from '../../crypto/pair.js'
import type { Candidate } from '../../wire/candidate.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, MachineRoute, SocketId } from '../inputs.js'
import { Chase } from './chase.js'
import { CheckLedger } from './checkLedger.js'
import { encodeCheck } from './checks.js'
import type { Machine } from './machine.js'
import { ask, askAnew, mayPunchOnKnock, type Pair } from './pair.js'
import { Pairs } from './pairs.js'
import { type Path, type Route, sameRoute } from './path.js'
import { bestProved, describeProved, type Proved } from './proved.js'
import type { PunchBudget } from './punchLimits.js'
import { PROBE_ROUND_TRIPS, PUNCH, punching, QUICK_PROBE, THOROUGH_PROBE } from './series.js'
import type { Transactions } from './transactions.js'
import { UnprovedAddresses } from './unprovedAddresses.js'

/** Of the paths that are not in use so many are asked with it at once. */
const MAX_ASKED_BESIDES = 4

/** What comes in brings no check to that address forward to less than this after the last (Ta of RFC 8445 section 14.2). */
const PACE_MS = 50

/** What a check is about: the subject of its transaction. */
export interface CheckSubject {
  readonly agent: PathAgent
  readonly route: Route
  /** Of a check that was padded, to learn what the path carries: its length in bytes. */
  readonly size?: number
}

/** What all agents of a node share. */
export interface PathContext extends Machine {
  readonly emit: Emit
  readonly transactions: Transactions<CheckSubject>
  /** The budget of checks that punch, for all peers. */
  readonly punching: PunchBudget
  sockets: readonly LocalSocket[]
  punchingSockets: readonly LocalSocket[]
  streamSockets: readonly LocalSocket[]
  routes: readonly MachineRoute[]
}

export class PathAgent {
  readonly peer: PublicKey
  readonly keys: PairKeys
  readonly #context: PathContext
  /** Whether we hold a first message back; each check says so. */
  readonly #holdsFirstMessage: () => boolean
  #candidates: readonly Candidate[] = []
  /** Where a reflector says that the peer is; see addressWitnesses.ts. */
  #provedIp: string | undefined = undefined
  /** Where member relays pass on what goes to the peer. */
  #relayed: readonly Route[] = []
  readonly #pairs: Pairs
  readonly #unproved = new UnprovedAddresses()
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
    this.#pairs = new Pairs(context)
    this.#holdsFirstMessage = holdsFirstMessage
  }

  /** What is proved: the same object until that changes. */
  get proved(): Proved {
    this.#proved ??= describeProved(this.#pairs.all, this.#current)
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
    return this.#pairs.all.some((pair) => pair.series !== undefined && pair.proof === undefined)
  }

  /** How many remote addresses are known and may be tried. */
  get triable(): number {
    return this.#pairs.all.length
  }

  /** Whether a path, or what may become one, has this socket. */
  uses(socket: SocketId): boolean {
    return this.#pairs.all.some((pair) => pair.socket === socket)
  }

  /** Whether something can be sent over a route: its socket is open, and no tunnel leads there. */
  mayUse(route: Route): boolean {
    return this.#pairs.mayUse(route)
  }

  /**
   * The peer is at these addresses now; those no longer named are forgotten unless they are proved. That it is at
   * `provedIp`, others say too.
   */
  offer(candidates: readonly Candidate[], provedIp?: string): void {
    this.#provedIp = provedIp
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
    for (const pair of this.#pairs.all) {
      if (!gone.some((route) => sameRoute(route, pair))) continue
      pair.proof = undefined
      pair.series = undefined
    }
    this.#pairUp()
    for (const route of added) {
      const pair = this.#pairs.find(route)
      if (pair === undefined || pair.proof !== undefined) continue
      const rttMs = routes.find((each) => sameRoute(each, route))?.carriedMs
      if (rttMs === undefined) pair.series = punching(now)
      else {
        pair.proof = { kind: 'check', at: now, answeredAt: now, rttMs, suspect: false }
        askAnew(pair, QUICK_PROBE, now)
      }
    }
    this.#choose()
  }

  /** True where the peer is known, or was said, to be there. */
  knows(route: Route): boolean {
    return this.#pairs.find(route) !== undefined
  }

  /** What is known of a way to the peer; undefined where nothing was proved over it. */
  proofOf(route: Route): { readonly isSound: boolean; readonly rttMs: number | undefined } | undefined {
    const proof = this.#pairs.find(route)?.proof
    return proof && { isSound: !proof.suspect, rttMs: proof.rttMs }
  }

  /** The sockets or routes of the machine changed. */
  machineChanged(): void {
    this.#pairs.dropUnusable()
    this.#pairUp()
    this.#choose()
  }

  /**
   * Checks every pair from the beginning, the most promising first; those that are proved are only asked. `onKnock` where
   * only the peer wants that: then what came to nothing is checked ever more rarely.
   */
  punch(now: Instant, onKnock = false): void {
    this.#chase.begin(now)
    const canWait = this.isSound && !this.isDirect
    for (const pair of this.#pairs.all) {
      const mayWait = canWait && pair.remote.ip !== this.#provedIp
      if (onKnock && pair.proof === undefined && !mayPunchOnKnock(pair, mayWait, now)) continue
      if (mayWait && pair.proof === undefined && !this.#unproved.mayTry(pair)) continue
      // An address that only a check named is tried once for that check.
      if (pair.type === 'peer-reflexive' && pair.series?.waits === PUNCH) continue
      if (pair.proof !== undefined && !pair.proof.suspect) ask(pair, pair.proof, now)
      else if (pair.series?.waits !== PUNCH || pair.series.sent > 0) pair.series = punching(now)
    }
  }

  /** We are elsewhere, or may be: what was tried in vain may work now. */
  encourage(): void {
    this.#unproved.clear()
  }

  /** The peer is elsewhere, or was for a while. */
  peerMoved(): void {
    this.#unproved.allowAnother()
  }

  /** Asks the path in use whether it still carries, unless that is being done. */
  probe(now: Instant): void {
    const pair = this.#current
    if (pair?.proof !== undefined) ask(pair, pair.proof, now)
  }

  /** Asks a proved path, in use or not, whether it still carries. */
  ask(route: Route, now: Instant): void {
    const pair = this.#pairs.find(route)
    if (pair?.proof !== undefined) ask(pair, pair.proof, now)
  }

  /** The peer uses another way than we do: ours may have died, and what comes over the other would hide it. */
  probeQuickly(now: Instant): void {
    askAnew(this.#current, QUICK_PROBE, now)
  }

  /** Asks the path in use, or it and the first of these others, several times before it is judged. */
  askThoroughly(besides: readonly Route[], now: Instant): void {
    const asked = [
      this.#current,
      ...besides.slice(0, MAX_ASKED_BESIDES).map((route) => this.#pairs.find(route)),
    ]
    for (const pair of asked) askAnew(pair, THOROUGH_PROBE, now)
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
    for (const pair of this.#pairs.all) {
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
    const pair = this.#pairs.find(from) ?? (mayTry ? this.#pairs.addReflexive(from) : undefined)
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
    if (pair.offered || mayTry) pair.series = punching(now)
    else this.#dropUnoffered()
  }

  /**
   * Our own check over `route`, sent at `sentAt`, was answered. Over an address that nobody named it proves a path only
   * where it is one that we looked for (`isExpected`).
   */
  answered(route: Route, sentAt: Instant, peerHolds: boolean, now: Instant, isExpected = false): void {
    this.peerHolds = peerHolds
    this.ledger.answered(route.remote, now)
    const pair = this.#pairs.find(route) ?? (isExpected ? this.#pairs.addReflexive(route) : undefined)
    if (pair === undefined) return
    const sample = elapsed(sentAt, now)
    const former = pair.proof
    const rttMs = former?.rttMs === undefined ? sample : former.rttMs + (sample - former.rttMs) / 8
    pair.series = undefined
    pair.onKnock.count = 0
    this.#unproved.forget(pair.remote.ip)
    pair.proof = { kind: 'check', at: former?.at ?? now, answeredAt: now, rttMs, suspect: false }
    if (!pair.offered) this.#chase.succeeded()
    this.#choose()
  }

  /** WireGuard itself uses a session whose handshake went over `route`. A path proved by checks is not displaced. */
  provedByHandshake(route: Route, now: Instant): void {
    const pair = this.#pairs.find(route) ?? this.#pairs.addReflexive(route)
    if (pair === undefined) return
    if (pair.proof?.kind === 'check' && !pair.proof.suspect) return
    pair.proof = { kind: 'handshake', at: now, answeredAt: now, rttMs: undefined, suspect: false }
    // Where such a peer was before it is no more.
    if (this.#current !== pair && this.#current?.proof?.kind === 'handshake')
      this.#current.proof.suspect = true
    this.#choose()
    this.#pairs.forgetFormerHandshakes(this.#current)
    this.#proved = undefined
  }

  /** Sends the checks that are due. True where a path in use has become suspect. */
  wake(now: Now): boolean {
    const { nextWake } = this
    if (nextWake === undefined || nextWake > now.instant) return false
    let becameSuspect = false
    for (const pair of this.#pairs.all) {
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
    for (const pair of this.#pairs.all) next = earliest(next, pair.series?.nextAt)
    return next
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
    const chased = this.#pairs.all.filter(
      ({ offered, proof, series }) => !offered && proof === undefined && series !== undefined,
    )
    return this.#chase.admits(chased.length, this.isSound, now)
  }

  #pairUp(): void {
    this.#proved = undefined
    this.#pairs.pairUp(this.#candidates, this.#relayed)
  }

  /** After every change of what is offered, tried or proved. */
  #dropUnoffered(): void {
    this.#proved = undefined
    this.#pairs.dropUnoffered()
  }

  #choose(): void {
    this.#proved = undefined
    this.#current = bestProved(this.#pairs.all, this.#current)
  }
}

/** Those of `routes` that are not among `others`. */
function without(routes: readonly Route[], others: readonly Route[]): readonly Route[] {
  return routes.filter((route) => !others.some((other) => sameRoute(other, route)))
}
