/** NATs that have a name. The first four behave as the gateways of the laboratory do (test/lab/gateway.ts). */

import { SECOND } from '../../src/base/time.js'
import type { Dependence, NatSpec } from '../topology.js'

/**
 * - `full-cone`: one outer port for an inner one; lets in everybody
 * - `address-restricted`: … those addresses to which was sent
 * - `port-restricted`: … those addresses and ports to which was sent; Linux's `masquerade` acts so, as most home routers do
 * - `symmetric`: an outer port of its own for each destination, which alone is let in
 * - `counting`: a symmetric one whose ports count up, so that the next can be foretold
 */
export type NatKind = 'full-cone' | 'address-restricted' | 'port-restricted' | 'symmetric' | 'counting'

export const NAT_KINDS: Readonly<Record<NatKind, NatSpec>> = {
  'full-cone': linux('endpoint-independent', 'endpoint-independent', 'preserving'),
  'address-restricted': linux('endpoint-independent', 'address-dependent', 'preserving'),
  'port-restricted': linux('endpoint-independent', 'address-and-port-dependent', 'preserving'),
  symmetric: linux('address-and-port-dependent', 'address-and-port-dependent', 'random'),
  counting: linux('address-and-port-dependent', 'address-and-port-dependent', 'sequential'),
}

/** As RFC 6888 wants a carrier's: whatever RFC 4787 requires, with a few addresses for many, and hairpinning. */
export const CARRIER_GRADE: NatSpec = {
  mapping: 'endpoint-independent',
  filtering: 'endpoint-independent',
  ports: 'random',
  portStep: 1,
  lifetimeMs: 120 * SECOND,
  refreshedBy: 'outbound',
  hairpin: true,
  maxMappings: 200_000,
  addresses: 4,
}

/**
 * Netfilter refreshes a flow from both sides and keeps it 120 s once both have sent (nf_conntrack_udp_timeout_stream);
 * `masquerade` does not hairpin. 65,536 flows is its limit on a machine of a gigabyte (nf_conntrack_max).
 */
function linux(mapping: Dependence, filtering: Dependence, ports: NatSpec['ports']): NatSpec {
  return {
    mapping,
    filtering,
    ports,
    portStep: 1,
    lifetimeMs: 120 * SECOND,
    refreshedBy: 'both',
    hairpin: false,
    maxMappings: 65_536,
    addresses: 1,
  }
}
