/**
 * What we tell others of where we are. libp2p's own list will not do: it leaves out every global address that no AutoNAT
 * server has confirmed, and knows neither where we were dialled back nor our circuits.
 */

import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type AddressFamily, familyOf, type SocketAddress } from '../../base/address.js'
import { addressedIp, relayIdOf, tcpMultiaddr } from './multiaddrs.js'
import type { Parts } from './parts.js'

/** Our addresses, complete: those at which we listen, then those at which we were reached, then circuits. */
export function ownAddresses(
  { peerId, transportManager }: Pick<Parts, 'peerId' | 'transportManager'>,
  announces: ((ip: string) => boolean) | undefined,
  reachedAt: readonly SocketAddress[],
  circuits: readonly string[],
): readonly Multiaddr[] {
  const listening = transportManager.getAddrs().filter((address) => {
    if (relayIdOf(address) !== undefined) return false
    const ip = addressedIp(address)
    return announces === undefined || ip === undefined || announces(ip)
  })
  const direct = [...listening.map(String), ...reachedAt.map(tcpMultiaddr)].map(
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

/** The TCP port at which we listen in each family. */
export function listeningPorts({
  transportManager,
}: Pick<Parts, 'transportManager'>): ReadonlyMap<AddressFamily, number> {
  const ports = new Map<AddressFamily, number>()
  for (const address of transportManager.getAddrs()) {
    const [ip, port] = [addressedIp(address), portOf(address)]
    if (relayIdOf(address) === undefined && ip !== undefined && port !== undefined)
      ports.set(familyOf(ip), port)
  }
  return ports
}

function portOf(address: Multiaddr): number | undefined {
  const tcp = address.getComponents().find(({ name }) => name === 'tcp')
  return tcp?.value === undefined ? undefined : Number(tcp.value)
}
