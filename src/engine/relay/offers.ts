/**
 * The member relays that the mesh offers, for all peers of a node: which of them can be asked from here, and which have
 * just refused, or did not answer.
 */

import { equals, toString as toText } from 'uint8arrays'
import { type AddressFamily, familyOf, type SocketAddress } from '../../base/address.js'
import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, type Instant, MINUTE, SECOND } from '../../base/time.js'
import type { HmacSha256 } from '../../crypto/hmacSha256.js'
import type { LocalSocket, MachineRoute, RelayOffer } from '../inputs.js'
import type { Route } from '../path/path.js'
import { socketsFor } from '../path/reachability.js'
import { chooseRelays, type RatedOffer } from './choice.js'
import { Claims, vouchedFor } from './claims.js'

/** How long one that failed is avoided; one that refused is not asked at all. */
const AVOID_MS: Backoff = { first: 10 * SECOND, longest: 10 * MINUTE }

/** What shows a relay that we may use it: a MAC under the key of the network's members, or under that of our pair. */
export interface Credential {
  readonly type: 'network' | 'peer'
  readonly hmac: HmacSha256
}

/** A way to a relay. */
export interface RelayRoute extends Route {
  /** True where only the relay says that it is there: one request goes there at most. */
  readonly isClaimed?: true
}

/** An offer that is chosen, and how to ask. */
export interface ChosenRelay extends RatedOffer {
  readonly routes: readonly RelayRoute[]
  readonly credential: Credential
}

export interface OffersParts {
  /** How we may ask this one; undefined where we may not. */
  readonly credentialFor: (offer: RelayOffer) => Credential | undefined
  /** The round trip to a reflector at this IP, as far as known, in milliseconds. */
  readonly rttTo: (ip: string) => number | undefined
  /** True where UDP was tried, and nobody answers. */
  readonly isSilent: () => boolean
  /** The same where only those of one family were asked. */
  readonly isSilentOver: (family: AddressFamily) => boolean
  readonly machine: () => {
    readonly sockets: readonly LocalSocket[]
    readonly routes: readonly MachineRoute[]
  }
}

export interface Wanted {
  readonly count: number
  /** IPs of relays that the peer and we use already. */
  readonly taken: Iterable<string>
  /** The libp2p identity of the peer, which need not relay to itself. */
  readonly peer: Uint8Array | undefined
  /** Further ones to avoid. */
  readonly isAvoided: (offer: RelayOffer) => boolean
}

interface Failed {
  readonly failures: number
  readonly hasRefused: boolean
  readonly until: Instant
}

export class RelayOffers {
  readonly #parts: OffersParts
  #offers: readonly RelayOffer[] = []
  readonly #failed = new Map<string, Failed>()
  readonly #claims = new Claims()

  constructor(parts: OffersParts) {
    this.#parts = parts
  }

  /** What the mesh offers now; true where there is a new one. What is known of those that are gone is forgotten. */
  set(offers: readonly RelayOffer[]): boolean {
    const former = new Set(this.#offers.map(nameOf))
    this.#offers = offers
    const present = new Set(offers.map(nameOf))
    for (const name of [...this.#failed.keys()]) if (!present.has(name)) this.#failed.delete(name)
    return [...present].some((name) => !former.has(name))
  }

  /** True where UDP was tried, and nobody answers. */
  get isSilent(): boolean {
    return this.#parts.isSilent()
  }

  /** All, the best first. */
  get all(): readonly RelayOffer[] {
    return chooseRelays(
      this.#offers.map((offer) => ({
        offer,
        routes: this.routesTo(offer),
        rttMs: this.#rttTo(offer),
        isAvoided: false,
      })),
      this.#offers.length,
      [],
    ).map(({ offer }) => offer)
  }

  /** How many we may ask, and have a way to. */
  get usable(): number {
    const mayAsk = (offer: RelayOffer) => this.#parts.credentialFor(offer) !== undefined
    return this.#offers.filter((offer) => mayAsk(offer) && this.routesTo(offer).length > 0).length
  }

  /** Another way to a relay is there: what failed before may work. */
  reachedOtherwise(identity: Uint8Array): void {
    this.#failed.delete(toText(identity, 'base64'))
  }

