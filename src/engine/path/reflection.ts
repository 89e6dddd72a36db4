/**
 * What our addresses look like from outside: plain Binding requests to reflectors (RFC 8489 section 2), from each
 * shared socket to a few reflectors at different addresses.
 *
 * The answers give server-reflexive candidates, and comparing those of different hosts tells how the NAT maps
 * (RFC 5780 section 4.3, without its second address: several hosts of the mesh take its place). A mapping dies soon when
 * nothing is sent, so an answer counts as fresh for a short time only; whoever needs our addresses asks for a refresh
 * first, and waits until this has settled.
 */

import { type AddressFamily, familyOf, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { type Dropped, type DropReason, drop } from '../../base/drops.js'
import type { Random } from '../../base/random.js'
import { isStreamAddress } from '../../base/streamAddress.js'
import { after, earliest, elapsed, type Instant } from '../../base/time.js'
import type { Candidate } from '../../wire/candidate.js'
import type { NatMapping } from '../../wire/record.js'
import { type DecodedStun, encodeStun } from '../../wire/stun/message.js'
import { BINDING } from '../../wire/stun/registry.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, MachineRoute, SocketId } from '../inputs.js'
import type { AddressProofs } from './addressProofs.js'
import type { Findings, Probed, Uplink } from './findings.js'
import { strictestMapping, toldMapping } from './natMapping.js'
import { type Route, sameRoute } from './path.js'
import { socketsFor } from './reachability.js'
import { isLate, Transactions } from './transactions.js'
import type { RoundState } from './udpReach.js'

/** Two tell the mapping; the third stands in for one that is dead. */
const REFLECTORS_PER_SOCKET = 3

/** Milliseconds between requests to one reflector. */
const WAITS = [100, 200, 400]

/** Those who wait for a fresh answer wait no longer than this after the requests began. */
const SETTLE_MS = 300

/** However many signs there are, no more often than this. */
const RENEW_MS = 1_000

/** NATs keep a UDP mapping for 30 s or more, as a rule (RFC 4787 section 4.3 asks for two minutes, and few obey). */
const FRESH_MS = 20_000

interface Inquiry extends Route {
  /** False where the last round of questions had no answer: nobody waits for it. */
  expected: boolean
  state:
    | {
        readonly name: 'asking'
        readonly sent: number
        readonly nextAt: Instant
        /** The answer to the questions before; it counts until there is a new one, or none comes. */
        readonly former: SocketAddress | undefined
      }
    | { readonly name: 'answered'; readonly at: Instant; readonly seen: SocketAddress }
    | { readonly name: 'silent' }
}

export class Reflection {
  readonly #emit: Emit
  readonly #transactions: Transactions<Route>
  readonly #proofs: AddressProofs | undefined
  /** Round trips to reflectors by IP, smoothed, of those that are asked now. */
  readonly #roundTrips = new Map<string, number>()
  #sockets: readonly LocalSocket[] = []
  #routes: readonly MachineRoute[] = []
  #reflectors: readonly SocketAddress[] = []
  #inquiries: Inquiry[] = []
  #begunAt: Instant | undefined = undefined
  #settlesAt: Instant | undefined = undefined
  /** What was known of each socket's mapping when the questions began. */
  #formerMappings: ReadonlyMap<SocketId, NatMapping> = new Map()
  #findings: Findings | undefined = undefined
  /** Counts what reflectors have seen elsewhere than before. */
  changes = 0
  #probed: Probed = { filtering: 'unknown', portDependent: false }

  constructor(emit: Emit, random: Random, proofs?: AddressProofs) {
    this.#emit = emit
    this.#proofs = proofs
    this.#transactions = new Transactions(random, 256)
  }

  /** The machine's sockets or routes, or the known reflectors changed. Where that makes a new way to ask, all are asked again. */
  change(
    change: {
      readonly sockets?: readonly LocalSocket[]
      readonly routes?: readonly MachineRoute[]
      readonly reflectors?: readonly SocketAddress[]
    },
    now: Instant,
  ): void {
    this.#sockets = change.sockets ?? this.#sockets
    this.#routes = change.routes ?? this.#routes
    this.#reflectors = change.reflectors ?? this.#reflectors
    this.#findings = undefined
    const former = this.#inquiries
    this.#inquiries = this.#wanted().map(
      (route) =>
        former.find((inquiry) => sameRoute(inquiry, route)) ?? {
          ...route,
          expected: true,
          state: { name: 'silent' },
        },
    )
    this.#proofs?.ask(this.#inquiries)
    for (const ip of [...this.#roundTrips.keys()])
      if (!this.#inquiries.some(({ remote }) => remote.ip === ip)) this.#roundTrips.delete(ip)
    if (this.#inquiries.some((inquiry) => !former.includes(inquiry))) this.#begin(now)
  }

  /** Asks again, unless the answers are fresh or on their way. */
  refresh(now: Instant): void {
    if (this.#isFresh(now) || !this.settled(now)) return
    this.#begin(now)
  }

  /** Asks again although the answers are fresh, because there is a sign that they may be wrong by now. */
  renew(now: Instant): void {
    if (this.#begunAt !== undefined && elapsed(this.#begunAt, now) < RENEW_MS) return
    this.#begin(now)
  }

  /** True where there is nothing worth waiting for: all answered, or for long enough nobody did. */
  settled(now: Instant): boolean {
    if (this.#settlesAt === undefined || now >= this.#settlesAt) return true
    return this.#eachExpecting((own) => own.some(({ state }) => state.name === 'answered'))
  }

  /** When {@link settled} becomes true at the latest; undefined where time alone makes no difference to it. */
  get settlesAt(): Instant | undefined {
    return this.#settlesAt
  }

  /** True where reflectors were asked, and none of them answered in the last round, nor was one awaited. */
  get isSilent(): boolean {
    return areSilent(this.#inquiries)
  }

  /** The same of one family alone: its packets go nowhere. */
  isSilentOver(family: AddressFamily): boolean {
    return areSilent(this.#inquiries.filter(({ remote }) => familyOf(remote.ip) === family))
  }

  /** Whether a response is to a request of ours. */
  isOurs(response: DecodedStun): boolean {
    return this.#transactions.get(response.transactionId) !== undefined
  }

  /** A response came. Returns why it was dropped, if it was. */
  answered(response: DecodedStun, from: Route, now: Instant): Dropped | undefined {
    const transaction = this.#transactions.get(response.transactionId)
    if (transaction === undefined || isLate(transaction, now) || !sameRoute(transaction.subject, from))
      return drop('stun-unknown-transaction')
    const reason = unusable(response, from)
    if (reason !== undefined) return drop(reason)
    this.#transactions.end(response.transactionId)
    this.#timed(from.remote.ip, elapsed(transaction.sentAt, now))
    const inquiry = this.#inquiries.find((known) => sameRoute(known, from))
    const seen = response.mappedAddress
    let dropped: Dropped | undefined
    if (inquiry !== undefined && seen !== undefined) {
      dropped = this.#proofs?.answered(from, seen, response.addressProof, now)
      const { state } = inquiry
      inquiry.expected = true
      inquiry.state = { name: 'answered', at: now, seen }
      this.#findings = undefined
      if (state.name === 'asking' && state.former !== undefined) {
        if (!sameSocketAddress(state.former, seen)) this.changes += 1
        this.#replace(state.former, seen, from.socket)
      }
    }
    return dropped
  }

  /** The round trip to the reflector at this IP, in milliseconds; undefined where none was measured. */
  rttTo(ip: string): number | undefined {
    return this.#roundTrips.get(ip)
  }

  #timed(ip: string, ms: number): void {
    const former = this.#roundTrips.get(ip)
    this.#roundTrips.set(ip, former === undefined ? ms : former + (ms - former) / 8)
  }

  /** The same object until there is a new answer, or none came. */
  get findings(): Findings {
    const candidates = this.#findings?.candidates ?? this.#candidates()
    this.#findings ??= {
      candidates,
      proved: this.#proofs?.proved(candidates.map(({ address }) => address.ip)),
      mapping: this.#mapping(),
      filtering: this.#probed.filtering,
    }
    return this.#findings
  }

  /** What probes told belongs to what we find out. */
  set probed(probed: Probed) {
    const { filtering, portDependent } = this.#probed
    if (filtering === probed.filtering && portDependent === probed.portDependent) return
    this.#probed = probed
    this.#findings = undefined
  }

  /** Each socket that reflectors see. */
  get uplinks(): readonly Uplink[] {
    return this.#sockets
      .map((socket) => ({ socket, seen: this.#seenBy(socket), mapping: this.#mappingOf(socket) }))
      .filter(({ seen }) => seen.length > 0)
  }

  /** How it stands with the last round of questions. */
  get round(): RoundState {
    const has = (name: Inquiry['state']['name']) => this.#inquiries.some(({ state }) => state.name === name)
    if (has('answered')) return 'answered'
    if (has('asking')) return 'asking'
    return this.#inquiries.length === 0 || this.#begunAt === undefined ? 'nobody-asked' : 'silent'
  }

  /** True while an answer may come. */
  get isAsking(): boolean {
    return this.#inquiries.some(({ state }) => state.name === 'asking')
  }

  /** When the last round of questions began. */
  get begunAt(): Instant | undefined {
    return this.#begunAt
  }

  /** True where a shared socket is at this address. */
  hasSocket(ip: string): boolean {
    return this.#sockets.some(({ address }) => address.ip === ip)
  }

  /** True where a reflector at this address is asked. */
  asks(ip: string): boolean {
    return this.#inquiries.some(({ remote }) => remote.ip === ip)
  }

  wake(now: Instant): void {
    if (this.settled(now)) this.#settlesAt = undefined
    for (const inquiry of this.#inquiries) {
      const { state } = inquiry
      if (state.name !== 'asking' || state.nextAt > now) continue
      const wait = WAITS[state.sent]
      if (wait === undefined) {
        inquiry.expected = false
        inquiry.state = { name: 'silent' }
        this.#findings = undefined
        continue
      }
      this.#emit({
        type: 'send',
        socket: inquiry.socket,
        remote: inquiry.remote,
        datagram: encodeStun({
          messageClass: 'request',
          method: BINDING,
          transactionId: this.#transactions.begin({ socket: inquiry.socket, remote: inquiry.remote }, now),
          ...this.#proofs?.question(inquiry, now),
        }),
      })
      inquiry.state = { ...state, sent: state.sent + 1, nextAt: after(now, wait) }
    }
  }

  get nextWake(): Instant | undefined {
    let next: Instant | undefined
    for (const { state } of this.#inquiries) {
      if (state.name === 'asking') next = earliest(next, state.nextAt)
    }
    return next
  }

  #isFresh(now: Instant): boolean {
    if (!this.#inquiries.some(({ expected }) => expected)) return this.#inquiries.length === 0
    return this.#eachExpecting((own) =>
      own.some(({ state }) => state.name === 'answered' && elapsed(state.at, now) < FRESH_MS),
    )
  }

  /** Whether something holds for the inquiries of each socket that expects an answer. */
  #eachExpecting(holds: (own: readonly Inquiry[]) => boolean): boolean {
    return this.#sockets.every((socket) => {
      const own = this.#inquiries.filter((inquiry) => inquiry.socket === socket.id && inquiry.expected)
      return own.length === 0 || holds(own)
    })
  }

  #begin(now: Instant): void {
    this.#formerMappings = new Map(this.#sockets.map((socket) => [socket.id, this.#mappingOf(socket)]))
    this.#begunAt = now
    this.#settlesAt = after(now, SETTLE_MS)
    this.#findings = undefined
    for (const inquiry of this.#inquiries) {
      const { state } = inquiry
      const former =
        state.name === 'answered' ? state.seen : state.name === 'asking' ? state.former : undefined
      inquiry.state = { name: 'asking', sent: 0, nextAt: now, former }
    }
    this.wake(now)
  }

  /** Whom each socket asks: reflectors of its family, no two at one address. */
  #wanted(): Route[] {
    const asked = new Map<SocketId, SocketAddress[]>()
    for (const reflector of this.#reflectors) {
      for (const socket of socketsFor(reflector.ip, this.#sockets, this.#routes)) {
        const chosen = asked.get(socket.id) ?? []
        if (chosen.length < REFLECTORS_PER_SOCKET && !chosen.some(({ ip }) => ip === reflector.ip)) {
          asked.set(socket.id, [...chosen, reflector])
        }
      }
    }
    return [...asked].flatMap(([socket, remotes]) => remotes.map((remote) => ({ socket, remote })))
  }

  #candidates(): readonly Candidate[] {
    const found: Candidate[] = []
    for (const socket of this.#sockets) {
      for (const seen of this.#knownOf(socket)) {
        if (sameSocketAddress(socket.address, seen)) continue
        if (found.some(({ address }) => sameSocketAddress(address, seen))) continue
        found.push({ type: 'server-reflexive', address: seen })
      }
    }
    return found
  }

  #mapping(): NatMapping {
    const told = strictestMapping(this.#sockets.map((socket) => this.#mappingOf(socket)))
    return told === 'address-dependent' && this.#probed.portDependent ? 'address-and-port-dependent' : told
  }

  #seenBy(socket: LocalSocket): SocketAddress[] {
    return this.#inquiries.flatMap(({ socket: id, state }) =>
      id === socket.id && state.name === 'answered' ? [state.seen] : [],
    )
  }

  /** What each reflector saw of a socket, the one before where it is still being asked. */
  #knownOf(socket: LocalSocket): SocketAddress[] {
    return this.#inquiries.flatMap(({ socket: id, state }) => {
      if (id !== socket.id || state.name === 'silent') return []
      const known = state.name === 'answered' ? state.seen : state.former
      return known === undefined ? [] : [known]
    })
  }

  /** A mapping is another one now: so it will be for whoever saw the same one before, and is still being asked. */
  #replace(former: SocketAddress, seen: SocketAddress, socket: SocketId): void {
    for (const inquiry of this.#inquiries) {
      const { state } = inquiry
      if (inquiry.socket !== socket || state.name !== 'asking' || state.former === undefined) continue
      if (sameSocketAddress(state.former, former)) inquiry.state = { ...state, former: seen }
    }
  }

  /** How a socket's NAT maps, as far as the answers tell; as before while there are too few to tell. */
  #mappingOf(socket: LocalSocket): NatMapping {
    const told = toldMapping(socket.address, this.#seenBy(socket))
    const isAsked = this.#inquiries.some(
      ({ socket: id, state }) => id === socket.id && state.name === 'asking',
    )
    return told === 'unknown' && isAsked ? (this.#formerMappings.get(socket.id) ?? 'unknown') : told
  }
}

/** True where some were asked, and none has answered in the last round, nor is awaited. */
function areSilent(inquiries: readonly Inquiry[]): boolean {
  return (
    inquiries.length > 0 &&
    inquiries.every(
      ({ expected, state }) =>
        !expected && (state.name === 'silent' || (state.name === 'asking' && state.former === undefined)),
    )
  )
}

function unusable(response: DecodedStun, from: Route): DropReason | undefined {
  if (response.method !== BINDING || response.messageClass !== 'success') return 'stun-unsupported'
  const seen = response.mappedAddress
  if (seen === undefined || familyOf(seen.ip) !== familyOf(from.remote.ip) || isStreamAddress(seen.ip))
    return 'stun-malformed'
  return undefined
}
