/**
 * The knock over a libp2p stream: `/tunnelbore/<network>/knock/1`.
 *
 *     knocker   <length> knock          (encoded elsewhere)
 *     knocked   <length> answer         and closes; or closes without an answer
 *
 * It runs over relayed connections as well. libp2p tells us the sender's identity, proved by the noise handshake, which
 * is end to end also through a relay.
 *
 * Round trips, in units of the way between the two (through the relay, if there is one), with nothing lost:
 * over an open connection 1; to an address 3 (TCP, noise, knock); through a relay to which we are connected 3 (the
 * relay's request and its request to the other; noise; knock).
 */

import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DropReason } from '../../base/drops.js'
import { asError, ask, readMessage, Unanswered, within } from './exchange.js'
import { addressOf, peerIdOf, relayIdOf, relayPartOf } from './multiaddrs.js'
import type { Parts } from './parts.js'

/** The largest knock, and answer, in bytes: a record and a little more. */
export const MAX_KNOCK_LENGTH = 2560
/** How many knocks are answered at once, from all and over one connection. */
export const MAX_KNOCKS_AT_ONCE = 64
const MAX_KNOCKS_AT_ONCE_EACH = 4

/** A knock must be there this long after its stream was opened, in ms. */
const READ_DEADLINE_MS = 4_000
/** The whole exchange, in ms: the knocked node asks its reflectors before it answers. */
const DEADLINE_MS = 10_000
/** An open connection that gives no answer in this time may be dead: others are opened beside it. */
const HEDGE_MS = 700
/** How many addresses of a peer are tried. */
const MAX_ADDRESSES = 12

export interface Knock {
  /** The sender's libp2p identity: a raw Ed25519 public key of 32 bytes. */
  readonly from: Uint8Array
  readonly bytes: Uint8Array
}

export class Knocking {
  readonly #protocol: string
  readonly #onKnock: (knock: Knock) => Promise<Uint8Array | undefined>
  readonly #onDrop: (reason: DropReason) => void
  #answering = 0

  constructor(
    network: string,
    onKnock: (knock: Knock) => Promise<Uint8Array | undefined>,
    onDrop: (reason: DropReason) => void,
  ) {
    this.#protocol = `/tunnelbore/${network}/knock/1`
    this.#onKnock = onKnock
    this.#onDrop = onDrop
  }

  async start({ registrar }: Parts): Promise<void> {
    await registrar.handle(
      this.#protocol,
      async (stream, { remotePeer }) => {
        if (remotePeer.type !== 'Ed25519') {
          this.#onDrop('knock-malformed')
          stream.abort(new Error('not an Ed25519 identity'))
          return
        }
        if (this.#answering >= MAX_KNOCKS_AT_ONCE) {
          this.#onDrop('knock-rate-limited')
          stream.abort(new Error('too many knocks at once'))
          return
        }
        this.#answering += 1
        try {
          const knock = await readMessage(stream, MAX_KNOCK_LENGTH, {
            signal: within(READ_DEADLINE_MS),
          }).catch((error: unknown) => {
            this.#onDrop('knock-malformed')
            throw error
          })
          await knock.answer(await this.#onKnock({ from: remotePeer.publicKey.raw, bytes: knock.message }))
        } catch (error) {
          stream.abort(asError(error))
        } finally {
          this.#answering -= 1
        }
      },
      {
        runOnLimitedConnection: true,
        maxInboundStreams: MAX_KNOCKS_AT_ONCE_EACH,
        maxOutboundStreams: MAX_KNOCKS_AT_ONCE,
      },
    )
  }

  /**
   * Knocks and resolves to the answer: over an open connection, if there is one, else over the first that can be
   * opened of all `multiaddrs`, direct and through relays, dialled at once. Rejects where there is no answer.
   */
  async knock(
    parts: Parts,
    peer: PeerId,
    multiaddrs: readonly string[],
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const over = new AbortController()
    const until = within(DEADLINE_MS, AbortSignal.any([signal, over.signal]))
    const exchange = (connection: Connection) =>
      ask(connection, this.#protocol, bytes, MAX_KNOCK_LENGTH, { signal: until })
    const open = bestOpen(parts.connectionManager.getConnections(peer))
    const overNew = async () => exchange(await openAny(parts, peer, multiaddrs, until))
    try {
      if (open === undefined) return await overNew()
      const overOpen = exchange(open)
      return await Promise.any([overOpen, failedOrLate(overOpen, HEDGE_MS, until).then(overNew)])
    } catch (error) {
      throw error instanceof AggregateError ? asError(error.errors.at(-1)) : error
    } finally {
      over.abort()
    }
  }
}

/** A direct connection rather than a relayed one, a recent one rather than an old one. */
function bestOpen(connections: readonly Connection[]): Connection | undefined {
  const open = connections.filter(({ status }) => status === 'open')
  return open.findLast(({ limits }) => limits === undefined) ?? open.at(-1)
}

/**
 * Resolves when the exchange fails, or is still without an answer after `ms`. Rejects when all is over, and when the
 * peer has read the knock and closed without an answer: knocking again would not change its mind.
 */
function failedOrLate(exchange: Promise<unknown>, ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    over.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(over.reason)
    })
    exchange.catch((error: unknown) => (error instanceof Unanswered ? reject(error) : resolve()))
  })
}

