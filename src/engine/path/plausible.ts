/**
 * Which of a peer's candidates are worth a check.
 *
 * A private address means something in its own network only. Elsewhere a check to it reaches a stranger or nobody, and
 * tells every router on the way which addresses the peer has at home. So it is tried where we may be in that network:
 * one of our routes leads there, or both of us are behind the same gateway, or it is all that there is.
 */

import { scopeOf } from '../../base/address.js'
import type { Candidate } from '../../wire/candidate.js'
import type { MachineRoute } from '../inputs.js'
import { isNear } from './reachability.js'

/** `ownReflexive` are our own addresses as reflectors see them. */
export function plausibleCandidates(
  candidates: readonly Candidate[],
  ownReflexive: readonly Candidate[],
  routes: readonly MachineRoute[],
): readonly Candidate[] {
  const gateways = new Set(ownReflexive.map(({ address }) => address.ip))
  const sharesGateway = candidates.some(
    ({ type, address }) => type === 'server-reflexive' && gateways.has(address.ip),
  )
  const isElsewhereToo = candidates.some(({ address }) => scopeOf(address.ip) === 'global')
  return candidates.filter(
    ({ address }) =>
      scopeOf(address.ip) === 'global' || sharesGateway || !isElsewhereToo || isNear(routes, address.ip),
  )
}
