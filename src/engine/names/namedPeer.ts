/**
 * A peer at a name that the user gave: when the name is resolved again, and where our first message is tried.
 *
 *   a first message, or an attempt to get in touch, without a sound path ─► resolve, then again in growing pauses
 *   traffic, and the TTL has ended                                       ─► resolve
 *   addresses ─► candidates to be checked, for the peer may run Tunnelbore
 *            └─► the unanswered first message, to each: the first of each family at once, then one every 250 ms
 *
 * A peer that runs WireGuard alone answers no check: its second message is the answer, and its handshake the proof. The
 * path in use stays until another one is proved. Where the name leads elsewhere by now though, the next first message
 * goes there as well.
 */

import { familyOf, formatSocketAddress, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, earliest, type Instant, later, type Now, SECOND } from '../../base/time.js'
import type { OwnHandshake } from '../loopback/handshakes.js'
import type { Path, Route } from '../path/path.js'
import type { HostNames, NamedHost } from './hostNames.js'

/** Between addresses of one family: the Connection Attempt Delay of RFC 8305 section 5. */
const NEXT_ADDRESS_MS = 250

/** A name is resolved again though its addresses were tried in vain. WireGuard repeats a first message after 5 s. */
const AGAIN_MS: Backoff = { first: 1 * SECOND, longest: 60 * SECOND }

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export interface NamedPeerParts {
  readonly names: HostNames
  /** From where an address can be reached; nothing leads to our own addresses, or through a tunnel. */
  readonly routesTo: (address: SocketAddress) => readonly Route[]
  /** Sends our first message where the peer may be, and keeps it. */
  readonly tryOver: (handshake: OwnHandshake, route: Route, now: Instant) => void
  /** Asks with a check whether the peer runs Tunnelbore. */
  readonly check: (route: Route, now: Now) => void
}

/** What a named peer is to decide by. */
export interface NamedSituation {
  /** Our first message that was not answered yet. */
  readonly handshake: OwnHandshake | undefined
  readonly path: Path | undefined
  /** True where there is no path, or none that is to be trusted. */
  readonly needsPath: boolean
  /** True while an attempt to get in touch is under way. */
  readonly isUnderWay: boolean
  /** True where there was traffic lately; WireGuard's keepalives are some. */
  readonly isActive: boolean
}

/** What there is to tell of a peer's name. */
export interface NameStatus {
  /** `<host>:<port>`. */
  readonly name: string
  readonly addresses: readonly SocketAddress[]
  readonly resolvedAt: Instant | undefined
  /** When it is resolved again; undefined where nothing asks for that. */
  readonly nextAt: Instant | undefined
  readonly failure: string | undefined
}

/** The addresses to which a first message went, and when the next is its turn. */
interface Tries {
  readonly handshake: OwnHandshake
  readonly tried: SocketAddress[]
  nextAt: Instant | undefined
}

