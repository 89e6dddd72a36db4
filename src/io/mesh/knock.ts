/**
 * The knock over a libp2p stream: `/tunnelbore/<network>/knock/1`.
 *
 *     knocker   <length> knock          (encoded elsewhere)
 *     knocked   <length> answer         and closes; or closes without an answer
 *
 * It runs over relayed connections as well. libp2p tells us the sender's identity, proved by the noise handshake, which
 * is end to end also through a relay.
 *
 * A peer behind a NAT is reached through the relays that it names. A record from its first moments names none yet,
 * and then the nodes that serve and are connected to us are asked as well: in a small mesh its relays are among them,
 * and one that is not says so in one round trip.
 *
 * Round trips, in units of the way between the two (through the relay, if there is one), with nothing lost:
 * over an open connection 1; to an address 3 (TCP, noise, knock); through a relay to which we are connected 3 (the
 * relay's request and its request to the other; noise; knock).
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { DropReason } from '../../base/drops.js'
import { within } from '../deadline.js'
import { type Dial, dial, dialDirectly, firstOf } from './dials.js'
import { asError, ask, readMessage, Unanswered } from './exchange.js'
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
/** A connection that gives no answer in this time may be dead: another is opened beside it. */
const HEDGE_MS = 700
/** How many addresses of a peer are tried. */
const MAX_ADDRESSES = 12
/**
 * The head start of one relay over the next, in ms. Each that is tried costs both ends and the relay the setting up of a
 * whole connection: two at once took 36 ms instead of 30 on one machine, and a third more work.
 */
const RELAY_HEAD_START_MS = 50
/** How many relays are asked for a peer that names none. */
const MAX_GUESSED_RELAYS = 4

export interface Knock {
  /** The sender's libp2p identity: a raw Ed25519 public key of 32 bytes. */
  readonly from: Uint8Array
  readonly bytes: Uint8Array
}

export class Knocking {
  readonly #protocol: string
  readonly #onKnock: (knock: Knock) => Promise<Uint8Array | undefined>
  readonly #onDrop: (reason: DropReason) => void
  readonly #servers: () => readonly PeerId[]
  #answering = 0

  /** `servers` are the nodes connected to us that serve the mesh. */
  constructor(
    network: string,
    onKnock: (knock: Knock) => Promise<Uint8Array | undefined>,
    onDrop: (reason: DropReason) => void,
    servers: () => readonly PeerId[],
  ) {
    this.#protocol = `/tunnelbore/${network}/knock/1`
    this.#onKnock = onKnock
    this.#onDrop = onDrop
    this.#servers = servers
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
        try {
          const knock = await readMessage(stream, MAX_KNOCK_LENGTH, {
            signal: within(READ_DEADLINE_MS),
          }).catch((error: unknown) => {
            this.#onDrop('knock-malformed')
            throw error
          })
          await knock.answer(await this.#answer({ from: remotePeer.publicKey.raw, bytes: knock.message }))
        } catch (error) {
          stream.abort(asError(error))
        }
      },
      {
        runOnLimitedConnection: true,
        maxInboundStreams: MAX_KNOCKS_AT_ONCE_EACH,
        maxOutboundStreams: MAX_KNOCKS_AT_ONCE,
      },
    )
  }

  /** Counted from when the knock is there: who opens streams and sends nothing takes nobody's place. */
  async #answer(knock: Knock): Promise<Uint8Array | undefined> {
    if (this.#answering >= MAX_KNOCKS_AT_ONCE) {
      this.#onDrop('knock-rate-limited')
      throw new Error('too many knocks at once')
    }
    this.#answering += 1
    try {
      return await this.#onKnock(knock)
    } finally {
      this.#answering -= 1
    }
  }

  /**
   * Knocks and resolves to the answer: over an open connection, if there is one, else over the first that can be
   * opened of all `multiaddrs`, direct and through relays, dialled beside each other. Where a connection gives no
   * answer soon, the ways that are left are tried beside it. Rejects where there is no answer.
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
    const overOne = async (connection: Connection, others: readonly Dial[]): Promise<Uint8Array> => {
      const answer = ask(connection, this.#protocol, bytes, MAX_KNOCK_LENGTH, { signal: until })
      if (others.length === 0) return answer
      return Promise.any([answer, failedOrLate(answer, HEDGE_MS, until).then(() => overFirst(others))])
    }
    const overFirst = async (dials: readonly Dial[]): Promise<Uint8Array> => {
      const { connection, others } = await firstOf(dials, until)
      return overOne(connection, others)
    }
    const open = bestOpen(parts.connectionManager.getConnections(peer))
    const dials = dialsTo(parts, peer, multiaddrs, this.#servers())
    try {
      return await (open === undefined ? overFirst(dials) : overOne(open, dials))
    } catch (error) {
      throw lastOf(error)
    } finally {
      over.abort()
    }
  }
}

/** Where all of several ways failed, why the last one did. */
function lastOf(error: unknown): Error {
  return error instanceof AggregateError ? lastOf(error.errors.at(-1)) : asError(error)
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
 * The ways to a peer, to be dialled beside each other: libp2p's own dialler takes a peer's addresses one after the
 * other, so that a black-holed private address would hold up all that follow. Of the relays those to which we are
 * connected come first; where we can only guess at them, direct addresses have a head start as well: a node that is
 * reachable has no relay.
 */
function dialsTo(
  parts: Parts,
  peer: PeerId,
  multiaddrs: readonly string[],
  servers: readonly PeerId[],
): readonly Dial[] {
  const addresses = multiaddrs
    .map((text) => addressOf(peer, text))
    .filter((address) => address !== undefined)
    .slice(0, MAX_ADDRESSES)
  const direct = addresses.filter((address) => relayIdOf(address) === undefined)
  const named = addresses.filter((address) => relayIdOf(address) !== undefined)
  const circuits = named.length > 0 ? named : guessedCircuits(peer, servers)
  const relays = [...new Set(circuits.map(relayIdOf).filter((id) => id !== undefined))]
  const behind = named.length === 0 && direct.length > 0 ? 1 : 0
  const nearest = relays.sort((a, b) => Number(isConnected(parts, b)) - Number(isConnected(parts, a)))
  return [
    ...direct.map((address) => (until: AbortSignal) => dialDirectly(parts, address, until)),
    ...nearest.map((relay, index) => async (until: AbortSignal) => {
      await pause((index + behind) * RELAY_HEAD_START_MS, undefined, { signal: until })
      const ofRelay = circuits.filter((circuit) => relayIdOf(circuit) === relay)
      return dialThrough(parts, ofRelay, until)
    }),
  ]
}

function isConnected({ connectionManager }: Parts, peerId: string): boolean {
  return connectionManager
    .getConnections()
    .some(({ remotePeer, status }) => status === 'open' && remotePeer.toString() === peerId)
}

/** The addresses at which a peer would be that holds a reservation at one of these. */
function guessedCircuits(peer: PeerId, servers: readonly PeerId[]): readonly Multiaddr[] {
  return servers
    .filter((server) => !server.equals(peer))
    .slice(0, MAX_GUESSED_RELAYS)
    .map((server) => multiaddr(`/p2p/${server}/p2p-circuit/p2p/${peer}`))
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
  if (!isConnected(parts, relayId)) {
    const relayParts = circuits.map(relayPartOf)
    await firstOf(
      relayParts.map((address) => (until: AbortSignal) => dialDirectly(parts, address, until)),
      signal,
    )
  }
  return dial(parts, circuit, signal)
}
