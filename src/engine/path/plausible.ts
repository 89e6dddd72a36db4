/**
 * Which of a peer's addresses are worth a try.
 *
 * A private address means something in its own network only. Elsewhere a packet to it reaches a stranger or nobody, and
 * tells every router on the way which addresses the peer has at home. So it is tried where we may be in that network:
 * one of our routes leads there, or both of us are behind the same gateway, or we are nowhere else ourselves.
 */

import { isGlobal } from '../../base/address.js'
import type { Candidate } from '../../wire/candidate.js'
import type { PeerRecord } from '../../wire/record.js'
import type { LocalSocket, MachineRoute } from '../inputs.js'
import { isNear } from './reachability.js'

/** Where we are ourselves. */
export interface Surroundings {
  readonly sockets: readonly LocalSocket[]
  readonly routes: readonly MachineRoute[]
  /** Our addresses as reflectors see them. */
  readonly reflexive: readonly Candidate[]
}

/** Whether an address that a peer has on an interface of its own may be tried. */
export function plausibility(
  { candidates }: PeerRecord,
  { sockets, routes, reflexive }: Surroundings,
): (ip: string) => boolean {
  const gateways = new Set(reflexive.map(({ address }) => address.ip))
  const sharesGateway = candidates.some(
    ({ type, address }) => type === 'server-reflexive' && gateways.has(address.ip),
  )
  const isOnInternet = [...sockets, ...reflexive].some(({ address }) => isGlobal(address.ip))
  return (ip) => isGlobal(ip) || sharesGateway || !isOnInternet || isNear(routes, ip)
}

/** The IP address at which a multiaddr begins, unless that is a circuit relay's; undefined where there is none. */
export function directIpOf(multiaddr: string): string | undefined {
  if (multiaddr.includes('/p2p-circuit')) return undefined
  return /^\/ip[46]\/([^/]+)/.exec(multiaddr)?.[1]
}
