/**
 * Streams that stand in for UDP, seen as sockets, as src/io/streamSockets.ts has them. Those that we opened to relays have
 * ids below zero; those that others opened to us are known by the addresses that stand for them.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { streamAddress } from '../../src/base/streamAddress.js'
import type { LocalSocket, SocketId, StreamRelay } from '../../src/engine/inputs.js'
import type { StreamEnd, StreamHandlers } from '../discovery/datagramStream.js'
import type { Datagram } from '../network/datagram.js'
import type { Host } from './host.js'

/** Calls back with our end of a stream to the relay of an identity, or why there is none. */
export type OpenStream = (
  relay: Uint8Array,
  handlers: StreamHandlers,
  done: (end: StreamEnd | string) => void,
) => void

export interface StreamSocketsParts {
  readonly host: Host
  readonly open: OpenStream
  /** Through a stream of ours: from a port of the relay. */
  readonly onDatagram: (socket: SocketId, datagram: Datagram) => void
  /** Through a stream of another node's: to a port of ours, as the relay. */
  readonly onRelayed: (from: SocketAddress, port: number, bytes: Uint8Array, author: string) => void
  /** A stream of ours has come or gone. */
  readonly onChange: () => void
  readonly onFailure: (relay: StreamRelay, reason: string) => void
  readonly onOverflow: () => void
}

interface OwnStream {
  readonly socket: LocalSocket & { readonly relay: StreamRelay }
  readonly end: StreamEnd
}

/** True for the id of a socket that is a stream. */
export function isStreamSocket(socket: SocketId): boolean {
  return socket < 0
}

export class StreamSockets {
  readonly #parts: StreamSocketsParts
  readonly #own = new Map<SocketId, OwnStream>()
  /** By the address that stands for each. */
  readonly #others = new Map<string, StreamEnd>()
  #nextStream = 0
  #lastId: SocketId = 0

  constructor(parts: StreamSocketsParts) {
    this.#parts = parts
  }

  /** Those that we opened. */
  get all(): readonly LocalSocket[] {
    return [...this.#own.values()].map(({ socket }) => socket)
  }

  /** The most that waits in one of them, in bytes. */
  get queued(): number {
    let most = 0
    for (const { end } of this.#own.values()) most = Math.max(most, end.queued)
    for (const end of this.#others.values()) most = Math.max(most, end.queued)
    return most
  }

  open(relay: StreamRelay): void {
    const { open, onDatagram, onChange, onFailure, onOverflow } = this.#parts
    let socket: OwnStream['socket'] | undefined
    const onClose = (): void => {
      if (socket !== undefined && this.#own.delete(socket.id)) onChange()
    }
    const onFrame: StreamHandlers['onFrame'] = ({ port, bytes, author }) => {
      if (socket === undefined) return
      const datagram: Datagram = { from: { ip: relay.ip, port }, to: socket.address, bytes, author }
      this.#observe('arrived', datagram)
      onDatagram(socket.id, datagram)
    }
    open(relay.identity, { onFrame, onClose, onOverflow }, (end) => {
      if (typeof end === 'string') {
        onFailure(relay, end)
        return
      }
      this.#lastId -= 1
      const address = streamAddress(this.#nextStream++)
      socket = { id: this.#lastId, address, device: '', purpose: 'stream', relay }
      this.#own.set(socket.id, { socket, end })
      onChange()
    })
  }

  /** Another node has opened one. */
  take(end: StreamEnd): StreamHandlers {
    const from = streamAddress(this.#nextStream++)
    this.#others.set(from.ip, end)
    const { onRelayed, onOverflow } = this.#parts
    return {
      onFrame: ({ port, bytes, author }) => onRelayed(from, port, bytes, author),
      onClose: () => this.#others.delete(from.ip),
      onOverflow,
    }
  }

  /** Sends from a stream of ours to a port of its relay. */
  sendFrom(id: SocketId, port: number, bytes: Uint8Array): void {
    const own = this.#own.get(id)
    if (own === undefined) return
    const author = this.#parts.host.name
    const { address, relay } = own.socket
    this.#observe('sent', { from: address, to: { ip: relay.ip, port }, bytes, author })
    own.end.send({ port, bytes, author })
  }

  /** Sends from a port of ours back through a stream of another node's. */
  sendTo(remote: SocketAddress, port: number, bytes: Uint8Array, author: string): void {
    this.#others.get(remote.ip)?.send({ port, bytes, author })
  }

  /** Closes a stream of ours, if it is open. */
  close(id: SocketId): void {
    this.#own.get(id)?.end.close()
  }

  /** Ends those of others. */
  closeOthers(): void {
    for (const end of [...this.#others.values()]) end.close()
  }

  #observe(what: 'sent' | 'arrived', datagram: Datagram): void {
    const { name, observers } = this.#parts.host
    for (const observer of observers) observer[what]?.(name, datagram)
  }
}
