/**
 * Which of the connected nodes serve, and what they offer: `/tunnelbore/<network>/services/1`.
 *
 *     asker    opens a stream and sends nothing
 *     server   <length> services        (encoded elsewhere) and closes
 *
 * Every node is asked over each connection until it has answered (of two between the same nodes one is closed), and nodes
 * that do not serve do not speak the protocol. An answer proves that the node is of our network and serves, one round trip
 * after the connection: sooner than libp2p's identify and the DHT's ping let it into the routing table. A node that begins
 * to serve, or stops, says so by libp2p's identify push, which names its protocols anew.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { within } from '../deadline.js'
import { ask, sendMessage } from './exchange.js'
import type { Parts } from './parts.js'

/** The largest answer that is read, in bytes. */
export const MAX_SERVICES_LENGTH = 1024
const DEADLINE_MS = 4_000

export class Servers {
  readonly #protocol: string
  readonly #onChange: () => void
  readonly #onRetired: (peer: PeerId) => void
  readonly #answers = new Map<string, Uint8Array>()
  readonly #asking = new WeakMap<Connection, Promise<void>>()
  readonly #waiting = new Set<() => void>()

  /** `onRetired` is called for each node that serves no more, and is connected still. */
  constructor(network: string, onChange: () => void, onRetired: (peer: PeerId) => void = () => {}) {
    this.#protocol = `/tunnelbore/${network}/services/1`
    this.#onChange = onChange
    this.#onRetired = onRetired
  }

  /** Answers others with `own`, or no more where that is undefined. */
  async offer({ registrar }: Parts, own: (() => Uint8Array) | undefined): Promise<void> {
    if (own === undefined) {
      await registrar.unhandle(this.#protocol)
      return
    }
    await registrar.handle(
      this.#protocol,
      (stream) => sendMessage(stream, own(), { signal: within(DEADLINE_MS) }),
      { maxInboundStreams: 2, force: true },
    )
  }

  /** Asks those that connect. */
  async start({ registrar, events, connectionManager }: Parts): Promise<void> {
    await registrar.register(this.#protocol, {
      // Identify names the node's protocols, at first and when they change; this is called if ours is among them…
      onConnect: (_peer, connection) => {
        this.greet(connection).catch(() => {})
      },
      // … and this if it was and is no more. (Also if the node is gone, which is heard of below.)
      onDisconnect: (peer) => {
        if (connectionManager.getConnections(peer).length === 0) return
        if (!this.#answers.delete(peer.toString())) return
        this.#onRetired(peer)
        this.#onChange()
      },
    })
    events.addEventListener('peer:disconnect', ({ detail: peer }) => {
      if (this.#answers.delete(peer.toString())) this.#onChange()
    })
  }

  /** Asks the node at the other end of a connection, unless it has answered. Throws where it does not serve us. */
  greet(connection: Connection): Promise<void> {
    const id = connection.remotePeer.toString()
    if (this.#answers.has(id)) return Promise.resolve()
    const asking = this.#asking.get(connection) ?? this.#ask(id, connection)
    this.#asking.set(connection, asking)
    return asking
  }

  async #ask(id: string, connection: Connection): Promise<void> {
    try {
      const options = { signal: within(DEADLINE_MS) }
      const askedAt = performance.now()
      const services = await ask(connection, this.#protocol, undefined, MAX_SERVICES_LENGTH, options)
      if (connection.status !== 'open') throw new Error('the connection closed')
      connection.rtt ??= performance.now() - askedAt
      this.#answers.set(id, services)
    } finally {
      this.#asking.delete(connection)
    }
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
    this.#onChange()
  }

  has(peer: PeerId): boolean {
    return this.#answers.has(peer.toString())
  }

  get connected(): readonly PeerId[] {
    return [...this.#answers.keys()].map((id) => peerIdFromString(id))
  }

  get answers(): readonly { readonly peerId: string; readonly services: Uint8Array }[] {
    return [...this.#answers].map(([peerId, services]) => ({ peerId, services }))
  }

  /** Resolves when at least one server is connected; rejects when the signal aborts. */
  async untilConnected(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#answers.size > 0) return
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(onServer)
        reject(signal.reason)
      }
      const onServer = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#waiting.add(onServer)
      signal.addEventListener('abort', onAbort)
    })
  }
}
