/** What is read from and made of multiaddrs. */

import type { PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { canonicalIp, familyOf, type SocketAddress } from '../../base/address.js'

/** `/ip4/1.2.3.4/tcp/5` */
export function tcpMultiaddr({ ip, port }: SocketAddress): string {
  return `/ip${familyOf(ip)}/${ip}/tcp/${port}`
}

/** The IP address that packets go to first: of a circuit address, the relay's. Undefined for a DNS name. */
export function addressedIp(address: Multiaddr): string | undefined {
  const [host] = address.getComponents()
  if (host?.value === undefined || (host.name !== 'ip4' && host.name !== 'ip6')) return undefined
  return canonicalIp(host.value)
}

/** The id of the relay of a circuit address; undefined for any other address. */
export function relayIdOf(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  const circuit = components.findIndex(({ name }) => name === 'p2p-circuit')
  const relay = components[circuit - 1]
  return relay?.name === 'p2p' ? relay.value : undefined
}

/** The part of a circuit address that leads to its relay, with the relay's id. */
export function relayPartOf(address: Multiaddr): Multiaddr {
  return address.decapsulate('/p2p-circuit')
}

/** The peer id at the end of an address; undefined if it ends with none. */
export function peerIdOf(address: Multiaddr): string | undefined {
  const last = address.getComponents().at(-1)
  return last?.name === 'p2p' ? last.value : undefined
}

/** An address without the peer id at its end, if it ends with one. */
export function withoutPeerId(address: Multiaddr): string {
  const id = peerIdOf(address)
  return id === undefined ? address.toString() : address.toString().slice(0, -`/p2p/${id}`.length)
}

/**
 * An address from a record, which comes from outside, as the address of `peer`: undefined where it does not parse, or
 * names another peer.
 */
export function addressOf(peer: PeerId, text: string): Multiaddr | undefined {
  try {
    const address = multiaddr(text)
    const named = peerIdOf(address)
    if (named === undefined) return address.encapsulate(`/p2p/${peer}`)
    return named === peer.toString() ? address : undefined
  } catch {
    return undefined
  }
}
