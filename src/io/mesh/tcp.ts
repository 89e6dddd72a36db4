/**
 * libp2p's TCP transport, of which all sockets are seen, with a firewall mark on every socket (SO_MARK): with
 * `AllowedIPs 0.0.0.0/0` a connection of ours without the mark would enter the tunnel it is to help build.
 *
 * A dialled socket must carry the mark before its first SYN, and Node has no hook between making a socket and
 * connecting it. So the socket is made and marked through libc and handed to `net.connect` as `fd`. A listening socket
 * is marked after it listens: what it accepts inherits the mark (from the kernel's `ir_mark`).
 */

import type { Server, Socket } from 'node:net'
import type { Listener, Transport } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { familyOf } from '../../base/address.js'
import { markedTcpSocket, setMark } from '../socketOptions.js'
import { addressedIp } from './multiaddrs.js'

type TransportFactory = ReturnType<typeof tcp>

/** The parts of the TCP transport that libp2p's types leave out. */
interface TcpTransport extends Transport {
  _connect(address: Multiaddr, options: object): Promise<Socket>
}
interface TcpListener extends Listener {
  readonly server: Server
}

export interface TcpOptions {
  /** The firewall mark; undefined for none. */
  readonly mark: number | undefined
  /** Hears of each socket that could not be marked. */
  readonly onUnmarked: (what: string) => void
  /** Hears of each socket that is connected, dialled or accepted. */
  readonly onSocket: (socket: Socket) => void
}

/** The transport. */
export function tcpTransport({ mark, onUnmarked, onSocket }: TcpOptions): TransportFactory {
  const factory = tcp()
  return (components) => {
    const transport = factory(components) as TcpTransport
    const connect = transport._connect.bind(transport)
    const createListener = transport.createListener.bind(transport)

    const dial = async (address: Multiaddr, options: object): Promise<Socket> => {
      if (mark === undefined) return connect(address, options)
      // Names have been resolved by now: a marked socket is made for one family.
      const ip = addressedIp(address)
      const fd = ip === undefined ? undefined : markedTcpSocket(familyOf(ip), mark)
      if (fd === undefined) {
        onUnmarked(`connection to ${address}`)
        return connect(address, options)
      }
      return connect(address, { ...options, fd, readable: true, writable: true })
    }
    transport._connect = async (address, options) => {
      const socket = await dial(address, options)
      onSocket(socket)
      return socket
    }

    transport.createListener = (options) => {
      const listener = createListener(options) as TcpListener
      listener.server.on('connection', onSocket)
      if (mark === undefined) return listener
      listener.server.on('listening', () => {
        const fd = serverFd(listener.server)
        if (fd === undefined || !setMark(fd, mark)) onUnmarked('listening socket')
      })
      return listener
    }
    return transport
  }
}

/** Node has no public way to a server's descriptor. */
function serverFd(server: Server): number | undefined {
  const handle: unknown = Reflect.get(server, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}