export class NamedPeer {
  readonly #host: NamedHost
  readonly #parts: NamedPeerParts
  /** Questions since there last was a sound path. */
  #questions = 0
  #askNotBefore = LONG_AGO
  #askAt: Instant | undefined = undefined
  #tries: Tries | undefined = undefined
  #addresses: { readonly ips: readonly string[]; readonly list: readonly SocketAddress[] } = {
    ips: [],
    list: [],
  }

  constructor(host: NamedHost, parts: NamedPeerParts) {
    this.#host = host
    this.#parts = parts
  }

  /** The name, or address, without the port. */
  get host(): string {
    return this.#host.host
  }

  /** Where the peer may be, in the order to try; the same objects until the name says something else. */
  get addresses(): readonly SocketAddress[] {
    const ips = this.#parts.names.get(this.host)?.ips ?? []
    if (ips !== this.#addresses.ips) {
      const { port } = this.#host
      this.#addresses = { ips, list: ips.map((ip) => ({ ip, port })) }
    }
    return this.#addresses.list
  }

  get status(): NameStatus {
    const known = this.#parts.names.get(this.host)
    const { host, port } = this.#host
    return {
      name: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      addresses: this.addresses,
      resolvedAt: known?.resolvedAt,
      nextAt: this.#askAt,
      failure: known?.failure,
    }
  }

  /** Why it is not reached, for people. */
  get reason(): string {
    const { host, addresses } = this
    const failure = this.#parts.names.get(host)?.failure
    if (addresses.length === 0)
      return failure === undefined ? `resolving ${host}` : `${host} could not be resolved: ${failure}`
    const usable = addresses.filter((address) => this.#parts.routesTo(address).length > 0)
    if (usable.length === 0)
      return `nothing leads from here to ${addresses.map(formatSocketAddress).join(', ')}`
    return `no answer from ${usable.map(formatSocketAddress).join(', ')}`
  }

  /** Asks for the name where that is due, and tries addresses whose turn it is. */
  settle(situation: NamedSituation, now: Now): void {
    this.#resolve(situation, now.instant)
    this.#try(situation, now)
  }

  get nextWake(): Instant | undefined {
    return earliest(this.#askAt, this.#tries?.nextAt)
  }

  #resolve({ handshake, needsPath, isUnderWay, isActive }: NamedSituation, now: Instant): void {
    const { names } = this.#parts
    if (!needsPath) {
      this.#questions = 0
      this.#askNotBefore = LONG_AGO
    }
    if (needsPath && (handshake !== undefined || isUnderWay)) {
      if (now >= this.#askNotBefore && names.ask(this.host, now)) {
        this.#askNotBefore = after(now, backoffMs(AGAIN_MS, this.#questions))
        this.#questions += 1
      }
      const askableAt = names.get(this.host)?.askableAt
      this.#askAt = askableAt && later(askableAt, this.#askNotBefore)
      return
    }
    const renewAt = isActive ? names.renewAt(this.host) : undefined
    if (renewAt !== undefined && renewAt <= now) names.ask(this.host, now)
    this.#askAt = isActive ? names.renewAt(this.host) : undefined
  }

  #try({ handshake, path, needsPath }: NamedSituation, now: Now): void {
    const { routesTo, tryOver, check } = this.#parts
    if (handshake === undefined) {
      this.#tries = undefined
      return
    }
    if (this.#tries?.handshake !== handshake) {
      const over = handshake.sent?.over
      this.#tries = { handshake, tried: over === undefined ? [] : [over.remote], nextAt: undefined }
      // It may have begun to run Tunnelbore.
      if (path?.proof === 'handshake') check(path, now)
    }
    const tries = this.#tries
    const isWanted = handshake.answers.length === 0 && (needsPath || this.#isLeftBehind(path))
    if (isWanted && tries.nextAt !== undefined && tries.nextAt > now.instant) return
    const isFirst = tries.nextAt === undefined
    tries.nextAt = undefined
    if (!isWanted) return
    const pending = this.addresses.filter(
      (address) =>
        !tries.tried.some((tried) => sameSocketAddress(tried, address)) && routesTo(address).length > 0,
    )
    const turn = pending.slice(0, isFirst && isOfTwoFamilies(pending) ? 2 : 1)
    for (const address of turn) {
      tries.tried.push(address)
      for (const route of routesTo(address)) tryOver(handshake, route, now.instant)
    }
    if (pending.length > turn.length) tries.nextAt = after(now.instant, NEXT_ADDRESS_MS)
  }

  /** True where a peer that answers no checks was reached where its name leads no longer. */
  #isLeftBehind(path: Path | undefined): boolean {
    if (path?.proof !== 'handshake' || this.addresses.length === 0) return false
    return !this.addresses.some((address) => sameSocketAddress(address, path.remote))
  }
}

/** True where the first two are of different families, which take turns as long as there are any of both. */
function isOfTwoFamilies([first, second]: readonly SocketAddress[]): boolean {
  return first !== undefined && second !== undefined && familyOf(first.ip) !== familyOf(second.ip)
}
