/**
 * A connection that only proves who is at an address: TCP, noise, and closed. It never becomes a connection of libp2p, at
 * neither end: the one who is dialled sees a stranger that leaves before it has said what it wants.
 */

import type { Connection, MultiaddrConnection, PeerId } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { fromString, toString as toText } from 'uint8arrays'
import type { SocketAddress } from '../../base/address.js'
import { tcpMultiaddr } from './multiaddrs.js'
import type { Parts } from './parts.js'

/** multistream-select's lines: how libp2p names the encryption (libp2p specifications, connections/README.md). */
const NEGOTIATION = ['/multistream/1.0.0\n', '/noise\n'] as const
const MAX_LINE_LENGTH = 64

/** True where `identity` answers at `address`. Never throws. */
export async function answersAt(
  { transportManager, upgrader, connectionProtector, connectionGater }: Parts,
  address: SocketAddress,
  identity: PeerId,
  signal: AbortSignal,
): Promise<boolean> {
  const target = multiaddr(tcpMultiaddr(address))
  let isThere = false
  const prove = async (socket: MultiaddrConnection): Promise<Connection> => {
    const stream = (await connectionProtector?.protect(socket, { signal })) ?? socket
    const lines = lpStream(stream, { maxDataLength: MAX_LINE_LENGTH })
    await lines.writeV(
      NEGOTIATION.map((line) => fromString(line)),
      { signal },
    )
    for (const line of NEGOTIATION) {
      if (toText((await lines.read({ signal })).subarray()) !== line)
        throw new Error('noise is not spoken there')
    }
    const encrypter = upgrader.getConnectionEncrypters().get('/noise')
    if (encrypter === undefined) throw new Error('noise is not spoken here')
    const { remotePeer } = await encrypter.secureOutbound(lines.unwrap(), { remotePeer: identity, signal })
    isThere = remotePeer.equals(identity)
    throw new Error('who is there was all that was wanted')
  }
  try {
    if (await connectionGater.denyDialMultiaddr?.(target)) return false
    const transport = transportManager.dialTransportForMultiaddr(target)
    // In place of libp2p's upgrader, which would make a connection of it.
    await transport?.dial(target, { signal, upgrader: { ...upgrader, upgradeOutbound: prove } })
  } catch {
    // Also where it went well: the connection ends with it.
  }
  return isThere
}
