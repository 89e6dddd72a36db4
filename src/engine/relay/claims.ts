/**
 * Addresses that only a server itself calls its own. It may name anybody's, so that we send requests there, or to make
 * others look like it:
 *
 *   where we are connected to it ───────────────────► is its own
 *   an authenticated answer came from there ────────► is its own: requests are sealed to its key
 *   else ───────────────────────────────────────────► one request, and none again for an hour, whoever names the address
 */

import { toString as toText } from 'uint8arrays'
import { formatSocketAddress, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { elapsed, HOUR, type Instant } from '../../base/time.js'
import type { RelayOffer } from '../inputs.js'

const AGAIN_MS = HOUR
/** Addresses remembered that were asked, and that answered; while there are as many, no further claim is believed. */
const MAX_ASKED = 1_024
const MAX_PROVED = 256

/** The addresses of an offer that others vouch for: it can be told from other relays by them. */
export function vouchedFor({ addresses, claimed = [] }: RelayOffer): readonly SocketAddress[] {
  return addresses.filter((address) => !claimed.some((each) => sameSocketAddress(each, address)))
}

export class Claims {
  /** By IP, when it was asked. */
  readonly #asked = new Map<string, Instant>()
  /** Relays with addresses from which they answered. */
  readonly #proved = new Set<string>()

  /** True where this address is the relay's own. */
  isProved(offer: RelayOffer, address: SocketAddress): boolean {
    return (
      offer.claimed?.some((each) => sameSocketAddress(each, address)) !== true ||
      this.#proved.has(nameOf(offer, address))
    )
  }

  /** True where an address that is claimed may be asked once. */
  mayAsk({ ip }: SocketAddress): boolean {
    return this.#asked.size < MAX_ASKED && !this.#asked.has(ip)
  }

  /** It is asked now. */
  asked({ ip }: SocketAddress, now: Instant): void {
    if (this.#asked.size < MAX_ASKED) this.#asked.set(ip, now)
  }

  /** The relay gave an authenticated answer from there. */
  answered(offer: RelayOffer, address: SocketAddress): void {
    const [oldest] = this.#proved
    if (oldest !== undefined && this.#proved.size >= MAX_PROVED) this.#proved.delete(oldest)
    this.#proved.add(nameOf(offer, address))
  }

  /** Forgets what was asked long ago. */
  expire(now: Instant): void {
    // The oldest stand first: an address is asked again only after it was forgotten.
    for (const [ip, at] of this.#asked) {
      if (elapsed(at, now) < AGAIN_MS) return
      this.#asked.delete(ip)
    }
  }
}

function nameOf({ identity }: RelayOffer, address: SocketAddress): string {
  return `${toText(identity, 'base64')} ${formatSocketAddress(address)}`
}
