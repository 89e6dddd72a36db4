/**
 * The shared UDP sockets: one for each local address, all on one port. Checks, reflections and WireGuard's packets go
 * through the same socket, so a hole punched for one is a hole for all, and an answer leaves from where it was asked.
 * Besides, as the engine asks for them: sockets for punching, each on a port that no other socket of the address has.
 *
 * Spare sockets stand beside them, on ports of their own, for what is not to touch the mappings of the shared ones.
 *
 * A socket is known by a small number that is never given to another one, so that a path of a closed socket can be told
 * from a path of its successor.
 */

import type { Socket } from 'node:dgram'
import { familyOf, type SocketAddress } from '../base/address.js'
import { codeOf } from '../base/userError.js'
import type { SocketPurpose } from '../engine/inputs.js'
import type { DatagramBatches } from './datagramBatches.js'
import { IcmpErrors, type IcmpHandlers } from './icmpErrors.js'
import { sendUnfragmented, udpSocketFd } from './socketOptions.js'
import {
  allowUdpFragments,
  type Batching,
  batchingOf,
  bindUdpSocket,
  closeUdpSocket,
  enlargeBuffers,
  markUdpSocket,
  receiveFrom,
} from './udpSocket.js'

export interface SharedSocketHandlers extends IcmpHandlers {
  /**
   * `remoteIp` is canonical, `remotePort` never 0. Where there are batches, `bytes` are overwritten later: who keeps them,
   * keeps a copy.
   */
  readonly onDatagram: (socketId: number, remoteIp: string, remotePort: number, bytes: Uint8Array) => void
  /**
   * A datagram could not be sent: `code` is the system's (ENETUNREACH, EHOSTUNREACH, EPERM, EMSGSIZE, …), or EBADF for
   * a socket that is closed.
   */
  readonly onSendError: (socketId: number, remote: SocketAddress, code: string) => void
  /** A datagram came from an address that stands for a stream, and was dropped. */
  readonly onForged?: () => void
}

export interface SharedSocket {
  readonly id: number
  readonly address: SocketAddress
  readonly purpose: SocketPurpose
  /** True where it carries the mark that was asked for; false where that could not be set. */
  readonly marked: boolean
}

/**
 * An address on which no socket could be opened: EADDRNOTAVAIL where it is gone, or not usable yet; EADDRINUSE where
 * another program has the port on it.
 */
export interface BindFailure {
  readonly ip: string
  readonly code: string
}

interface OpenSocket extends SharedSocket {
  readonly socket: Socket
  readonly batching: Batching | undefined
}

export class SharedSockets {
  readonly #handlers: SharedSocketHandlers
  readonly #icmp: IcmpErrors
  readonly #batches: DatagramBatches | undefined
  readonly #open = new Map<number, OpenSocket>()
  #port: number
  #mark: number
  #nextId = 0

  /** Opens nothing yet. `port` 0 is any free one, the same for all. `mark` 0 is no mark. */
  constructor(
    options: { readonly port: number; readonly mark: number; readonly batches?: DatagramBatches | undefined },
    handlers: SharedSocketHandlers,
  ) {
    this.#port = options.port
    this.#mark = options.mark
    this.#batches = options.batches
    this.#handlers = handlers
    this.#icmp = new IcmpErrors(handlers)
  }

  /** The shared port; 0 as long as none was chosen. */
  get port(): number {
    return this.#port
  }

  /** The mark that all of them are to carry; 0 for none. */
  get mark(): number {
    return this.#mark
  }

  /** The open sockets but for spare ones, oldest first. */
  sockets(): readonly SharedSocket[] {
    return [...this.#open.values()].flatMap(({ id, address, purpose, marked }) =>
      purpose === 'spare' ? [] : [{ id, address, purpose, marked }],
    )
  }

  /** The addresses of the shared ones: where others may send without being asked. */
  sharedAddresses(): readonly SocketAddress[] {
    return this.#ofPurpose('shared').map(({ address }) => address)
  }

