/**
 * Which experiments tell how the NAT filters, and what they tell. The socket talks to one reflector only:
 *
 *   reflect at K ─► a probe from S, to whom it never talked ─ arrives ──► filtering is endpoint-independent
 *                                │ does not
 *                                ▼
 *                   a probe from K's other port ──────────── arrives ──► address-dependent
 *                                │ does not, and one from K's usual port does
 *                                ▼
 *                   address-and-port-dependent
 *
 * S is another *host*: another port of K gets through a NAT that filters by address, and would be mistaken for a stranger
 * (RFC 5780 section 4.4 asks for another address, too). That a probe did not arrive counts only where S, or K, is known
 * to send: then S answers a Binding request, and K's probe from its usual port arrives.
 *
 * A server may lie. What it can gain is that we take our NAT for better or worse than it is.
 */

import { type SocketAddress, sameSocketAddress } from '../../base/address.js'
import type { NatFiltering, NatMapping } from '../../wire/record.js'
import type { UdpProber } from '../inputs.js'
import type { Outcome, Step } from './natSteps.js'

/** A sequence of steps: each is yielded, and gets its outcome. */
export type Experiment<Result> = Generator<Step, Result, Outcome>

/** Whom to ask. */
export interface Helpers {
  /** The only one to whom the socket talks. */
  readonly known: UdpProber
  /** At other addresses than it, in the order to prefer. */
  readonly strangers: readonly UdpProber[]
}

export interface NatTrial {
  /** What a host to which nothing was sent gets in; undefined where that was not found out. */
  readonly stranger: boolean | undefined
  /** What another port gets in, of a host to which something was sent. */
  readonly otherPort: boolean | undefined
  /** Whether another port of a remote is shown another mapping. Asked only where another address is. */
  readonly portDependent: boolean | undefined
  /** Whether what is sent to our own reflexive address comes back to us (RFC 4787 section 6). */
  readonly hairpinning: boolean | undefined
}

export const NOTHING_TRIED: NatTrial = {
  stranger: undefined,
  otherPort: undefined,
  portDependent: undefined,
  hairpinning: undefined,
}

/** Strangers that are tried until one can help. */
const MAX_STRANGERS = 3

/** What the trial tells of the filtering. A socket without a NAT may have a firewall, which filters as well. */
export function filteringOf({ stranger, otherPort }: NatTrial, mapping: NatMapping): NatFiltering {
  if (stranger === true) return mapping === 'none' ? 'none' : 'endpoint-independent'
  if (otherPort === false) return 'address-and-port-dependent'
  return stranger === false && otherPort === true ? 'address-dependent' : 'unknown'
}

/** The whole trial, on a fresh socket at the address `own`. */
export function* natTrial(
  own: string,
  mapping: NatMapping,
  { known, strangers }: Helpers,
): Experiment<NatTrial> {
  const { seen } = yield { do: 'reflect', at: known.reflector }
  if (seen === undefined) return NOTHING_TRIED
  const stranger = yield* strangerGetsIn(seen, strangers.slice(0, MAX_STRANGERS))
  const depends = mapping === 'address-dependent' || mapping === 'address-and-port-dependent'
  const other =
    stranger === true && !depends
      ? { otherPort: true, portDependent: undefined }
      : yield* otherPortGetsIn(seen, known, depends)
  const hairpinning = seen.ip === own ? undefined : (yield { do: 'hairpin', to: seen } satisfies Step).arrived
  return { stranger, ...other, hairpinning }
}

function* strangerGetsIn(
  seen: SocketAddress,
  strangers: readonly UdpProber[],
): Experiment<boolean | undefined> {
  for (const by of strangers) {
    const { arrived } = yield { do: 'probe', by, from: 'usual-port', to: seen }
    if (arrived === true) return true
    if (arrived === undefined) continue
    const control = yield { do: 'reflect', at: by.reflector }
    if (control.seen !== undefined) return false
  }
  return undefined
}

function* otherPortGetsIn(
  seen: SocketAddress,
  by: UdpProber,
  asksMapping: boolean,
): Experiment<Pick<NatTrial, 'otherPort' | 'portDependent'>> {
  const { arrived, otherPort } = yield { do: 'probe', by, from: 'other-port', to: seen }
  let portDependent: boolean | undefined
  if (asksMapping && otherPort !== undefined) {
    const again = yield { do: 'reflect', at: { ip: by.reflector.ip, port: otherPort } }
    if (again.seen !== undefined) portDependent = !sameSocketAddress(again.seen, seen)
  }
  if (arrived !== false) return { otherPort: arrived, portDependent }
  const control = yield { do: 'probe', by, from: 'usual-port', to: seen }
  return { otherPort: control.arrived === true ? false : undefined, portDependent }
}
