/**
 * Streams that stand in for UDP, seen as sockets. Those that we opened to relays have ids of their own, below zero, so that
 * they are told from UDP sockets at a glance; those that others opened to us are known by the addresses that stand for
 * them (base/streamAddress.ts).
 */

import type { SocketAddress } from '../base/address.js'
import { streamAddress } from '../base/streamAddress.js'
import type { LocalSocket, StreamRelay } from '../engine/inputs.js'

/** Who carries the datagrams: see io/mesh/relayStreams.ts. */
export interface StreamCarrier {
  /** Resolves to the number of a stream to the relay of this identity. */
  open(relay: Uint8Array): Promise<number>
  /** `port` is the one at the relay's end. */
  send(stream: number, port: number, bytes: Uint8Array): void
  close(stream: number): void
}

export interface StreamSocketHandlers {
  /** Through a stream of ours: from a port of the relay. */
  readonly onDatagram: (socketId: number, remoteIp: string, remotePort: number, bytes: Uint8Array) => void
  /** Through a stream of another node's: to a port of ours, as the relay. `from` stands for the stream. */
  readonly onRelayed: (from: SocketAddress, port: number, bytes: Uint8Array) => void
  /** A stream of ours has come or gone. */
  readonly onChange: () => void
}

/** True for the id of a socket that is a stream. */
export function isStreamSocket(socketId: number): boolean {
  return socketId < 0
}

export class StreamSockets {
  readonly #carrier: StreamCarrier
  readonly #handlers: StreamSocketHandlers
  /** Ours, by the stream's number. */
  readonly #own = new Map<number, LocalSocket & { readonly relay: StreamRelay }>()
  readonly #byId = new Map<number, number>()
  /** The addresses that stand for others' streams: each of their datagrams bears one. */
  readonly #others = new Map<number, SocketAddress>()
  /** The same the other way round: each datagram back bears one. */
  readonly #byIp = new Map<string, number>()
  #lastId = 0

  constructor(carrier: StreamCarrier, handlers: StreamSocketHandlers) {
    this.#carrier = carrier
    this.#handlers = handlers
  }

  /** The streams that we opened. */
  sockets(): readonly LocalSocket[] {
    return [...this.#own.values()]
  }

  /** Opens a stream. Rejects where that cannot be done. */
  async open(relay: StreamRelay): Promise<void> {
    const stream = await this.#carrier.open(relay.identity)
    this.#lastId -= 1
    const address = streamAddress(stream)
    this.#own.set(stream, { id: this.#lastId, address, device: '', purpose: 'stream', relay })
    this.#byId.set(this.#lastId, stream)
    this.#handlers.onChange()
  }

  /** Sends from a stream of ours to a port of its relay; what it cannot take is lost, and what is not there takes all. */
  sendFrom(socketId: number, port: number, bytes: Uint8Array): void {
    const stream = this.#byId.get(socketId)
    if (stream !== undefined) this.#carrier.send(stream, port, bytes)
  }

  /** Another node has opened a stream, over a connection from `source`, canonical; undefined where that is not known. */
  opened(stream: number, source: string | undefined): void {
    const address = streamAddress(stream, source)
    this.#others.set(stream, address)
    this.#byIp.set(address.ip, stream)
  }

  /** Sends from a port of ours back through a stream of another node's. */
  sendTo(remote: SocketAddress, port: number, bytes: Uint8Array): void {
    const stream = this.#byIp.get(remote.ip)
    if (stream !== undefined) this.#carrier.send(stream, port, bytes)
  }

  /** A datagram came through a stream, to or from `port` at the relay's end. */
  received(stream: number, port: number, bytes: Uint8Array): void {
    const own = this.#own.get(stream)
    if (own === undefined) {
      const from = this.#others.get(stream)
      if (from !== undefined) this.#handlers.onRelayed(from, port, bytes)
    } else this.#handlers.onDatagram(own.id, own.relay.ip, port, bytes)
  }

  /** A stream has ended. */
  ended(stream: number): void {
    const other = this.#others.get(stream)
    if (other !== undefined) this.#byIp.delete(other.ip)
    this.#others.delete(stream)
    const own = this.#own.get(stream)
    if (own === undefined) return
    this.#own.delete(stream)
    this.#byId.delete(own.id)
    this.#handlers.onChange()
  }

  /** Closes a stream of ours, if it is open. */
  close(socketId: number): void {
    const stream = this.#byId.get(socketId)
    if (stream !== undefined) this.#carrier.close(stream)
  }
}
