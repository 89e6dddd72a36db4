/**
 * Whether a fleet is too large to gossip. What is gossiped reaches every node, so its cost to each grows with the
 * fleet; beyond a limit the DHT and knocks serve alone, for the rest of the day (UTC). A day is also the period for
 * which a record is sealed: the day after, every author has another name.
 */

import { HOUR, type UnixTime } from '../../base/time.js'

/** How many authors gossip may have in a day, by default. */
export const DEFAULT_GOSSIP_LIMIT = 2_000
/** The highest limit that can be set: names of authors are kept in memory, at some 150 bytes each. */
export const MAX_GOSSIP_LIMIT = 100_000

const DAY_MS = 24 * HOUR

export class FleetSize {
  readonly #limit: number
  readonly #authors = new Set<string>()
  #day = Number.NaN
  #exceeded = false

  /** `limit`: how many authors a day are not yet too many. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** An author was heard. True where that is one too many, once a day. */
  hear(author: string, now: UnixTime): boolean {
    this.#turn(now)
    if (this.#exceeded) return false
    this.#authors.add(author)
    if (this.#authors.size <= this.#limit) return false
    this.#exceeded = true
    this.#authors.clear()
    return true
  }

  /** True from when there was one author too many until the end of the day. */
  isTooLarge(now: UnixTime): boolean {
    this.#turn(now)
    return this.#exceeded
  }

  /** How many authors are remembered: never more than the limit. */
  get authors(): number {
    return this.#authors.size
  }

  #turn(now: UnixTime): void {
    const day = Math.floor(now / DAY_MS)
    if (day === this.#day) return
    this.#day = day
    this.#exceeded = false
    this.#authors.clear()
  }
}
