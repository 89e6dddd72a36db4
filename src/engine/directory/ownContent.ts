/** What our record says of us: where we seem to be, where we are, and what our NAT does. */

import { isGlobal } from '../../base/address.js'
import type { Candidate } from '../../wire/candidate.js'
import type { NatBehaviour } from '../../wire/record.js'
import type { LocalSocket } from '../inputs.js'
import { mayNeedGuessing } from '../path/birthdayPlan.js'
import type { Findings } from '../path/findings.js'
import type { OwnContent } from './ownRecord.js'

/** A record holds so many addresses and no more: those that mean something everywhere come first. */
export function ownContent(
  findings: Findings,
  sockets: readonly LocalSocket[],
  multiaddrs: readonly string[],
  mapped: readonly Candidate[] = [],
): OwnContent {
  const hosts: Candidate[] = sockets
    .map(({ address }): Candidate => ({ type: 'host', address }))
    .sort((a, b) => Number(isGlobal(b.address.ip)) - Number(isGlobal(a.address.ip)))
  const nat = natOf(findings)
  const candidates = [...mapped, ...findings.candidates, ...hosts]
  const { proved } = findings
  if (proved === undefined || !mayNeedGuessing(nat)) return { candidates, multiaddrs, nat }
  return { candidates, multiaddrs, nat, provedAddress: proved }
}

export function natOf({ mapping, filtering }: Findings): NatBehaviour {
  return { mapping, filtering }
}
