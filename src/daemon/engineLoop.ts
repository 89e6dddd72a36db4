/**
 * Runs the engine in the real world: inputs in, effects out, and a timer for the next wake-up.
 *
 *   sockets ─► forwarding ─────────────────────────► sockets      data, while there is nothing to decide
 *           └► engine.handle(input, now) ─► effects ─► sockets, wg, libp2p
 *
 * It holds no policy: what it does it is told.
 */

import type { SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { asInstant, elapsed } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import type { Effect } from '../engine/effects.js'
import type { Input } from '../engine/inputs.js'
import type { Node } from '../engine/node.js'
import type { LoopbackSockets } from '../io/loopbackSockets.js'
import type { SharedSockets } from '../io/sharedSockets.js'
import { now } from '../io/systemClock.js'
import type { Logger } from './logger.js'

/** Who uses a loopback socket: a peer, or WireGuard for any peer. */
export type LoopbackHandle = PublicKey | typeof CATCH_ALL

export const CATCH_ALL = Symbol('catch-all')

/** What the loop has done by others: everything that takes time. Each calls back with an input when it is done. */
export interface Errands {
  lookUp(peer: PublicKey): void
  knock(effect: Extract<Effect, { type: 'knock' }>): void
  answerKnock(id: number, answer: Uint8Array | undefined): void
  publish(signedRecord: Uint8Array, sequence: number): void
  setEndpoint(peer: PublicKey, endpoint: SocketAddress): void
}

export class EngineLoop {
  readonly node: Node
  readonly #shared: SharedSockets
  readonly #loopback: LoopbackSockets<LoopbackHandle> | undefined
  readonly #errands: Errands
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #wakeAt = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(
    node: Node,
    shared: SharedSockets,
    loopback: LoopbackSockets<LoopbackHandle> | undefined,
    errands: Errands,
    log: Logger,
  ) {
    this.node = node
    this.#shared = shared
    this.#loopback = loopback
    this.#errands = errands
    this.#log = log
  }

  /** A datagram came from the network. */
  received(socket: number, ip: string, port: number, datagram: Uint8Array): void {
    const peer = this.node.forwarding.inbound(ip, port, datagram, asInstant(performance.now()))
    if (peer !== undefined) this.#loopback?.send(peer, datagram)
    else this.handle({ type: 'datagram-received', socket, remote: { ip, port }, datagram })
  }

  /** WireGuard sent a message to a loopback endpoint. */
  sent(handle: LoopbackHandle, datagram: Uint8Array): void {
    if (handle === CATCH_ALL) {
      this.handle({ type: 'wireguard-sent', peer: undefined, datagram })
      return
    }
    const path = this.node.forwarding.outbound(handle, datagram, asInstant(performance.now()))
    if (path !== undefined) this.#shared.send(path.socket, path.remote, datagram)
    else this.handle({ type: 'wireguard-sent', peer: handle, datagram })
  }

  /** Anything else that happened. */
  handle(input: Input): void {
    if (this.#stopped) return
    for (const effect of this.node.handle(input, now())) this.#perform(effect)
    this.#arm()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#shared.send(effect.socket, effect.remote, effect.datagram)
        break
      case 'deliver':
        this.#loopback?.send(effect.peer, effect.datagram)
        break
      case 'open-loopback':
        this.#openLoopback(effect.peer, effect.address)
        break
      case 'close-loopback':
        this.#loopback?.close(effect.peer)
        break
      case 'set-endpoint':
        this.#errands.setEndpoint(effect.peer, effect.endpoint)
        break
      case 'look-up':
        this.#errands.lookUp(effect.peer)
        break
      case 'knock':
        this.#errands.knock(effect)
        break
      case 'answer-knock':
        this.#errands.answerKnock(effect.id, effect.answer)
        break
      case 'publish':
        this.#errands.publish(effect.signedRecord, effect.sequence)
        break
      case 'log':
        this.#log[effect.level](effect.fields, effect.message)
        break
    }
  }

  #openLoopback(peer: PublicKey, address: SocketAddress): void {
    try {
      this.#loopback?.open(peer, address)
    } catch (error) {
      this.#log.warn({ peer, address, cause: causeOf(error) }, 'cannot open the loopback endpoint of a peer')
    }
  }

  /** Wakes the engine when it says so. A timer that fires early does no harm, so it is only ever moved forward. */
  #arm(): void {
    const next = this.node.nextWake
    if (next === undefined || next >= this.#wakeAt) return
    clearTimeout(this.#timer)
    this.#wakeAt = next
    const wait = Math.max(0, Math.ceil(elapsed(asInstant(performance.now()), next)))
    this.#timer = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.handle({ type: 'woken' })
    }, wait)
  }
}
