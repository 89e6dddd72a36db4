/** How a host is attached to the internet, where it is simple: openly, or behind one of the gateways that have a name. */

import { NAT_KINDS, type NatKind } from '../network/natKinds.js'
import type { LinkSpec, NatSpec, SiteSpec } from '../topology.js'

export type Access = 'open' | Exclude<NatKind, 'counting'>

/** Those that the laboratory has too, from the easiest to the hardest. */
export const ACCESSES: readonly Access[] = [
  'open',
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric',
]

/** Undefined where there is no gateway. */
export function natOf(access: Access): NatSpec | undefined {
  return access === 'open' ? undefined : NAT_KINDS[access]
}

/** A network in Europe with IPv4 only. */
export function plainSite(access: Access, link: LinkSpec): SiteSpec {
  return {
    region: 'europe',
    behind: undefined,
    link,
    ipv4: true,
    nat: natOf(access),
    ipv6: 'none',
    firewall: false,
    udp: true,
    broken: 'none',
    isolated: false,
    portMapping: 'none',
  }
}
