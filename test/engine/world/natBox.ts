/** Gateways that translate addresses, in the words of RFC 4787 (mapping) and of old (what they let in). */

import { formatSocketAddress, type SocketAddress, sameSocketAddress } from '../../../src/base/address.js'
import { type Random, randomBelow } from '../../../src/base/random.js'
import { elapsed, type Instant, SECOND } from '../../../src/base/time.js'
import type { EventQueue } from './eventQueue.js'
import type { Datagram, Segment } from './network.js'

/**
 * - `full-cone`: one outer port for an inner one; lets in everybody
 * - `address-restricted`: … those addresses to which was sent
 * - `port-restricted`: … those addresses and ports to which was sent
 * - `symmetric`: an outer port of its own for each destination, which alone is let in
 */
export type NatKind = 'full-cone' | 'address-restricted' | 'port-restricted' | 'symmetric'

export interface NatOptions {
  readonly kind: NatKind
  readonly ip: string
  /** How far it is from the middle of the outer segment. */
  readonly delayMs: number
  readonly random: Random
  /** A mapping lives for this long after the last datagram from inside. */
  readonly lifetimeMs?: number
}

interface Mapping {
  readonly inner: SocketAddress
  readonly outerPort: number
  /** The one destination of a symmetric mapping. */
  readonly destination: SocketAddress | undefined
  /** Whom it lets in, besides those who the kind lets in anyway. */
  readonly asked: Set<string>
  usedAt: Instant
}

export class NatBox {
  readonly ip: string
  readonly #kind: NatKind
  readonly #random: Random
  readonly #lifetimeMs: number
  readonly #queue: EventQueue
  readonly #inside: Segment
  readonly #outside: Segment
  readonly #mappings = new Map<number, Mapping>()
  /** False where an outer port is chosen at random, also where the inner one is free. */
  preservesPorts: boolean

  constructor(queue: EventQueue, inside: Segment, outside: Segment, options: NatOptions) {
    this.#queue = queue
    this.#inside = inside
    this.#outside = outside
    this.ip = options.ip
    this.#kind = options.kind
    this.#random = options.random
    this.#lifetimeMs = options.lifetimeMs ?? 120 * SECOND
    this.preservesPorts = options.kind !== 'symmetric'
    inside.attachGateway((datagram) => this.#leaves(datagram))
    outside.attach(options.ip, options.delayMs, (datagram) => this.#enters(datagram))
  }

  /** It was restarted: nothing is remembered, and no outer port is as it was. */
  reboot(): void {
    this.#mappings.clear()
    this.preservesPorts = false
  }

  #leaves({ from, to, bytes }: Datagram): void {
    if (to.ip === this.ip) return
    const mapping = this.#mappingOf(from, to)
    mapping.usedAt = this.#queue.now.instant
    mapping.asked.add(this.#asked(to))
    this.#outside.send({ from: { ip: this.ip, port: mapping.outerPort }, to, bytes })
  }

  #enters({ from, to, bytes }: Datagram): void {
    const mapping = this.#mappings.get(to.port)
    if (mapping === undefined || this.#isDead(mapping)) return
    if (this.#kind !== 'full-cone' && !mapping.asked.has(this.#asked(from))) return
    this.#inside.send({ from, to: mapping.inner, bytes }, 0)
  }

  /** What an answer must come from. */
  #asked(remote: SocketAddress): string {
    return this.#kind === 'address-restricted' ? remote.ip : formatSocketAddress(remote)
  }

  #mappingOf(inner: SocketAddress, remote: SocketAddress): Mapping {
    for (const [port, mapping] of this.#mappings) {
      if (this.#isDead(mapping)) this.#mappings.delete(port)
      else if (
        sameSocketAddress(mapping.inner, inner) &&
        (mapping.destination === undefined || sameSocketAddress(mapping.destination, remote))
      )
        return mapping
    }
    const mapping: Mapping = {
      inner,
      outerPort: this.#freePort(inner.port),
      destination: this.#kind === 'symmetric' ? remote : undefined,
      asked: new Set(),
      usedAt: this.#queue.now.instant,
    }
    this.#mappings.set(mapping.outerPort, mapping)
    return mapping
  }

  #freePort(innerPort: number): number {
    let port = innerPort
    if (this.preservesPorts && !this.#mappings.has(port)) return port
    do port = 1024 + randomBelow(this.#random, 64_000)
    while (this.#mappings.has(port))
    return port
  }

  #isDead(mapping: Mapping): boolean {
    return elapsed(mapping.usedAt, this.#queue.now.instant) > this.#lifetimeMs
  }
}
