/**
 * Which of a peer's addresses are worth a try.
 *
 * A private address means something in its own network only. Elsewhere a packet to it reaches a stranger or nobody, and
 * tells every router on the way which addresses the peer has at home. So it is tried where we may be in that network:
 * one of our routes leads there, or both of us are behind the same gateway, or it is all that there is.
 */

import { scopeOf } from '../../base/address.js'
import type { Candidate } from '../../wire/candidate.js'
import type { PeerRecord } from '../../wire/record.js'
import type { MachineRoute } from '../inputs.js'
import { isNear } from './reachability.js'

/** Whether an address of the record's author may be tried. `ownReflexive` are our own, as reflectors see them. */
export function plausibility(
  record: PeerRecord,
  ownReflexive: readonly Candidate[],
  routes: readonly MachineRoute[],
): (ip: string) => boolean {
  const gateways = new Set(ownReflexive.map(({ address }) => address.ip))
  const sharesGateway = record.candidates.some(
    ({ type, address }) => type === 'server-reflexive' && gateways.has(address.ip),
  )
  const isElsewhereToo = record.candidates.some(({ address }) => scopeOf(address.ip) === 'global')
  return (ip) => scopeOf(ip) === 'global' || sharesGateway || !isElsewhereToo || isNear(routes, ip)
}

/** The IP address at which a multiaddr begins, unless that is a circuit relay's; undefined where there is none. */
export function directIpOf(multiaddr: string): string | undefined {
  if (multiaddr.includes('/p2p-circuit')) return undefined
  return /^\/ip[46]\/([^/]+)/.exec(multiaddr)?.[1]
}
