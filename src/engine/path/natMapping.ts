/**
 * How the NAT before a socket maps, told by what reflectors at different addresses saw of it (RFC 5780 section 4.3,
 * without its second address: several hosts of the mesh take its place).
 */

import { familyOf, isGlobal, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import type { NatMapping } from '../../wire/record.js'

/** Of several uplinks the strictest counts. */
const STRICTEST_FIRST: readonly NatMapping[] = [
  'address-and-port-dependent',
  'address-dependent',
  'endpoint-independent',
  'none',
]

export function strictestMapping(mappings: readonly NatMapping[]): NatMapping {
  return STRICTEST_FIRST.find((mapping) => mappings.includes(mapping)) ?? 'unknown'
}

/**
 * `own` is the socket's address, `seen` what reflectors at different addresses saw. Whether the port as well as the
 * address of the destination matters cannot be told by hosts with one port each.
 */
export function toldMapping(own: SocketAddress, seen: readonly SocketAddress[]): NatMapping {
  const [first] = seen
  if (first === undefined) return 'unknown'
  if (sameSocketAddress(first, own)) return 'none'
  if (seen.length < 2) return 'unknown'
  return seen.every((address) => sameSocketAddress(address, first))
    ? 'endpoint-independent'
    : 'address-dependent'
}

/** Whether the NAT keeps the inner port (RFC 4787 section 4.2.1); undefined where there is none, or nothing was seen. */
export function preservesPort(own: SocketAddress, seen: readonly SocketAddress[]): boolean | undefined {
  const outer = seen.filter(({ ip }) => ip !== own.ip)
  return outer.length === 0 ? undefined : outer.every(({ port }) => port === own.port)
}

/**
 * Whether there is another NAT above the gateway that tells `external` as its own outer address: that one is for inner
 * networks only, or reflectors see us elsewhere. Undefined where a gateway or reflectors tell nothing.
 */
export function hasSecondNat(
  external: string | undefined,
  reflexive: readonly SocketAddress[],
): boolean | undefined {
  if (external === undefined) return undefined
  if (!isGlobal(external)) return true
  const seen = reflexive.filter(({ ip }) => familyOf(ip) === familyOf(external))
  return seen.length === 0 ? undefined : seen.every(({ ip }) => ip !== external)
}
