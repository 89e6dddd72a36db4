/**
 * The sockets behind WireGuard's loopback endpoints: one for each peer, on an address of its own, and one for the
 * catch-all endpoint. `Handle` is whatever the caller knows them by.
 *
 * Each is connected to WireGuard's own port, so that the kernel passes on nothing that another local program sends, and a
 * send needs no address. What arrived before the socket was connected is recognised by its sender.
 */

import type { Socket } from 'node:dgram'
import { familyOf, isPort, type SocketAddress } from '../base/address.js'
import { codeOf } from '../base/userError.js'
import type { DatagramBatches } from './datagramBatches.js'
import {
  type Batching,
  batchingOf,
  bindUdpSocket,
  closeUdpSocket,
  enlargeBuffers,
  receive,
} from './udpSocket.js'

export interface LoopbackSocketHandlers<Handle> {
  /** WireGuard sent `bytes` to the endpoint. Where there are batches, they are overwritten later: who keeps them, keeps a copy. */
  readonly onDatagram: (handle: Handle, bytes: Uint8Array) => void
  /** Another program's datagram was thrown away. Most of them the kernel discards unseen. */
  readonly onForeignDatagram: (handle: Handle) => void
  /** A datagram did not reach WireGuard: ECONNREFUSED while its socket is closed. */
  readonly onSendError: (handle: Handle, code: string) => void
}

interface OpenSocket {
  readonly socket: Socket
  readonly local: SocketAddress
  readonly batching: Batching | undefined
  readonly onSent: (error: Error | null) => void
  connected: boolean
}

export class LoopbackSockets<Handle> {
  readonly #handlers: LoopbackSocketHandlers<Handle>
  readonly #open = new Map<Handle, OpenSocket>()
  readonly #batches: DatagramBatches | undefined
  #wireGuardPort: number

  /** Opens nothing yet. `wireGuardPort` is the listen port of the interface. */
  constructor(
    wireGuardPort: number,
    handlers: LoopbackSocketHandlers<Handle>,
    batches?: DatagramBatches | undefined,
  ) {
    this.#batches = batches
    this.#wireGuardPort = wireGuardPort
    this.#handlers = handlers
  }

  /**
   * Opens the endpoint `local`: an address in 127.0.0.0/8 or ::1, and a port other than 0 (the kernel would choose
   * another whenever WireGuard's port changes). Throws the system's error (`code` EADDRINUSE, EADDRNOTAVAIL, …), and a
   * RangeError for port 0 or a handle that is open.
   */
  open(handle: Handle, local: SocketAddress): void {
    if (!isPort(local.port)) throw new RangeError('a loopback endpoint needs a port')
    if (this.#open.has(handle)) throw new RangeError('this loopback endpoint is open already')
    const socket = bindUdpSocket(local)
    try {
      enlargeBuffers(socket)
      this.#connect(socket, local)
    } catch (error) {
      socket.close()
      throw error
    }
    const { onDatagram, onForeignDatagram, onSendError } = this.#handlers
    const wireGuardIp = wireGuardAddress(local)
    const batching = batchingOf(socket, this.#batches, (_remote, code) => onSendError(handle, code))
    receive(
      socket,
      (bytes, address, port) => {
        if (port === this.#wireGuardPort && address === wireGuardIp) onDatagram(handle, bytes)
        else onForeignDatagram(handle)
      },
      batching,
    )
    // ECONNREFUSED of an earlier send, while WireGuard's socket was closed; ours goes on.
    socket.on('error', (error) => onSendError(handle, errorCode(error)))
    this.#open.set(handle, {
      socket,
      local,
      batching,
      onSent(error) {
        if (error !== null) onSendError(handle, errorCode(error))
      },
      connected: true,
    })
  }

  /** Hands `bytes` to WireGuard, from the endpoint `handle`; nothing happens if it is not open. Never throws. */
  send(handle: Handle, bytes: Uint8Array): void {
    const open = this.#open.get(handle)
    if (open === undefined) return
    if (!open.connected) this.#reconnect(handle, open)
    if (!open.connected || open.batching?.batches.send(open.batching.batched, undefined, bytes) === true)
      return
    open.socket.send(bytes, open.onSent)
  }

  /**
   * Follows WireGuard to another listen port. Throws a RangeError for port 0. A socket that cannot be connected now is
   * connected when something is to be sent; until then what it receives is still told by its sender.
   */
  reconnect(wireGuardPort: number): void {
    if (!isPort(wireGuardPort)) throw new RangeError('WireGuard listens on no port')
    this.#wireGuardPort = wireGuardPort
    for (const [handle, open] of this.#open) {
      if (open.connected) open.socket.disconnect()
      open.connected = false
      this.#reconnect(handle, open)
    }
  }

  /** Closes an endpoint; nothing happens if it is not open. */
  close(handle: Handle): void {
    const open = this.#open.get(handle)
    if (open !== undefined) closeUdpSocket(open.socket, open.batching)
    this.#open.delete(handle)
  }

  closeAll(): void {
    for (const handle of [...this.#open.keys()]) this.close(handle)
  }

  #reconnect(handle: Handle, open: OpenSocket): void {
    try {
      this.#connect(open.socket, open.local)
      open.connected = true
    } catch (error) {
      this.#handlers.onSendError(handle, errorCode(error))
    }
  }

  #connect(socket: Socket, local: SocketAddress): void {
    socket.connect(this.#wireGuardPort, wireGuardAddress(local))
    // Connecting has no asynchronous step here; this throws where it has failed.
    socket.remoteAddress()
  }
}

/** Whether all of 127.0.0.0/8 can be bound (Linux), or only 127.0.0.1 (other systems, some containers). */
export function canUseLoopbackRange(): boolean {
  try {
    bindUdpSocket({ ip: '127.0.0.2', port: 0 }).close()
    return true
  } catch {
    return false
  }
}

/** Where WireGuard sends from: the system takes the first loopback address of the family for any other. */
function wireGuardAddress(local: SocketAddress): string {
  return familyOf(local.ip) === 4 ? '127.0.0.1' : '::1'
}

function errorCode(error: unknown): string {
  return codeOf(error) ?? 'EINVAL'
}
