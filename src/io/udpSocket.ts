/** What the shared and the loopback sockets have in common: how a UDP socket is made, bound and given its options. */

import { createSocket, type Socket } from 'node:dgram'
import { familyOf, type SocketAddress } from '../base/address.js'
import { forceBufferSizes, setMark, udpSocketFd } from './socketOptions.js'

/**
 * A UDP socket bound to `local` alone (port 0: any free port), never sharing its port. With the lookup that it is given,
 * addresses pass to the kernel in the same call: binding, connecting and sending have no asynchronous step.
 * Throws the system's error, whose `code` is EADDRINUSE, EADDRNOTAVAIL, ….
 */
export function bindUdpSocket(local: SocketAddress): Socket {
  const family = familyOf(local.ip)
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    lookup: (address, _options, callback) => callback(null, address, family),
  })
  let failure: Error | undefined
  const onError = (error: Error) => {
    failure = error
  }
  socket.on('error', onError)
  socket.bind(local.port, local.ip)
  socket.off('error', onError)
  if (failure !== undefined) {
    socket.close()
    throw failure
  }
  return socket
}

/** Large buffers, since packets come in bursts while Node is busy elsewhere; as large as the system allows. */
export function enlargeBuffers(socket: Socket, bytes = BUFFER_BYTES): void {
  const fd = udpSocketFd(socket)
  if (fd !== undefined && forceBufferSizes(fd, bytes)) return
  socket.setRecvBufferSize(bytes)
  socket.setSendBufferSize(bytes)
}

/** Marks what a bound socket sends from now on; false where that could not be done. */
export function markUdpSocket(socket: Socket, mark: number): boolean {
  const fd = udpSocketFd(socket)
  return fd !== undefined && setMark(fd, mark)
}

const BUFFER_BYTES = 4 * 1024 * 1024
