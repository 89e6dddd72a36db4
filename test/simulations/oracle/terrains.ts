/** Sites for the oracle's tests, as plain as the question allows. */

import { perfectLink } from '../../../simulations/network/link.js'
import type { Terrain } from '../../../simulations/oracle/terrain.js'
import type { Dependence, NatSpec, SiteSpec } from '../../../simulations/topology.js'
import { SECOND } from '../../../src/base/time.js'

export const EI: Dependence = 'endpoint-independent'
export const AD: Dependence = 'address-dependent'
export const APD: Dependence = 'address-and-port-dependent'

export function nat(mapping: Dependence, filtering: Dependence, parts: Partial<NatSpec> = {}): NatSpec {
  return {
    mapping,
    filtering,
    ports: 'random',
    portStep: 1,
    lifetimeMs: 120 * SECOND,
    refreshedBy: 'both',
    hairpin: false,
    maxMappings: 65_536,
    addresses: 1,
    ...parts,
  }
}

/** A public site with IPv4 only, unless told otherwise. */
export function site(parts: Partial<SiteSpec> = {}): SiteSpec {
  return {
    region: 'europe',
    behind: undefined,
    link: perfectLink(5),
    ipv4: true,
    nat: undefined,
    ipv6: 'none',
    firewall: false,
    udp: true,
    broken: 'none',
    isolated: false,
    portMapping: 'none',
    ...parts,
  }
}

/** As the sites are at first. */
export function untouched(sites: readonly SiteSpec[]): Terrain {
  return {
    sites,
    isUp: () => true,
    passesUdp: (index) => sites[index]?.udp ?? false,
    sideOf: () => 0,
  }
}
