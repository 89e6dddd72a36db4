/** What the shared and the loopback sockets have in common: how a UDP socket is made, bound and given its options. */

import { createSocket, type Socket } from 'node:dgram'
import { familyOf, type SocketAddress } from '../base/address.js'
import { isStreamAddress } from '../base/streamAddress.js'
import type { BatchedSocket, DatagramBatches, TakeDatagram } from './datagramBatches.js'
import { allowFragments, forceBufferSizes, setMark, udpSocketFd } from './socketOptions.js'

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

/**
 * Hands on what a socket bound to `ip` receives, and from where: an address that can be answered. What claims to come from
 * one that stands for a stream is forged, for no machine has it: it must not pass for what comes through that stream.
 */
export function receiveFrom(
  socket: Pick<Socket, 'on'>,
  ip: string,
  onDatagram: (remoteIp: string, remotePort: number, bytes: Uint8Array) => void,
  onForged: (() => void) | undefined,
  batching?: Batching,
): void {
  const isIpv6 = familyOf(ip) === 6
  const take: TakeDatagram = (bytes, address, port) => {
    if (isIpv6 && isStreamAddress(address)) onForged?.()
    else onDatagram(address, port, bytes)
  }
  receive(socket, take, batching)
}

/** How a socket takes part in batches. */
export interface Batching {
  readonly batches: DatagramBatches
  readonly batched: BatchedSocket
}

/** Undefined without batches, and for a socket whose descriptor cannot be had. */
export function batchingOf(
  socket: Socket,
  batches: DatagramBatches | undefined,
  onSendError: BatchedSocket['onSendError'],
): Batching | undefined {
  const fd = batches && udpSocketFd(socket)
  if (batches === undefined || fd === undefined) return undefined
  const batched: BatchedSocket = { fd, onSendError, isClosed: false, sendsSingly: false }
  return { batches, batched }
}

/** Closes a socket; what of it waits in a batch has left then. */
export function closeUdpSocket(socket: Socket, batching: Batching | undefined): void {
  if (batching !== undefined) {
    batching.batches.flush()
    batching.batched.isClosed = true
  }
  socket.close()
}

/**
 * Hands on what a socket receives, and from where. Nothing can be answered to port 0, nor to a link-local address, which
 * is none without its zone: that is dropped. With batches, what is handed on may be overwritten afterwards.
 */
export function receive(
  socket: Pick<Socket, 'on'>,
  take: TakeDatagram,
  batching: Batching | undefined,
): void {
  if (batching !== undefined) {
    batching.batches.receive(socket, batching.batched, take)
    return
  }
  socket.on('message', (bytes, { address, port }) => {
    if (port !== 0 && !address.includes('%')) take(bytes, address, port)
  })
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

/** Lets routers fragment what a bound socket sends, where they can; false where that could not be set. */
export function allowUdpFragments(socket: Socket, ip: string): boolean {
  const fd = udpSocketFd(socket)
  return fd !== undefined && allowFragments(fd, familyOf(ip))
}

const BUFFER_BYTES = 4 * 1024 * 1024