  /** The best that can be asked. */
  choose({ count, taken, peer, isAvoided }: Wanted, now: Instant): readonly ChosenRelay[] {
    this.#claims.expire(now)
    const rated: ChosenRelay[] = []
    for (const offer of this.#offers) {
      if (peer !== undefined && equals(offer.identity, peer)) continue
      const credential = this.#parts.credentialFor(offer)
      if (credential === undefined) continue
      const routes = this.routesTo(offer)
      if (routes.length === 0) continue
      const failed = this.#failed.get(nameOf(offer))
      const hasFailed = failed !== undefined && now < failed.until
      // One that is silent may be asked where there is no other: it may be we that were not heard.
      if (hasFailed && failed.hasRefused) continue
      rated.push({
        offer,
        routes,
        rttMs: this.#rttTo(offer),
        isAvoided: hasFailed || isAvoided(offer),
        credential,
      })
    }
    return chooseRelays(rated, count, taken)
  }

  /** It refused, or did not answer. */
  failed(offer: RelayOffer, hasRefused: boolean, now: Instant): void {
    if (!this.#offers.some((each) => equals(each.identity, offer.identity))) return
    const failures = this.#failed.get(nameOf(offer))?.failures ?? 0
    const until = after(now, backoffMs(AVOID_MS, failures))
    this.#failed.set(nameOf(offer), { failures: failures + 1, hasRefused, until })
  }

  /** It is asked over these routes. */
  asked(routes: readonly RelayRoute[], now: Instant): void {
    for (const { remote, isClaimed } of routes) if (isClaimed === true) this.#claims.asked(remote, now)
  }

  /** It granted a session, over this route. */
  succeeded(offer: RelayOffer, { remote }: Route): void {
    this.#claims.answered(offer, remote)
    this.#failed.delete(nameOf(offer))
  }

  /**
   * From which socket to which address, the fastest known first; one a family and socket. What is merely claimed comes last,
   * and only once in an hour.
   */
  routesTo(offer: RelayOffer): readonly RelayRoute[] {
    const { sockets, routes } = this.#parts.machine()
    const { rttTo } = this.#parts
    const rtt = ({ ip }: { readonly ip: string }) => rttTo(ip) ?? Number.MAX_SAFE_INTEGER
    const all = [...offer.addresses]
      .sort((a, b) => rtt(a) - rtt(b))
      .flatMap((remote) => {
        const isProved = this.#claims.isProved(offer, remote)
        return this.inOrder(socketsFor(remote.ip, sockets, routes)).map(({ id, purpose }): RelayRoute => {
          const route = { socket: id, remote }
          // Who is at the other end of a stream is known.
          return isProved || purpose === 'stream' ? route : { ...route, isClaimed: true }
        })
      })
    const claimed = new Map<string, RelayRoute>()
    for (const route of all) {
      const { ip } = route.remote
      if (route.isClaimed === true && !claimed.has(ip) && this.#claims.mayAsk(route.remote))
        claimed.set(ip, route)
    }
    return [...all.filter(({ isClaimed }) => isClaimed !== true), ...claimed.values()].slice(0, MAX_ROUTES)
  }

  /** The sockets by which a relay is reached, the one to prefer first: a stream, where UDP is known not to work. */
  inOrder(sockets: readonly LocalSocket[]): readonly LocalSocket[] {
    return this.isSilent ? sockets.toReversed() : sockets
  }

  /** Those of a family that is known to go nowhere come last. */
  likelyFirst(addresses: readonly SocketAddress[]): readonly SocketAddress[] {
    const isLost = ({ ip }: SocketAddress) => this.#parts.isSilentOver(familyOf(ip))
    return [...addresses].sort((a, b) => Number(isLost(a)) - Number(isLost(b)))
  }

  #rttTo(offer: RelayOffer): number | undefined {
    const known = vouchedFor(offer).flatMap(({ ip }) => this.#parts.rttTo(ip) ?? [])
    return known.length === 0 ? undefined : Math.min(...known)
  }
}

/** Each is asked once or twice in one series of requests. */
const MAX_ROUTES = 4

function nameOf({ identity }: RelayOffer): string {
  return toText(identity, 'base64')
}
