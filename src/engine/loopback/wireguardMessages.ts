/**
 * What our WireGuard and a peer's say to each other, as far as it takes the long way: which message is held, over which
 * paths each leaves, what may be delivered, and what of it proves a path.
 */

import { compare } from 'uint8arrays'
import { formatSocketAddress } from '../../base/address.js'
import type { DropReason } from '../../base/drops.js'
import { type PublicKey, publicKeyBytes } from '../../base/publicKey.js'
import type { Instant } from '../../base/time.js'
import { receiverIndex, wireguardType } from '../../wire/wireguard.js'
import type { Emit } from '../effects.js'
import type { PathAgent } from '../path/agent.js'
import type { Machine } from '../path/machine.js'
import { type Route, sameRoute } from '../path/path.js'
import { routesTo } from '../path/reachability.js'
import type { PathWatch } from '../roam/watch.js'
import { FirstMessage } from './firstMessage.js'
import type { Flow } from './forwarding.js'
import { Handshakes, type OwnHandshake } from './handshakes.js'
import { Refusals } from './refusals.js'
import type { SessionIndices } from './sessionIndices.js'
import type { Takeover } from './takeover.js'

export interface WireguardMessagesParts {
  readonly peer: PublicKey
  readonly ownKey: PublicKey
  readonly flow: Flow
  readonly agent: PathAgent
  readonly watch: PathWatch
  readonly machine: Machine
  readonly takeover: Takeover
  readonly indices: Pick<SessionIndices<unknown>, 'set'>
  readonly emit: Emit
  readonly drop: (reason: DropReason) => void
  readonly log: (message: string, fields?: Readonly<Record<string, string | number>>) => void
  /** True where there is no path, or none that is to be trusted. */
  readonly needsPath: (now: Instant) => boolean
  /** Has the peer looked for. */
  readonly want: (now: Instant) => void
  /** Something came in over a proved path. */
  readonly heard: (from: Route, now: Instant) => void
}

export class WireguardMessages {
  readonly #parts: WireguardMessagesParts
  readonly #handshakes = new Handshakes()
  readonly #firstMessage: FirstMessage
  readonly #refusals: Refusals

