/**
 * The nodes to which we want a connection at all times: those given by the user, for ever, and relays that hold a
 * reservation for us, until they have been gone for {@link RELAY_GIVEN_UP_AFTER_MS}. One that is down, or of another
 * network, is tried again and again with growing pauses, and is never fatal.
 *
 * libp2p's own reconnecting is not enough: it gives up after some tries, and a relay's entry in it is removed as the
 * relay is lost.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { isMultiaddr, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type Backoff, backoffMs } from '../../base/backoff.js'
import { MINUTE, SECOND } from '../../base/time.js'
import { within } from '../deadline.js'
import { isDirect } from './connections.js'
import { dialDirectly, firstOf } from './dials.js'
import { asError } from './exchange.js'
import { peerIdOf } from './multiaddrs.js'
import { type NameResolver, resolveNames } from './names.js'
import { CLOSED_NETWORK, OPEN_NETWORK, WRONG_NETWORK_KEY } from './networkGate.js'
import type { Parts } from './parts.js'
import type { BootstrapState } from './state.js'

/** How long a lost relay is returned to, in ms: a restart of a machine. */
export const RELAY_GIVEN_UP_AFTER_MS = 5 * MINUTE

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000
const GROWTH = 1.7
const PAUSE_MS: Backoff = { first: FIRST_PAUSE_MS, longest: LONGEST_PAUSE_MS, growth: GROWTH }
/** Pauses are stretched by up to this share at random, so that a fleet does not return in step. */
const JITTER = 0.3
/** After a connection was lost, or the network changed: what closes has closed by then. */
const SHORT_PAUSE_MS = FIRST_PAUSE_MS / 5
const DIAL_DEADLINE_MS = 6_000

interface KnownNode {
  readonly target: Multiaddr | PeerId
  readonly peerId: string
  /** When it was lost, for a relay; undefined for a node given by the user, which is never given up. */
  lostAt: number | undefined
  connected: boolean
  failures: number
  lastError: string | undefined
  nextTryAt: number | undefined
  timer: NodeJS.Timeout | undefined
  /** The dial under way, until it is connected. */
  dialling: AbortController | undefined
}

export class KnownNodes {
  #given: readonly (KnownNode & { readonly target: Multiaddr })[]
  readonly #relays = new Map<string, KnownNode>()
  readonly #greet: (connection: Connection) => Promise<void>
  readonly #onChange: () => void
  readonly #names: NameResolver
  readonly #stopped = new AbortController()
  #parts: Parts | undefined