/**
 * Opens a connection over the first address that answers. libp2p's own dialler takes a peer's addresses one after the
 * other, so that a black-holed private address would hold up all that follow; here each is dialled at once.
 */
async function openAny(
  parts: Parts,
  peer: PeerId,
  multiaddrs: readonly string[],
  signal: AbortSignal,
): Promise<Connection> {
  const addresses = multiaddrs
    .map((text) => addressOf(peer, text))
    .filter((address) => address !== undefined)
    .slice(0, MAX_ADDRESSES)
  const direct = addresses.filter((address) => relayIdOf(address) === undefined)
  const relays = new Set(addresses.map(relayIdOf).filter((id) => id !== undefined))
  const circuitsOf = (relay: string) => addresses.filter((address) => relayIdOf(address) === relay)
  return firstOf(
    [
      ...direct.map((address) => (until: AbortSignal) => dial(parts, address, until)),
      ...[...relays].map((relay) => (until: AbortSignal) => dialThrough(parts, circuitsOf(relay), until)),
    ],
    signal,
  )
}

/** Dials through one relay, of which several addresses may be known, after connecting to it if we are not. */
async function dialThrough(
  parts: Parts,
  circuits: readonly Multiaddr[],
  signal: AbortSignal,
): Promise<Connection> {
  const [circuit] = circuits
  const relay = circuit && relayPartOf(circuit)
  const relayId = relay && peerIdOf(relay)
  if (circuit === undefined || relayId === undefined) throw new Error('not a circuit address')
  if (relayId === parts.peerId.toString()) throw new Error('we are that relay, and the peer is not connected')
  const connected = parts.connectionManager
    .getConnections()
    .some(({ remotePeer, status }) => status === 'open' && remotePeer.toString() === relayId)
  if (!connected) {
    const dials = circuits.map((address) => (until: AbortSignal) => dial(parts, relayPartOf(address), until))
    await firstOf(dials, signal)
  }
  return dial(parts, circuit, signal)
}

async function dial(parts: Parts, address: Multiaddr, signal: AbortSignal): Promise<Connection> {
  if (await parts.connectionGater.denyDialMultiaddr?.(address))
    throw new Error(`${address} is not to be dialled`)
  signal.throwIfAborted()
  // The transport hands its signal to the socket, which would close the connection if it aborted later on.
  const dialling = new AbortController()
  const onAbort = () => dialling.abort(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await parts.transportManager.dial(address, { signal: dialling.signal })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The first connection that opens; the other attempts are called off, and what they still open is closed. */
async function firstOf(
  dials: readonly ((until: AbortSignal) => Promise<Connection>)[],
  signal: AbortSignal,
): Promise<Connection> {
  if (dials.length === 0) throw new Error('no address to dial')
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const attempts = dials.map((attempt) => attempt(until))
  try {
    const first = await Promise.any(attempts)
    for (const attempt of attempts) {
      attempt.then(
        (connection) => {
          if (connection !== first) connection.close().catch(() => {})
        },
        () => {},
      )
    }
    return first
  } finally {
    over.abort()
  }
}
