/**
 * What is kept for those who come late: own records that nobody has heard yet, and the ids of what was passed on in the
 * last seconds.
 */

import { elapsed, type Instant } from '../../base/time.js'

/** How many own records are kept while nobody hears: the newest of each of the periods that overlap. */
export const MAX_HELD = 4
const MAX_RECENT = 256

/** A record of our own. */
export interface OwnRecord {
  readonly bytes: Uint8Array
  readonly author: string
  readonly sequence: number
}

/** The newest own records that nobody has heard, one of each author, {@link MAX_HELD} at most. */
export class HeldRecords {
  readonly #records = new Map<string, OwnRecord>()

  hold(record: OwnRecord): void {
    const present = this.#records.get(record.author)
    if (present !== undefined && present.sequence > record.sequence) return
    this.#records.delete(record.author)
    this.#records.set(record.author, record)
    if (this.#records.size <= MAX_HELD) return
    const oldest = this.#records.keys().next()
    if (!oldest.done) this.#records.delete(oldest.value)
  }

  /** Those that are held, which are not held any more. */
  release(): readonly OwnRecord[] {
    const records = [...this.#records.values()]
    this.#records.clear()
    return records
  }
}

/** The ids of messages that were passed on, by topic. */
export class RecentIds {
  readonly #passed: { readonly topic: string; readonly id: Uint8Array; readonly at: Instant }[] = []

  add(topic: string, id: Uint8Array, now: Instant): void {
    this.#passed.push({ topic, id, at: now })
    if (this.#passed.length > MAX_RECENT) this.#passed.shift()
  }

  /** Those of the last `ms` under a topic, the newest first: not all may be asked for. */
  since(topic: string, ms: number, now: Instant): Uint8Array[] {
    return this.#passed
      .filter((message) => message.topic === topic && elapsed(message.at, now) < ms)
      .map(({ id }) => id)
      .reverse()
  }
}
