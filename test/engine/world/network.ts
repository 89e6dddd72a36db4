/**
 * Networks: segments in which addresses are unique, and what is attached to them. A datagram needs the sender's delay
 * to the middle of the segment and the receiver's from it. What is for nobody in a segment goes to its gateway.
 */

import type { SocketAddress } from '../../../src/base/address.js'
import type { EventQueue } from './eventQueue.js'

export interface Datagram {
  readonly from: SocketAddress
  readonly to: SocketAddress
  readonly bytes: Uint8Array
}

interface Attachment {
  readonly delayMs: number
  readonly receive: (datagram: Datagram) => void
}

export class Segment {
  readonly #queue: EventQueue
  readonly #attachments = new Map<string, Attachment>()
  #gateway: Attachment | undefined = undefined
  /** What sees every datagram that is sent here; one that returns false loses it. */
  readonly watchers: ((datagram: Datagram) => boolean)[] = []

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  /** `ip` is `delayMs` away from the middle of the segment. */
  attach(ip: string, delayMs: number, receive: (datagram: Datagram) => void): void {
    if (this.#attachments.has(ip)) throw new Error(`${ip} is there already`)
    this.#attachments.set(ip, { delayMs, receive })
  }

  detach(ip: string): void {
    this.#attachments.delete(ip)
  }

  /** What is for nobody here goes this way. */
  attachGateway(receive: (datagram: Datagram) => void): void {
    this.#gateway = { delayMs: 0, receive }
  }

  /** `spoofingDelayMs` is how far away a sender is that is not who it says. */
  send(datagram: Datagram, spoofingDelayMs?: number): void {
    const delay = spoofingDelayMs ?? this.#attachments.get(datagram.from.ip)?.delayMs
    if (delay === undefined || !this.watchers.every((passes) => passes(datagram))) return
    const receiver = this.#attachments.get(datagram.to.ip) ?? this.#gateway
    if (receiver === undefined) return
    this.#queue.in(delay + receiver.delayMs, () => receiver.receive(datagram))
  }
}