  constructor(parts: WireguardMessagesParts) {
    this.#parts = parts
    const { agent, watch, ownKey, peer, log } = parts
    this.#refusals = new Refusals(parts.flow)
    this.#firstMessage = new FirstMessage({
      precedes: compare(publicKeyBytes(ownKey), publicKeyBytes(peer)) < 0,
      handshakes: this.#handshakes,
      agent,
      watch,
      send: (message, over, now) => {
        log('sent a first message', { remote: formatSocketAddress(over.remote) })
        this.#sendOver([over], message, now)
      },
    })
  }

  /** True while a first message of our WireGuard's waits for a path. */
  get holdsFirstMessage(): boolean {
    return this.#firstMessage.isHeld
  }

  /** Our first message that was not answered yet. */
  get unansweredHandshake(): OwnHandshake | undefined {
    return this.#handshakes.unanswered
  }

  /** Sends our first message where the peer may be, and keeps it. */
  tryOver(handshake: OwnHandshake, route: Route, now: Instant): void {
    this.#firstMessage.tryOver(handshake, route, now)
  }

  /** True while a handshake is to show whether its way is a path. */
  get awaitsProof(): boolean {
    return this.#handshakes.awaitsProof
  }

  /** How many first messages in a row came to nothing. */
  get unanswered(): number {
    return Math.max(this.#firstMessage.unanswered, this.#refusals.count)
  }

  /** True where the path answers checks, and WireGuard's handshakes come to nothing. */
  get isIgnored(): boolean {
    return this.#firstMessage.isIgnored || this.#refusals.count > 1
  }

  /** WireGuard sent a message to the peer's loopback endpoint. False where it is none that there is. */
  sent(datagram: Uint8Array, now: Instant): boolean {
    switch (wireguardType(datagram)) {
      case 1:
        this.#firstMessageMade(datagram, now)
        break
      case 2:
        this.#secondMessageMade(datagram, now)
        break
      case 3:
        this.#cookieReplyMade(datagram, now)
        break
      case 4:
        this.#dataMade(datagram, now)
        break
      default:
        this.#parts.drop('wireguard-malformed')
        return false
    }
    return true
  }

  /** A message came over one of the peer's proved paths. False where it must not reach our WireGuard. */
  cameOverPath(datagram: Uint8Array, from: Route, now: Instant): boolean {
    const type = wireguardType(datagram)
    if (type === 1 && !this.#acceptFirstMessage(datagram, from, now)) return false
    if (type === 2 && this.#handshakes.settle(datagram)) {
      this.#firstMessage.answered()
      this.#refusals.answered(now)
    }
    this.#parts.heard(from, now)
    this.#deliver(datagram, from, now)
    return true
  }

  /** The peer's first message came from an address that is no path; it was opened and is the peer's. */
  firstFromStranger(datagram: Uint8Array, from: Route, now: Instant): void {
    if (this.#acceptFirstMessage(datagram, from, now)) this.#deliver(datagram, from, now)
  }

  /**
   * A second message, cookie reply or data came from an address that is no path, for an index of ours. False where it must
   * not reach our WireGuard.
   */
  answerFromStranger(datagram: Uint8Array, from: Route, now: Instant): boolean {
    const type = wireguardType(datagram)
    const expected =
      type === 2
        ? this.#handshakes.answered(datagram, from)
        : type === 3
          ? this.#handshakes.own?.sent !== undefined
          : this.#handshakes.used(datagram, from)
    if (!expected) {
      this.#parts.drop(type === 2 ? 'wireguard-unexpected-second' : 'wireguard-unknown-sender')
      return false
    }
    if (type === 2) this.#refusals.answered(now)
    this.#deliver(datagram, from, now)
    return true
  }

  /** A check of the peer's came in: the first message that is held may follow it. */
  followCheck(from: Route, now: Instant): void {
    this.#firstMessage.followCheck(from, now)
  }

  /** Forgets handshakes that are too old. */
  expire(now: Instant): void {
    this.#handshakes.expire(now)
  }

  /** Sends the first message that is held, if it may leave now. */
  release(now: Instant): void {
    this.#firstMessage.release(now)
  }

  /** Says what an overdue answer means for the path in use; see {@link FirstMessage.wake}. */
  wake(now: Instant): ReturnType<FirstMessage['wake']> {
    return this.#firstMessage.wake(now)
  }

  get nextWake(): Instant | undefined {
    return this.#firstMessage.nextWake
  }

  // What our WireGuard does

  #firstMessageMade(datagram: Uint8Array, now: Instant): void {
    this.#refusals.made(now)
    const handshake = this.#handshakes.begin(datagram, now)
    this.#parts.indices.set('own', handshake.ourIndex)
    if (!this.#firstMessage.made(handshake, now)) {
      this.#parts.log('a first message waits for a path')
      this.#tryConfigured(handshake, now)
    }
    if (this.#parts.needsPath(now)) this.#parts.want(now)
  }

  /** The user's own endpoint gets the message at once, beside the mesh: there may be a peer without Tunnelbore. */
  #tryConfigured(handshake: OwnHandshake, now: Instant): void {
    const configured = this.#parts.takeover.former(this.#parts.peer)
    if (configured === undefined) return
    for (const route of routesTo(configured, this.#parts.machine))
      this.#firstMessage.tryOver(handshake, route, now)
  }

  #secondMessageMade(datagram: Uint8Array, now: Instant): void {
    const routes = this.#handshakes.answer(datagram)
    const answer = this.#handshakes.peer?.answer
    if (answer !== undefined) this.#parts.indices.set('answer', answer.ourIndex)
    this.#sendOver(routes ?? this.#pathAsRoutes(), datagram, now)
  }

  #cookieReplyMade(datagram: Uint8Array, now: Instant): void {
    const peer = this.#handshakes.peer
    const routes = peer !== undefined && receiverIndex(datagram) === peer.peerIndex ? peer.sources : undefined
    this.#sendOver(routes ?? this.#pathAsRoutes(), datagram, now)
  }

  #dataMade(datagram: Uint8Array, now: Instant): void {
    const proved = this.#handshakes.confirmed(datagram)
    if (proved !== undefined) {
      this.#parts.agent.provedByHandshake(proved, now)
      this.#firstMessage.answered()
    }
    this.#sendOver(this.#pathAsRoutes(), datagram, now)
    if (this.#parts.needsPath(now)) this.#parts.want(now)
  }

  #sendOver(routes: readonly Route[], datagram: Uint8Array, now: Instant): void {
    const { flow } = this.#parts
    if (routes.length === 0) {
      // Data of a peer that was there a moment ago is sent again when there is a path, and nothing else (hedge.ts).
      if (flow.lookout === undefined || wireguardType(datagram) !== 4) this.#parts.drop('wireguard-no-path')
      else flow.lookout.sent(datagram, now)
      this.#parts.want(now)
      return
    }
    const { path, beside } = flow
    const isHedged =
      beside !== undefined && path !== undefined && routes.some((route) => sameRoute(route, path))
    for (const { socket, remote } of isHedged ? [...routes, beside] : routes)
      this.#parts.emit({ type: 'send', socket, remote, datagram })
    flow.sent(datagram.length, now)
    flow.lookout?.sent(datagram, now)
  }

  #pathAsRoutes(): readonly Route[] {
    const path = this.#parts.agent.current
    return path === undefined ? [] : [path]
  }

  // What the peer's WireGuard does

  /** Takes note of a first message of the peer's; false where it must not reach our WireGuard. */
  #acceptFirstMessage(datagram: Uint8Array, from: Route, now: Instant): boolean {
    if (this.#firstMessage.goesBefore(from, now)) {
      this.#parts.drop('wireguard-glare')
      return false
    }
    const began = this.#handshakes.peerBegan(datagram, from)
    if (began.copy) {
      if (began.answer === undefined) this.#parts.drop('wireguard-replayed')
      else this.#sendOver([from], began.answer, now)
      return false
    }
    this.#firstMessage.yieldToPeer()
    this.#refusals.peerMade(now)
    return true
  }

  #deliver(datagram: Uint8Array, from: Route, now: Instant): void {
    const type = wireguardType(datagram)
    if (type === 1 || type === 2) this.#parts.log('WireGuard gets a handshake message', { type })
    this.#parts.flow.heard(datagram.length, from.remote.ip, from.remote.port, now)
    this.#parts.emit({ type: 'deliver', peer: this.#parts.peer, datagram })
  }
}
