/**
 * Addresses that a node tells others of, in records and lists of services. Whoever reads one will send there, so an
 * address that can only mean the reader itself, or many, is refused: nobody shall make us talk to our own machine.
 */

import { canonicalIp, familyOf, ipFromBytes, isPort, type SocketAddress, scopeOf } from '../base/address.js'

/** True for a canonical address, other than unspecified, loopback, multicast and a stream's, and a port above zero. */
export function isPublishable(address: SocketAddress): boolean {
  return canonicalIp(address.ip) === address.ip && meansSomethingToOthers(address)
}

/**
 * The address of `ip`, 4 or 16 bytes in network order, and `port`; undefined where it is not
 * {@link isPublishable}, or where 16 bytes are an IPv4 address, which has 4.
 */
export function publishedAddress(ip: Uint8Array, port: number): SocketAddress | undefined {
  const text = ipFromBytes(ip)
  if (text === undefined || ip.length !== (familyOf(text) === 4 ? 4 : 16)) return undefined
  const address = { ip: text, port }
  return meansSomethingToOthers(address) ? address : undefined
}

function meansSomethingToOthers({ ip, port }: SocketAddress): boolean {
  if (!isPort(port)) return false
  const scope = scopeOf(ip)
  return scope !== 'unspecified' && scope !== 'loopback' && scope !== 'multicast' && scope !== 'stream'
}
