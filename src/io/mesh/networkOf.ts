/** Which addresses are likely to fail together, or to see the same of others. */

import { type AddressFamily, familyOf, ipToBytes } from '../../base/address.js'

/** Bytes of an address that name its network: what is routed on its own, a /24 or a /48. */
const ROUTED_BYTES: Readonly<Record<AddressFamily, number>> = { 4: 3, 6: 6 }
/** Bytes that name its link: a /24 or a /64. */
const LINK_BYTES: Readonly<Record<AddressFamily, number>> = { 4: 3, 6: 8 }

/** A name for the network of a canonical address; the same for all addresses in it. */
export function networkOf(ip: string): string {
  return prefixOf(ip, ROUTED_BYTES)
}

/** A name for the link of a canonical address. */
export function linkOf(ip: string): string {
  return prefixOf(ip, LINK_BYTES)
}

function prefixOf(ip: string, bytes: Readonly<Record<AddressFamily, number>>): string {
  const family = familyOf(ip)
  return `${family} ${ipToBytes(ip).subarray(0, bytes[family]).join('.')}`
}