  /**
   * `greet` throws where the node at the other end does not serve our network. Throws a TypeError that names the
   * multiaddr that is malformed, or ends without `/p2p/` and an id.
   */
  constructor(
    multiaddrs: readonly string[],
    greet: (connection: Connection) => Promise<void>,
    onChange: () => void,
    names: NameResolver,
  ) {
    this.#given = multiaddrs.map((text) => {
      const target = parse(text)
      return { target, ...newNode(peerIdOf(target) ?? '') }
    })
    this.#greet = greet
    this.#onChange = onChange
    this.#names = names
  }

  /** Begins to dial the nodes given. We may be one of them: a fleet can have one list for all. */
  start(parts: Parts): void {
    this.#parts = parts
    this.#given = this.#given.filter(({ peerId }) => peerId !== parts.peerId.toString())
    parts.events.addEventListener('peer:disconnect', ({ detail: peer }) => {
      const relay = this.#relays.get(peer.toString())
      for (const node of relay === undefined ? this.#given : [...this.#given, relay])
        if (node.connected && node.peerId === peer.toString()) this.#onLost(node)
    })
    for (const node of this.#given) void this.#dial(node)
  }

  stop(): void {
    this.#stopped.abort()
    for (const node of [...this.#given, ...this.#relays.values()]) clearTimeout(node.timer)
  }

  /** Returns to a relay when it is lost, or at once if it is lost already. */
  keepRelay(peer: PeerId): void {
    const peerId = peer.toString()
    if (this.#parts === undefined || this.has(peerId)) return
    const relay = { target: peer, ...newNode(peerId), connected: true }
    this.#relays.set(peerId, relay)
    if (this.#parts.connectionManager.getConnections(peer).length === 0) this.#onLost(relay)
  }

  /** A relay is there, and holds nothing for us any more: whether it is connected does not matter. */
  releaseRelay(peer: PeerId): void {
    const relay = this.#relays.get(peer.toString())
    if (relay === undefined) return
    this.#relays.delete(relay.peerId)
    clearTimeout(relay.timer)
    relay.dialling?.abort(new Error('it is not wanted any more'))
  }

  /**
   * The machine has other addresses or ways out: failures from before mean nothing any more, and what is being dialled
   * may have left by a way that is gone.
   */
  networkChanged(): void {
    for (const node of [...this.#given, ...this.#relays.values()]) {
      node.failures = 0
      if (node.dialling !== undefined) node.dialling.abort(new Error('the network changed'))
      else if (node.nextTryAt !== undefined) this.#retry(node, SHORT_PAUSE_MS)
    }
  }

  /** True for the id of a node that is kept connected. */
  has(peerId: string): boolean {
    return this.#relays.has(peerId) || this.#given.some((node) => node.peerId === peerId)
  }

  /** True for the id of a node that is kept connected, is not, and was not reached the last times. */
  failsToReach(peerId: string): boolean {
    const kept = [...this.#given, ...this.#relays.values()].filter((node) => node.peerId === peerId)
    return kept.length > 0 && kept.every(({ connected, failures }) => !connected && failures > 1)
  }

  /** How many nodes the user gave, without ourselves. */
  get given(): number {
    return this.#given.length
  }

  /** How it stands with the nodes given by the user. */
  get state(): readonly BootstrapState[] {
    return this.#given.map(({ target, connected, lastError, nextTryAt }) => ({
      multiaddr: target.toString(),
      connected,
      ...(connected || lastError === undefined ? {} : { lastError }),
      ...(connected || nextTryAt === undefined
        ? {}
        : { nextTryInS: Math.max(0, (nextTryAt - performance.now()) / SECOND) }),
    }))
  }

  async #dial(node: KnownNode): Promise<void> {
    if (this.#parts === undefined || this.#stopped.signal.aborted) return
    node.nextTryAt = undefined
    const dialling = new AbortController()
    node.dialling = dialling
    let connection: Connection | undefined
    try {
      const signal = within(DIAL_DEADLINE_MS, AbortSignal.any([this.#stopped.signal, dialling.signal]))
      connection = await this.#connect(this.#parts, node.target, signal).finally(() => {
        node.dialling = undefined
      })
      await this.#greet(connection)
      node.connected = true
      node.failures = 0
      node.lastError = undefined
      // It can have closed while it was being greeted.
      if (connection.status !== 'open') this.#onLost(node)
    } catch (error) {
      connection?.abort(asError(error))
      if (dialling.signal.aborted) {
        this.#retry(node, SHORT_PAUSE_MS)
        return
      }
      node.failures += 1
      node.lastError = explain(asError(error), connection !== undefined, node.lastError)
      this.#retry(node, backoffMs(PAUSE_MS, node.failures - 1))
    }
    if (!this.#stopped.signal.aborted) this.#onChange()
  }

  /** Names are resolved at each try, and all addresses that they lead to are dialled beside each other. */
  async #connect(parts: Parts, target: Multiaddr | PeerId, signal: AbortSignal): Promise<Connection> {
    if (!isMultiaddr(target)) return parts.connectionManager.openConnection(target, { signal })
    const peer = peerIdFromString(peerIdOf(target) ?? '')
    const open = parts.connectionManager.getConnections(peer).find(isDirect)
    if (open !== undefined) return open
    const addresses = await resolveNames(target, this.#names, signal)
    const dials = addresses.map((address) => (until: AbortSignal) => dialDirectly(parts, address, until))
    return (await firstOf(dials, signal)).connection
  }

  #onLost(node: KnownNode): void {
    node.connected = false
    node.lastError = 'the connection was lost'
    if (this.#relays.has(node.peerId)) node.lostAt = performance.now()
    this.#retry(node, SHORT_PAUSE_MS)
    this.#onChange()
  }

  #isKept(node: KnownNode): boolean {
    return isMultiaddr(node.target) || this.#relays.get(node.peerId) === node
  }

  #retry(node: KnownNode, pauseMs: number): void {
    if (this.#stopped.signal.aborted || !this.#isKept(node)) return
    if (node.lostAt !== undefined && performance.now() - node.lostAt > RELAY_GIVEN_UP_AFTER_MS) {
      this.#relays.delete(node.peerId)
      return
    }
    const pause = pauseMs * (1 + JITTER * Math.random())
    node.nextTryAt = performance.now() + pause
    clearTimeout(node.timer)
    node.timer = setTimeout(() => void this.#dial(node), pause)
  }
}

function newNode(peerId: string): Omit<KnownNode, 'target'> {
  return {
    peerId,
    lostAt: undefined,
    connected: false,
    failures: 0,
    lastError: undefined,
    nextTryAt: undefined,
    timer: undefined,
    dialling: undefined,
  }
}

function parse(text: string): Multiaddr {
  let address: Multiaddr
  try {
    address = multiaddr(text)
  } catch {
    throw new TypeError(`not a multiaddr: ${text}`)
  }
  if (peerIdOf(address) === undefined)
    throw new TypeError(`a multiaddr that does not end with /p2p/ and an id: ${text}`)
  return address
}

/** True where the other end of a stream does not speak its protocol. */
export function isUnsupported(error: Error): boolean {
  return error.name === 'UnsupportedProtocolError'
}

const OF_ANOTHER_NETWORK: readonly string[] = [WRONG_NETWORK_KEY, CLOSED_NETWORK, OPEN_NETWORK]

/** What libp2p says where it does not know why. */
const NO_REASON = 'Encryption failed'

function explain(error: Error, hadConnected: boolean, former: string | undefined): string {
  if (isUnsupported(error)) return 'it does not serve our network'
  if (hadConnected) return `it connects but does not answer: ${error.message}`
  const messages = (error instanceof AggregateError ? error.errors : [error]).map(
    (each: unknown) => asError(each).message,
  )
  const known = messages.find((message) => OF_ANOTHER_NETWORK.includes(message))
  if (known !== undefined) return known
  // A refusal can be lost where the other side closes: what was understood once still holds.
  const [first = error.message] = messages
  if (first !== NO_REASON) return first
  return former !== undefined && OF_ANOTHER_NETWORK.includes(former)
    ? former
    : 'it closes the connection at once'
}