  /**
   * Opens and closes sockets until there is a shared one for each of `ips` (canonical, without link-local ones) and none
   * for another. Returns the addresses for which that was not possible.
   */
  setAddresses(ips: readonly string[]): readonly BindFailure[] {
    const wanted = new Set(ips)
    const present = new Set(this.#ofPurpose('shared').map(({ address }) => address.ip))
    const failures: BindFailure[] = []
    for (const ip of wanted) {
      if (present.has(ip)) continue
      try {
        this.#port = this.#openSocket({ ip, port: this.#port }, 'shared').address.port
      } catch (error) {
        failures.push({ ip, code: errorCode(error) })
      }
    }
    for (const { id, address, purpose } of [...this.#open.values()])
      if (purpose !== 'spare' && !wanted.has(address.ip)) this.#closeSocket(id)
    return failures
  }

  /**
   * Opens `count` punching sockets at `ip`, or as many as the system allows. Returns the failure that ended it early; one
   * for an address without a shared socket, which is not ours to use.
   */
  openPunching(ip: string, count: number): BindFailure | undefined {
    if (!this.#ofPurpose('shared').some(({ address }) => address.ip === ip))
      return { ip, code: 'EADDRNOTAVAIL' }
    try {
      for (let opened = 0; opened < count; opened++) this.#openSocket({ ip, port: 0 }, 'punching')
      return undefined
    } catch (error) {
      return { ip, code: errorCode(error) }
    }
  }

  /** Closes a punching socket, if it is open. */
  closePunching(socketId: number): void {
    if (this.#open.get(socketId)?.purpose === 'punching') this.#closeSocket(socketId)
  }

  /** Opens a spare socket on a free port of `ip`. Throws the system's error. */
  openSpare(ip: string): SharedSocket {
    return this.#openSocket({ ip, port: 0 }, 'spare')
  }

  closeSpare(socketId: number): void {
    if (this.#open.get(socketId)?.purpose === 'spare') this.#closeSocket(socketId)
  }

  /** Gives all sockets, those opened later too, another mark; 0 takes it away. */
  setMark(mark: number): void {
    this.#mark = mark
    for (const [id, open] of this.#open)
      this.#open.set(id, { ...open, marked: markUdpSocket(open.socket, mark) })
  }

  /** Sends without waiting and never throws. `bytes` must not be changed afterwards. */
  send(socketId: number, remote: SocketAddress, bytes: Uint8Array): void {
    const open = this.#open.get(socketId)
    if (open === undefined) {
      this.#handlers.onSendError(socketId, remote, 'EBADF')
      return
    }
    if (open.batching?.batches.send(open.batching.batched, remote, bytes) === true) return
    this.#send(open, remote, bytes, (code) => {
      this.#icmp.read(socketId)
      // The failure may tell of another datagram, which was sent before. Of this one it does where the device's queue is full.
      if (code === 'ENOBUFS' || !this.#open.has(socketId)) this.#handlers.onSendError(socketId, remote, code)
      else this.#sendAgain(open, remote, bytes)
    })
  }

  /**
   * Sends a datagram that nobody may fragment on the way, where that can be said (see `socketOptionsAvailable`), and
   * else nothing. False where it is larger than the network device takes. Never throws.
   */
  sendUnfragmented(socketId: number, remote: SocketAddress, bytes: Uint8Array): boolean {
    const open = this.#open.get(socketId)
    const fd = open === undefined ? undefined : udpSocketFd(open.socket)
    if (fd === undefined) return true
    const first = sendUnfragmented(fd, remote, bytes)
    if (first === 'sent') return true
    // The failure may tell of another datagram.
    this.#icmp.read(socketId)
    const second = sendUnfragmented(fd, remote, bytes)
    // It has been queued as well that this one is too large.
    if (second !== 'sent') this.#icmp.read(socketId)
    return second !== 'too-large'
  }

  /** Closes all sockets. */
  close(): void {
    for (const id of [...this.#open.keys()]) this.#closeSocket(id)
  }

  #ofPurpose(wanted: SocketPurpose): readonly OpenSocket[] {
    return [...this.#open.values()].filter(({ purpose }) => purpose === wanted)
  }

  /** Throws the system's error. */
  #openSocket({ ip, port }: SocketAddress, purpose: SocketPurpose): OpenSocket {
    const socket = bindUdpSocket({ ip, port })
    const address: SocketAddress = { ip, port: socket.address().port }
    if (purpose !== 'spare') enlargeBuffers(socket)
    allowUdpFragments(socket, ip)
    const { onDatagram, onForged, onSendError } = this.#handlers
    const id = this.#nextId++
    const batching = batchingOf(socket, this.#batches, (remote, code) => {
      this.#icmp.read(id)
      if (remote !== undefined) onSendError(id, remote, code)
    })
    receiveFrom(
      socket,
      ip,
      (remoteIp, remotePort, bytes) => onDatagram(id, remoteIp, remotePort, bytes),
      onForged,
      batching,
    )
    const fd = purpose === 'spare' ? undefined : udpSocketFd(socket)
    if (fd !== undefined) this.#icmp.listen(id, fd, familyOf(ip))
    // A failed receive concerns one datagram, or one that was sent; the socket goes on.
    socket.on('error', () => this.#icmp.read(id))
    const open: OpenSocket = {
      id,
      address,
      purpose,
      marked: this.#mark === 0 || markUdpSocket(socket, this.#mark),
      socket,
      batching,
    }
    this.#open.set(id, open)
    return open
  }

  #sendAgain(open: OpenSocket, remote: SocketAddress, bytes: Uint8Array): void {
    this.#send(open, remote, bytes, (code) => {
      this.#icmp.read(open.id)
      this.#handlers.onSendError(open.id, remote, code)
    })
  }

  /** Calls back, not always later, if it fails. */
  #send(
    { socket }: OpenSocket,
    remote: SocketAddress,
    bytes: Uint8Array,
    onFailure: (code: string) => void,
  ): void {
    try {
      socket.send(bytes, remote.port, remote.ip, (error) => {
        if (error !== null) onFailure(errorCode(error))
      })
    } catch (error) {
      onFailure(errorCode(error))
    }
  }

  #closeSocket(id: number): void {
    this.#icmp.forget(id)
    const open = this.#open.get(id)
    if (open !== undefined) closeUdpSocket(open.socket, open.batching)
    this.#open.delete(id)
  }
}

function errorCode(error: unknown): string {
  return codeOf(error) ?? 'EINVAL'
}
