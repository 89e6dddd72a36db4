/** A UDP socket on a fresh port, for a moment: what it sends comes from where nobody has sent to. */

import type { SocketAddress } from '../base/address.js'
import { bindUdpSocket } from './udpSocket.js'

export interface OtherPort {
  readonly port: number
  send(to: SocketAddress, datagram: Uint8Array): void
  /** Calls back with each datagram that comes in; the last one to be given is called. */
  onDatagram(take: (from: SocketAddress, datagram: Uint8Array) => void): void
  close(): void
}

/** Undefined where the address has no port for it. */
export function bindOtherPort(ip: string): OtherPort | undefined {
  try {
    const socket = bindUdpSocket({ ip, port: 0 })
    socket.unref()
    socket.on('error', () => undefined)
    return {
      port: socket.address().port,
      send: (to, datagram) => socket.send(datagram, to.port, to.ip, () => undefined),
      onDatagram(take) {
        socket.removeAllListeners('message')
        socket.on('message', (bytes, { address, port }) => take({ ip: address, port }, bytes))
      },
      close: () => socket.close(),
    }
  } catch {
    return undefined
  }
}
