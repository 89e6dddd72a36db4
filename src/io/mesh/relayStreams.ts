/**
 * Streams that stand in for UDP: `/tunnelbore/<network>/relay-stream/1`, from a node whose network lets no UDP out to a
 * relay, over a direct connection. What the node sends through one comes out at a port of the relay's as if it had come
 * in over UDP, and what the relay sends there goes back through the stream. So nothing but the relay's own sockets can be
 * reached by it, and all that a relay asks of UDP (wire/relayGrant.ts) it asks here too.
 *
 * To those above, a stream is known by a number that is never given to another one, from whichever side it was opened.
 */

import type { PeerId } from '@libp2p/interface'
import { senderBlock } from '../../base/address.js'
import { within } from '../deadline.js'
import { isDirect } from './connections.js'
import { DatagramStream, type DatagramStreamHandlers } from './datagramStream.js'
import { addressedIp } from './multiaddrs.js'
import type { Parts } from './parts.js'

/** For each node, for each address (of IPv6: each /64), and in all. */
const MAX_INBOUND = { each: 2, source: 64, all: 512 } as const
/** To connect, if need be, and to open the stream, in ms. */
const OPEN_MS = 4_000

export interface RelayStreamsHandlers {
  /** Another node has opened a stream; `source` is the address of the connection that carries it, canonical. */
  readonly onInbound: (stream: number, source: string | undefined) => void
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
  /** Those of others, by number: where they come from. */
  readonly #inbound = new Map<number, string>()
  #nextId = 0

  constructor(network: string, handlers: RelayStreamsHandlers) {
    this.#protocol = `/tunnelbore/${network}/relay-stream/1`
    this.#handlers = handlers
  }

  /** Begins to take streams of others, or ends all of them and takes no more. */
  async setServing({ registrar }: Pick<Parts, 'registrar'>, serves: boolean): Promise<void> {
    if (!serves) {
      await registrar.unhandle(this.#protocol)
      for (const id of [...this.#inbound.keys()]) this.#streams.get(id)?.close('the relay serves no more')
      return
    }
    await registrar.handle(
      this.#protocol,
      (stream, { remoteAddr }) => {
        // Reset before we heard of it: of its end nothing will be told.
        if (stream.status !== 'open') return
        const source = addressedIp(remoteAddr)
        const block = source === undefined ? '' : senderBlock(source)
        if (this.#inbound.size >= MAX_INBOUND.all || this.#countFrom(block) >= MAX_INBOUND.source) {
          stream.abort(new Error('too many streams'))
          return
        }
        const id = this.#add((handlers) => new DatagramStream(stream, handlers))
        this.#inbound.set(id, block)
        this.#handlers.onInbound(id, source)
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
    const direct = connectionManager.getConnections(relay).find(isDirect)
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

  #countFrom(block: string): number {
    let count = 0
    for (const source of this.#inbound.values()) if (source === block) count += 1
    return count
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
