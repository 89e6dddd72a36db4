/**
 * The UDP ports of the sessions that a member relay serves: of each session one socket on each of its local addresses.
 * Which there are, and what becomes of what they receive, others decide.
 */

import type { Socket } from 'node:dgram'
import type { SocketAddress } from '../base/address.js'
import { codeOf } from '../base/userError.js'
import type { DatagramBatches } from './datagramBatches.js'
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

/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

export interface RelaySocketHandlers {
  /**
   * `local` is the socket's own IP; `remoteIp` is canonical, `remotePort` never 0. Where there are batches, `bytes` are
   * overwritten later: who keeps them, keeps a copy.
   */
  readonly onDatagram: (
    session: number,
    local: string,
    remoteIp: string,
    remotePort: number,
    bytes: Uint8Array,
  ) => void
  /** A datagram came from an address that stands for a stream, and was dropped. */
  readonly onForged?: () => void
}

interface Port {
  readonly address: SocketAddress
  readonly socket: Socket
  readonly batching: Batching | undefined
}

/** What a socket may hold of what came while Node was busy, in bytes; there may be thousands of these sockets. */
const BUFFER_BYTES = 1024 * 1024

export class RelaySockets {
  readonly #handlers: RelaySocketHandlers
  readonly #ports: PortRange | undefined
  readonly #batches: DatagramBatches | undefined
  readonly #open = new Map<number, readonly Port[]>()
  /** Should ports of different sessions be the same on different addresses, it is the latest's. */
  readonly #byPort = new Map<number, { readonly session: number; readonly local: string }>()
  #mark: number
  #nextPort: number

  /** Opens nothing yet. Without a range of ports any free one is taken. `mark` 0 is no mark. */
  constructor(
    options: {
      readonly mark: number
      readonly ports: PortRange | undefined
      readonly batches?: DatagramBatches | undefined
    },
    handlers: RelaySocketHandlers,
  ) {
    this.#mark = options.mark
    this.#batches = options.batches
    this.#ports = options.ports
    this.#nextPort = options.ports?.first ?? 0
    this.#handlers = handlers
  }

  /** How many sockets are open. */
  get size(): number {
    let sockets = 0
    for (const ports of this.#open.values()) sockets += ports.length
    return sockets
  }

  /**
   * Opens a port for the session on each of `ips`, canonical, where that is possible; returns the addresses. The port has
   * one number on all of them if it can: those who come through a stream name nothing else. Throws the system's error
   * where it is possible on none.
   */
  open(session: number, ips: readonly string[]): readonly SocketAddress[] {
    this.close(session)
    const ports: Port[] = []
    let failure: unknown
    for (const ip of ips) {
      try {
        ports.push(this.#openPort(session, ip, ports[0]?.address.port))
      } catch (error) {
        failure = error
      }
    }
    if (ports.length === 0) throw failure
    this.#open.set(session, ports)
    for (const { address } of ports) this.#byPort.set(address.port, { session, local: address.ip })
    return ports.map(({ address }) => address)
  }

  /** The session that has a port, and one of its local addresses; undefined where none has. */
  at(port: number): { readonly session: number; readonly local: string } | undefined {
    return this.#byPort.get(port)
  }

  /** The port of a session on a local address. */
  portOf(session: number, local: string): number | undefined {
    return this.#open.get(session)?.find(({ address }) => address.ip === local)?.address.port
  }

  /** Sends from the session's port on `local`, without waiting; never throws. `bytes` must not be changed afterwards. */
  send(session: number, local: string, remote: SocketAddress, bytes: Uint8Array): void {
    const ports = this.#open.get(session)
    if (ports === undefined) return
    for (const { address, socket, batching } of ports) {
      if (address.ip !== local) continue
      if (batching?.batches.send(batching.batched, remote, bytes) === true) return
      try {
        socket.send(bytes, remote.port, remote.ip, ignore)
      } catch {
        // As with any datagram that the network loses.
      }
      return
    }
  }

  /** Gives all sockets, those opened later too, another mark; 0 takes it away. */
  setMark(mark: number): void {
    this.#mark = mark
    for (const ports of this.#open.values()) for (const { socket } of ports) markUdpSocket(socket, mark)
  }

  /** Closes the ports of a session, if it has any. */
  close(session: number): void {
    for (const { socket, address, batching } of this.#open.get(session) ?? []) {
      closeUdpSocket(socket, batching)
      if (this.#byPort.get(address.port)?.session === session) this.#byPort.delete(address.port)
    }
    this.#open.delete(session)
  }

  closeAll(): void {
    for (const session of [...this.#open.keys()]) this.close(session)
  }

  #openPort(session: number, ip: string, wished: number | undefined): Port {
    const socket = (wished === undefined ? undefined : bindIfFree({ ip, port: wished })) ?? this.#bind(ip)
    enlargeBuffers(socket, BUFFER_BYTES)
    allowUdpFragments(socket, ip)
    if (this.#mark !== 0) markUdpSocket(socket, this.#mark)
    const { onDatagram, onForged } = this.#handlers
    const batching = batchingOf(socket, this.#batches, ignore)
    receiveFrom(
      socket,
      ip,
      (remoteIp, remotePort, bytes) => onDatagram(session, ip, remoteIp, remotePort, bytes),
      onForged,
      batching,
    )
    // A failed receive concerns one datagram; the socket goes on.
    socket.on('error', ignore)
    return { address: { ip, port: socket.address().port }, socket, batching }
  }

  /** The next ports are tried first, so that a port that was just given back rests. */
  #bind(ip: string): Socket {
    const range = this.#ports
    if (range === undefined) return bindUdpSocket({ ip, port: 0 })
    const width = range.last - range.first + 1
    for (let tries = 1; ; tries++) {
      const port = this.#nextPort
      this.#nextPort = port === range.last ? range.first : port + 1
      try {
        return bindUdpSocket({ ip, port })
      } catch (error) {
        if (codeOf(error) !== 'EADDRINUSE' || tries >= width) throw error
      }
    }
  }
}

/** Undefined where the port is taken. Throws the system's error where it is something else that prevents it. */
function bindIfFree(address: SocketAddress): Socket | undefined {
  try {
    return bindUdpSocket(address)
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return undefined
    throw error
  }
}

function ignore(): void {}
