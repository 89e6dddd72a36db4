/**
 * Which member relays are asked: best first, compared field by field, no two at one address. The same offers give the
 * same choice, in whatever order they came.
 */

import { compare } from 'uint8arrays'
import { isGlobal } from '../../base/address.js'
import type { RelayOffer } from '../inputs.js'
import type { Route } from '../path/path.js'
import { vouchedFor } from './claims.js'

/** An offer, and what we know of the relay. */
export interface RatedOffer {
  readonly offer: RelayOffer
  /** Where it can be asked from here, the way to prefer first; not empty. */
  readonly routes: readonly Route[]
  /** Of a reflection by it; undefined where it was never asked, or never answered. */
  readonly rttMs: number | undefined
  /** True where a session there has just come to nothing. */
  readonly isAvoided: boolean
}

/**
 * At most `count` relays, the best first, each at an address of its own which is not among those in `taken` (IPs).
 * Relays to be avoided are taken where there are not enough others.
 */
export function chooseRelays<Rated extends RatedOffer>(
  rated: readonly Rated[],
  count: number,
  taken: Iterable<string>,
): readonly Rated[] {
  const ips = new Set(taken)
  const chosen: Rated[] = []
  for (const each of [...rated].sort(compareRelays)) {
    if (chosen.length >= count) break
    // What one merely claims must not keep others from being chosen.
    const own = vouchedFor(each.offer).map(({ ip }) => ip)
    if (own.some((ip) => ips.has(ip))) continue
    for (const ip of own) ips.add(ip)
    chosen.push(each)
  }
  return chosen
}

/** Below zero where `a` is preferred. */
export function compareRelays(a: RatedOffer, b: RatedOffer): number {
  return (
    Number(a.isAvoided) - Number(b.isAvoided) ||
    // One at a private address the peer may not reach.
    Number(!isForAll(a)) - Number(!isForAll(b)) ||
    rttClass(a.rttMs) - rttClass(b.rttMs) ||
    a.offer.load - b.offer.load ||
    compare(a.offer.identity, b.offer.identity)
  )
}

function isForAll({ routes }: RatedOffer): boolean {
  return routes.some(({ remote }) => isGlobal(remote.ip))
}

/** Round trips that differ by less than a fifth, or so, are alike. */
function rttClass(rttMs: number | undefined): number {
  return rttMs === undefined ? Number.MAX_SAFE_INTEGER : Math.round(4 * Math.log2(Math.max(rttMs, 1)))
}
