/** A UDP socket on a fresh port, for a moment: what it sends comes from where nobody has sent to. */

import type { SocketAddress } from '../base/address.js'
import { bindUdpSocket, markUdpSocket } from './udpSocket.js'

export interface OtherPort {
  readonly port: number
  /** Never throws: what cannot be sent is lost. */
  send(to: SocketAddress, datagram: Uint8Array): void
  /** Calls back with each datagram that comes in; the last one to be given is called. */
  onDatagram(take: (from: SocketAddress, datagram: Uint8Array) => void): void
  close(): void
}

/** Undefined where the address has no port for it. `mark` 0 is no mark; without it a full tunnel would swallow what is sent. */
export function bindOtherPort(ip: string, mark = 0): OtherPort | undefined {
  try {
    const socket = bindUdpSocket({ ip, port: 0 })
    if (mark !== 0) markUdpSocket(socket, mark)
    socket.unref()
    socket.on('error', () => undefined)
    return {
      port: socket.address().port,
      send(to, datagram) {
        try {
          socket.send(datagram, to.port, to.ip, () => undefined)
        } catch {
          // As with any datagram that the network loses.
        }
      },
      onDatagram(take) {
        socket.removeAllListeners('message')
        socket.on('message', (bytes, { address, port }) => {
          // Anybody can send from port 0, to which nothing can be sent.
          if (port !== 0) take({ ip: address, port }, bytes)
        })
      },
      close: () => socket.close(),
    }
  } catch {
    return undefined
  }
}
