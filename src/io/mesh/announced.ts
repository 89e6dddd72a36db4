/**
 * What we tell others of where we are. libp2p's own list will not do: it leaves out every global address that no AutoNAT
 * server has confirmed, and knows neither where we were dialled back nor our circuits.
 */

import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type AddressFamily, familyOf, type SocketAddress } from '../../base/address.js'
import { addressedIp, relayIdOf, tcpMultiaddr } from './multiaddrs.js'
import type { Parts } from './parts.js'

/** Our addresses, complete: those at which we listen, those that gateways have opened, then those at which we were reached, then circuits. */
export function ownAddresses(
  { peerId, transportManager }: Pick<Parts, 'peerId' | 'transportManager'>,
  announces: ((ip: string) => boolean) | undefined,
  mapped: readonly SocketAddress[],
  reachedAt: readonly SocketAddress[],
  circuits: readonly string[],
): readonly Multiaddr[] {
  const listening = transportManager.getAddrs().filter((address) => {
    if (relayIdOf(address) !== undefined) return false
    const ip = addressedIp(address)
    return announces === undefined || ip === undefined || announces(ip)
  })
  const direct = [...listening.map(String), ...[...mapped, ...reachedAt].map(tcpMultiaddr)].map(
    (text) => `${text}/p2p/${peerId}`,
  )
  return [...new Set([...direct, ...circuits])].map((text) => multiaddr(text))
}

/** Has libp2p tell those who are connected, by identify push. */
export async function tellAddresses({ peerId, peerStore, addressManager }: Parts): Promise<void> {
  const own = `/p2p/${peerId}`
  const multiaddrs = addressManager.getAddresses().map((address) => address.decapsulate(own))
  await peerStore.patch(peerId, { multiaddrs })
}

/** The TCP port at which others may reach us in each family: one that a gateway has opened, else the first at which we listen. */
export function outerPorts(
  { transportManager }: Pick<Parts, 'transportManager'>,
  mapped: readonly SocketAddress[],
): ReadonlyMap<AddressFamily, number> {
  const ports = new Map<AddressFamily, number>()
  for (const { ip, port } of mapped) if (!ports.has(familyOf(ip))) ports.set(familyOf(ip), port)
  for (const address of transportManager.getAddrs()) {
    const [ip, port] = [addressedIp(address), portOf(address)]
    if (
      relayIdOf(address) === undefined &&
      ip !== undefined &&
      port !== undefined &&
      !ports.has(familyOf(ip))
    )
      ports.set(familyOf(ip), port)
  }
  return ports
}

function portOf(address: Multiaddr): number | undefined {
  const tcp = address.getComponents().find(({ name }) => name === 'tcp')
  return tcp?.value === undefined ? undefined : Number(tcp.value)
}
