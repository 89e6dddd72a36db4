/**
 * Streams that stand in for UDP: `/tunnelbore/<network>/relay-stream/1`, from a node whose network lets no UDP out to a
 * relay, over a direct connection. What the node sends through one comes out at a port of the relay's as if it had come
 * in over UDP, and what the relay sends there goes back through the stream. So nothing but the relay's own sockets can be
 * reached by it, and all that a relay asks of UDP (wire/relayGrant.ts) it asks here too.
 *
 * To those above, a stream is known by a number that is never given to another one, from whichever side it was opened.
 */

import type { PeerId } from '@libp2p/interface'
import { DatagramStream, type DatagramStreamHandlers } from './datagramStream.js'
import { within } from './exchange.js'
import type { Parts } from './parts.js'

/** For each node, and in all. */
const MAX_INBOUND = { each: 2, all: 512 } as const
/** To connect, if need be, and to open the stream, in ms. */
const OPEN_MS = 4_000

export interface RelayStreamsHandlers {
  /** A datagram came out of a stream; `port` is the one at the relay's end. */
  readonly onDatagram: (stream: number, port: number, datagram: Uint8Array) => void
  /** A stream has ended, from whichever side. */
  readonly onClose: (stream: number, reason: string) => void
  /** A datagram was lost: see {@link DatagramStream}. */
  readonly onOverflow: () => void
}

export class RelayStreams {
  readonly #protocol: string
  readonly #handlers: RelayStreamsHandlers
  readonly #streams = new Map<number, DatagramStream>()
  /** By number: the relay to which a stream was opened. */
  readonly #relays = new Map<number, string>()
  readonly #inbound = new Set<number>()
  #nextId = 0

  constructor(network: string, handlers: RelayStreamsHandlers) {
    this.#protocol = `/tunnelbore/${network}/relay-stream/1`
    this.#handlers = handlers
  }

  /** Begins to take streams of others, or ends all of them and takes no more. */
  async setServing({ registrar }: Pick<Parts, 'registrar'>, serves: boolean): Promise<void> {
    if (!serves) {
      await registrar.unhandle(this.#protocol)
      for (const id of [...this.#inbound]) this.#streams.get(id)?.close('the relay serves no more')
      return
    }
    await registrar.handle(
      this.#protocol,
      (stream) => {
        // Reset before we heard of it: of its end nothing will be told.
        if (stream.status !== 'open') return
        if (this.#inbound.size >= MAX_INBOUND.all) {
          stream.abort(new Error('too many streams'))
          return
        }
        const id = this.#add((handlers) => new DatagramStream(stream, handlers))
        this.#inbound.add(id)
      },
      // Over a circuit a stranger would pay for what is passed on.
      { maxInboundStreams: MAX_INBOUND.each, runOnLimitedConnection: false, force: true },
    )
  }

  /**
   * Opens a stream to a relay; resolves to its number. Rejects where the node is not reached. It sends before it knows
   * that the node agrees, and a node that does not relay closes the stream one round trip later.
   */
  async open({ connectionManager }: Pick<Parts, 'connectionManager'>, relay: PeerId): Promise<number> {
    const signal = within(OPEN_MS)
    const direct = connectionManager
      .getConnections(relay)
      .find(({ limits, status }) => limits === undefined && status === 'open')
    const connection = direct ?? (await connectionManager.openConnection(relay, { signal }))
    if (connection.limits !== undefined) throw new Error('there is no direct connection to the relay')
    const stream = await connection.newStream(this.#protocol, { signal, runOnLimitedConnection: false })
    if (stream.status !== 'open') throw new Error('the relay ended the stream at once')
    const id = this.#add((handlers) => new DatagramStream(stream, handlers))
    this.#relays.set(id, relay.toString())
    return id
  }

  /** True for a relay to which a stream of ours is open: the connection is wanted. */
  isOpenTo(peerId: string): boolean {
    return [...this.#relays.values()].includes(peerId)
  }

  /** Sends, or loses, a datagram; never throws. A stream that is not there any more takes it, too. */
  send(stream: number, port: number, datagram: Uint8Array): void {
    this.#streams.get(stream)?.send(port, datagram)
  }

  close(stream: number): void {
    this.#streams.get(stream)?.close('it is not wanted any more')
  }

  stop(): void {
    for (const id of [...this.#streams.keys()]) this.close(id)
  }

  #add(make: (handlers: DatagramStreamHandlers) => DatagramStream): number {
    const id = this.#nextId++
    const { onDatagram, onClose, onOverflow } = this.#handlers
    const stream = make({
      onFrame: ({ port, datagram }) => onDatagram(id, port, datagram),
      onClose: (reason) => {
        this.#streams.delete(id)
        this.#inbound.delete(id)
        this.#relays.delete(id)
        onClose(id, reason)
      },
      onOverflow,
    })
    this.#streams.set(id, stream)
    return id
  }
}
