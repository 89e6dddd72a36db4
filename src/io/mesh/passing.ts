/**
 * Knocks that a relay passes on: one message each way over the connections that are there, where a stream through the
 * relay would first take a connection with the peer (a request, and a noise handshake, along the whole way).
 *
 *     knocker ══ /tunnelbore/<network>/pass/1 ══► relay ══ /tunnelbore/<network>/passed/1 ══► knocked
 *       32  identity of the knocked                          the sealed knock
 *           the sealed knock
 *             ◄──────────────── a sealed answer; or the stream is closed without one ─────────
 *
 * Who the knock is of, its seal says (crypto/sealedKnock.ts): the relay can read neither, nor make one. It passes on what
 * is for those who are connected to it, of one length, within limits for each neighbour and in all, and opens no
 * connection for it.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { concat } from 'uint8arrays'
import type { DropReason } from '../../base/drops.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import { SEALED_KNOCK_LENGTH } from '../../wire/sealedKnock.js'
import { within } from '../deadline.js'
import { monotonicNow } from '../systemClock.js'
import { isDirect, isOpen } from './connections.js'
import { dialDirectly, firstOf } from './dials.js'
import { asError, ask, readMessage } from './exchange.js'
import { identityOfPeer, peerIdOfIdentity } from './identity.js'
import { addressOf, relayIdOf, relayPartOf } from './multiaddrs.js'
import type { Parts } from './parts.js'

const IDENTITY_LENGTH = 32
const REQUEST_LENGTH = IDENTITY_LENGTH + SEALED_KNOCK_LENGTH

/** In ms. The knocked node asks its reflectors before it answers. */
const EXCHANGE_MS = 4_000
/** How many relays are asked, one after the other. */
const MAX_RELAYS = 2
/** How many addresses of relays are dialled beside each other, where none is connected. */
const MAX_CIRCUITS = 4

/** What one neighbour may have passed on, and all; and how many wait for an answer at once. */
const PASSED = {
  each: { perSecond: 5, burst: 50 },
  all: { perSecond: 200, burst: 1_000 },
  maxSources: 4_096,
} as const
const MAX_AT_ONCE = 256
const MAX_AT_ONCE_EACH = 16
/** Of a relay's, whoever knocks. */
const MAX_PASSED_AT_ONCE = 64

/** Answers a sealed knock by a sealed answer; undefined closes its stream without one. */
export type OnSealedKnock = (sealedKnock: Uint8Array) => Promise<Uint8Array | undefined>

export class Passing {
  readonly #protocol: string
  readonly #passedProtocol: string
  readonly #onKnock: OnSealedKnock | undefined
  readonly #onDrop: (reason: DropReason) => void
  readonly #servers: () => readonly PeerId[]
  readonly #limiter = new SourceLimiter(PASSED, monotonicNow())
  /** Who is to be told of a peer's next connection: what is being passed on to it. */
  readonly #waiting = new Map<string, Set<(connection: Connection) => void>>()
  /** Under way, by the addresses. */
  readonly #dialling = new Map<string, Promise<Connection>>()
  #passing = 0

  /** `servers` are the nodes connected to us that serve the mesh. */
  constructor(
    network: string,
    onKnock: OnSealedKnock | undefined,
    onDrop: (reason: DropReason) => void,
    servers: () => readonly PeerId[],
  ) {
    this.#protocol = `/tunnelbore/${network}/pass/1`
    this.#passedProtocol = `/tunnelbore/${network}/passed/1`
    this.#onKnock = onKnock
    this.#onDrop = onDrop
    this.#servers = servers
  }

