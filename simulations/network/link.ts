/**
 * One direction of a link, as what a datagram meets in this order:
 *
 * - a queue in front of a line of limited rate: datagrams wait their turn, and are dropped where too many bytes wait
 * - loss in bursts, after Gilbert and Elliott: the line is good or bad, and changes with a chance at each datagram; good
 *   loses nothing, bad everything. Of a share L lost in runs of B on average, bad turns good with a chance of 1/B, and
 *   good turns bad with L/(B(1-L)). A link whose datagrams are far apart is bad for as many of them, so for longer.
 * - the delay, and jitter on top. Jitter comes from queues, so it keeps the order: none arrives before one sent earlier.
 * - with some chance, being late, which is what breaks the order
 * - with some chance, a copy, which goes the same way right behind the first
 *
 * Each datagram is told how long it takes when it enters; so datagrams must enter a link in the order in which they get
 * there, if the link has a rate or jitter ({@link Link.isOrdered}).
 */

import { forked, type Random } from '../../src/base/random.js'
import type { LinkSpec } from '../topology.js'
import { Draws } from './draws.js'

/** What {@link Link.pass} says of a datagram that does not arrive. */
export const LOST = -1

/** What keeps its order arrives so far apart at least, which is more than rounding can make of a sum. */
const APART_MS = 0.001

const IPV4_AND_UDP_HEADER = 28
const IPV6_AND_UDP_HEADER = 48

/** A link that has nothing but a delay, in milliseconds one way. */
export function perfectLink(delayMs: number): LinkSpec {
  return {
    delayMs,
    jitterMs: 0,
    loss: 0,
    lossBurst: 1,
    reorder: 0,
    reorderMs: 0,
    duplicate: 0,
    rate: 0,
    queue: 0,
  }
}

/** What a datagram of so many bytes takes up on a link. */
export function sizeOnLink(length: number, isIpv6: boolean): number {
  return length + (isIpv6 ? IPV6_AND_UDP_HEADER : IPV4_AND_UDP_HEADER)
}

export class Link {
  readonly spec: LinkSpec
  /** True where it matters in which order datagrams enter. */
  readonly isOrdered: boolean
  /** After {@link pass}: when the copy of the datagram arrives, or {@link LOST} where there is none. */
  copyMs = LOST
  readonly #isPerfect: boolean
  readonly #draws: Draws
  readonly #turnsGood: number
  readonly #turnsBad: number
  #isBad: boolean
  /** When the line has sent all that waits. */
  #freeAt = 0
  /** When the last one that is in order arrives. */
  #lastArrival = Number.NEGATIVE_INFINITY

  constructor(spec: LinkSpec, random: Random) {
    this.spec = spec
    this.isOrdered = spec.rate > 0 || spec.jitterMs > 0
    this.#isPerfect = !this.isOrdered && spec.loss === 0 && spec.reorder === 0 && spec.duplicate === 0
    this.#draws = new Draws(random)
    // Losses in runs shorter than this would not add up to their share.
    const burst = Math.max(1, spec.lossBurst, spec.loss < 1 ? spec.loss / (1 - spec.loss) : 1)
    this.#turnsGood = spec.loss < 1 ? 1 / burst : 0
    this.#turnsBad = spec.loss < 1 ? spec.loss / (burst * (1 - spec.loss)) : 1
    this.#isBad = spec.loss > 0 && this.#draws.share() < spec.loss
  }

  /** How long, in milliseconds, a datagram of `size` bytes that enters at `at` is under way; or {@link LOST}. */
  pass(at: number, size: number): number {
    const { spec } = this
    if (this.#isPerfect) return spec.delayMs
    this.copyMs = LOST
    const arrivesAfter = this.#arrival(at, size)
    if (arrivesAfter !== LOST && spec.duplicate > 0 && this.#draws.share() < spec.duplicate)
      this.copyMs = this.#arrival(at, size)
    return arrivesAfter
  }

  /** How long a byte that enters at `at` would wait for its turn, in milliseconds. */
  waitMs(at: number): number {
    return Math.max(0, this.#freeAt - at)
  }

  #arrival(at: number, size: number): number {
    const { spec } = this
    const waitMs = spec.rate > 0 ? this.#queue(at, size) : 0
    if (waitMs === LOST || (spec.loss > 0 && this.#loses())) return LOST
    let takesMs = waitMs + spec.delayMs
    if (spec.jitterMs > 0) takesMs += this.#draws.share() * spec.jitterMs
    if (spec.reorder > 0 && this.#draws.share() < spec.reorder) return takesMs + spec.reorderMs
    if (!this.isOrdered) return takesMs
    const arrival = Math.max(at + takesMs, this.#lastArrival + APART_MS)
    this.#lastArrival = arrival
    return Math.max(takesMs, arrival - at)
  }

  /** How long until the last byte is sent; or {@link LOST} where the queue is full. */
  #queue(at: number, size: number): number {
    const { rate, queue } = this.spec
    const waitMs = this.waitMs(at)
    if (waitMs > 0 && (waitMs * rate) / 1_000 + size > queue) return LOST
    this.#freeAt = at + waitMs + (size * 1_000) / rate
    return this.#freeAt - at
  }

  #loses(): boolean {
    if (this.#draws.share() < (this.#isBad ? this.#turnsGood : this.#turnsBad)) this.#isBad = !this.#isBad
    return this.#isBad
  }
}

/** Both directions of a link. */
export class Line {
  readonly #random: Random
  #out: Link
  #in: Link

  constructor(spec: LinkSpec, random: Random) {
    this.#random = random
    this.#out = new Link(spec, forked(random))
    this.#in = new Link(spec, forked(random))
  }

  get out(): Link {
    return this.#out
  }

  get in(): Link {
    return this.#in
  }

  /** It becomes another link; what is under way arrives as it would have. */
  set(spec: LinkSpec): void {
    this.#out = new Link(spec, forked(this.#random))
    this.#in = new Link(spec, forked(this.#random))
  }
}