  /** Takes what relays pass on to us. */
  async start({ registrar, events }: Parts): Promise<void> {
    events.addEventListener('connection:open', ({ detail: connection }) => {
      if (!isDirect(connection)) return
      for (const onOpen of [...(this.#waiting.get(connection.remotePeer.toString()) ?? [])])
        onOpen(connection)
    })
    const onKnock = this.#onKnock
    if (onKnock === undefined) return
    await registrar.handle(
      this.#passedProtocol,
      async (stream) => {
        try {
          const signal = within(EXCHANGE_MS)
          const { message, answer } = await readMessage(stream, SEALED_KNOCK_LENGTH, { signal })
          if (message.length === SEALED_KNOCK_LENGTH) await answer(await onKnock(message))
          else throw this.#malformed()
        } catch (error) {
          stream.abort(asError(error))
        }
      },
      { maxInboundStreams: MAX_PASSED_AT_ONCE, maxOutboundStreams: MAX_PASSED_AT_ONCE },
    )
  }

  /** Begins to pass on what others knock with, or stops. */
  async setServing(parts: Parts, serves: boolean): Promise<void> {
    const { registrar } = parts
    if (!serves) {
      await registrar.unhandle(this.#protocol)
      return
    }
    await registrar.handle(
      this.#protocol,
      async (stream, { remotePeer }) => {
        try {
          const signal = within(EXCHANGE_MS)
          const { message, answer } = await readMessage(stream, REQUEST_LENGTH, { signal })
          await answer(await this.#pass(parts, remotePeer, message, signal))
        } catch (error) {
          stream.abort(asError(error))
        }
      },
      { maxInboundStreams: MAX_AT_ONCE_EACH, force: true },
    )
  }

  /**
   * Has a relay of a peer's that we are connected to, or where it names none a server, pass a sealed knock on, and resolves to the sealed answer. Where
   * there is no such relay, or the connection turns out to be dead, those that it names are dialled for it: who moves has
   * lost all connections, and this is one round trip more. Rejects where there is no relay that has a connection with the
   * peer, or no answer; and at once where we have one ourselves, which is better.
   */
  async knock(
    parts: Parts,
    peer: PeerId,
    multiaddrs: readonly string[],
    sealedKnock: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { connectionManager } = parts
    if (connectionManager.getConnections(peer).some(isOpen)) throw new Error('there is a connection')
    const circuits = multiaddrs
      .flatMap((text) => addressOf(peer, text) ?? [])
      .filter((address) => relayIdOf(address) !== undefined)
      .slice(0, MAX_CIRCUITS)
    const named = new Set(circuits.map(relayIdOf))
    // A record from its first moments names none yet; in a small mesh they are among those that serve us.
    if (named.size === 0) for (const server of this.#servers()) named.add(server.toString())
    const relays = connectionManager
      .getConnections()
      .filter((open) => isDirect(open) && named.delete(open.remotePeer.toString()))
    const request = concat([identityOfPeer(peer), sealedKnock])
    const passOn = (relay: Connection) => ask(relay, this.#protocol, request, SEALED_KNOCK_LENGTH, { signal })
    let why = new Error('no relay that it names is connected')
    for (const relay of relays.slice(0, MAX_RELAYS)) {
      try {
        return await passOn(relay)
      } catch (error) {
        why = asError(error)
      }
      signal.throwIfAborted()
    }
    // One that lives has nobody to pass it on to.
    if (relays.some(isOpen) || circuits.length === 0) throw why
    return passOn(await this.#connected(parts, circuits))
  }

  /** Dials relays beside each other; knocks that follow each other wait for the same one. */
  #connected(parts: Parts, circuits: readonly Multiaddr[]): Promise<Connection> {
    const relays = circuits.map(relayPartOf)
    const name = relays.join(' ')
    let dialling = this.#dialling.get(name)
    if (dialling === undefined) {
      const dials = relays.map((relay) => (until: AbortSignal) => dialDirectly(parts, relay, until))
      dialling = firstOf(dials, within(EXCHANGE_MS))
        .then(({ connection }) => connection)
        .finally(() => this.#dialling.delete(name))
      this.#dialling.set(name, dialling)
    }
    return dialling
  }

  async #pass(
    { connectionManager }: Parts,
    from: PeerId,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    if (request.length !== REQUEST_LENGTH) throw this.#malformed()
    if (this.#passing >= MAX_AT_ONCE || !this.#limiter.admit(from.toString(), monotonicNow())) {
      this.#onDrop('knock-rate-limited')
      return undefined
    }
    const to = peerIdOfIdentity(request.subarray(0, IDENTITY_LENGTH))
    const connection = connectionManager.getConnections(to).findLast(isDirect)
    if (connection === undefined) return undefined
    this.#passing += 1
    try {
      const sealedKnock = request.subarray(IDENTITY_LENGTH)
      return await this.#overNewest(to.toString(), connection, (over) =>
        ask(over, this.#passedProtocol, sealedKnock, SEALED_KNOCK_LENGTH, { signal }),
      )
    } catch {
      return undefined
    } finally {
      this.#passing -= 1
    }
  }

  /**
   * Exchanges over the connection that a peer has, and over each that it opens meanwhile: where it has moved, the one that
   * it had is dead. Rejects where the newest fails.
   */
  async #overNewest(
    peer: string,
    present: Connection,
    exchange: (over: Connection) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const waiting = this.#waiting.get(peer) ?? new Set()
    this.#waiting.set(peer, waiting)
    let onOpen: (connection: Connection) => void = () => {}
    try {
      return await new Promise((resolve, reject) => {
        let newest = present
        onOpen = (connection) => {
          newest = connection
          exchange(connection).then(resolve, (error: unknown) => {
            if (connection === newest) reject(asError(error))
          })
        }
        waiting.add(onOpen)
        onOpen(present)
      })
    } finally {
      waiting.delete(onOpen)
      if (waiting.size === 0 && this.#waiting.get(peer) === waiting) this.#waiting.delete(peer)
    }
  }

  #malformed(): Error {
    this.#onDrop('knock-malformed')
    return new Error('not of the length of a sealed knock')
  }
}

/**
 * The answer of the first way; beside it of the second, begun when the first has failed, or has not answered after `ms`.
 * Rejects as the second does, where neither answers.
 */
export async function firstAnswer<Answer>(
  first: () => Promise<Answer>,
  second: () => Promise<Answer>,
  ms: number,
): Promise<Answer> {
  const one = first()
  const other = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    one.then(
      () => clearTimeout(timer),
      () => {
        clearTimeout(timer)
        resolve()
      },
    )
  }).then(second)
  try {
    return await Promise.any([one, other])
  } catch {
    return other
  }
}
