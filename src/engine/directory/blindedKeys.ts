/**
 * Under which keys the records of our peers lie, and whose a gossiped record is: blinded keys of the periods that are
 * read now.
 *
 * To compute one takes about a millisecond. What a look-up needs is computed at once; for gossip, where the key is all
 * that tells whose a record is, the table is filled a few at a time, so that nothing waits for a thousand peers. What is
 * gossiped of one that is not in it yet is nobody's: look-ups find it.
 */

import { toString as toText } from 'uint8arrays'
import type { PublicKey } from '../../base/publicKey.js'
import { after, type Instant, type Now, type UnixTime } from '../../base/time.js'
import type { RecordSealing } from '../../crypto/sealedRecord.js'
import { periodsChangeIn, periodsToRead } from './periods.js'

/** So many are computed, and then others get their turn: packets wait meanwhile. */
const AT_ONCE = 3
const PAUSE_MS = 25

/** The blinded keys of one author, by period; undefined for one that can have none. */
type KeysOfOne = Map<number, Uint8Array | undefined>

export class BlindedKeys {
  readonly #sealing: RecordSealing
  readonly #authors = new Map<PublicKey, KeysOfOne>()
  readonly #byKey = new Map<string, PublicKey>()
  #periods: readonly number[] = []
  #changesAt: Instant | undefined = undefined
  /** True while gossip is heard. */
  #isWanted = false
  /** When the next few are computed; undefined where none is missing. */
  #nextAt: Instant | undefined = undefined

  constructor(sealing: RecordSealing) {
    this.#sealing = sealing
  }

  add(author: PublicKey, now: Instant): void {
    if (this.#authors.has(author)) return
    this.#authors.set(author, new Map())
    this.#missing(now)
  }

  remove(author: PublicKey): void {
    for (const key of this.#authors.get(author)?.values() ?? [])
      if (key !== undefined) this.#byKey.delete(nameOf(key))
    this.#authors.delete(author)
  }

  /** Whether gossip is heard, for which the table is filled. */
  want(isWanted: boolean, now: Instant): void {
    if (isWanted && !this.#isWanted) this.#nextAt = now
    this.#isWanted = isWanted
  }

  /** Where the record of an author may be found now; nothing for a key that has no point on the curve. */
  of(author: PublicKey, now: UnixTime): readonly Uint8Array[] {
    return periodsToRead(now).flatMap((period) => this.#key(author, period) ?? [])
  }

  /** The author whose records lie under a key, if that is known. */
  find(key: Uint8Array): PublicKey | undefined {
    return this.#byKey.get(nameOf(key))
  }

  wake(now: Now): void {
    this.#renew(now)
    if (!this.#isWanted || this.#nextAt === undefined || this.#nextAt > now.instant) return
    let left = AT_ONCE
    for (const period of this.#periods) {
      for (const [author, keys] of this.#authors) {
        if (keys.has(period)) continue
        if (left === 0) {
          this.#nextAt = after(now.instant, PAUSE_MS)
          return
        }
        left -= 1
        this.#key(author, period)
      }
    }
    this.#nextAt = undefined
  }

  get nextWake(): Instant | undefined {
    if (!this.#isWanted) return undefined
    return this.#nextAt ?? this.#changesAt
  }

  /** Forgets periods that are over, and notes where others have begun. */
  #renew(now: Now): void {
    const periods = periodsToRead(now.unix)
    const isSame = String(periods) === String(this.#periods)
    if (isSame && this.#changesAt !== undefined && this.#changesAt > now.instant) return
    this.#changesAt = after(now.instant, Math.ceil(periodsChangeIn(now.unix)))
    if (isSame) return
    this.#periods = periods
    for (const keys of this.#authors.values()) {
      for (const [period, key] of keys) {
        if (periods.includes(period)) continue
        keys.delete(period)
        if (key !== undefined) this.#byKey.delete(nameOf(key))
      }
    }
    this.#missing(now.instant)
  }

  #missing(now: Instant): void {
    if (this.#isWanted) this.#nextAt ??= now
  }

  #key(author: PublicKey, period: number): Uint8Array | undefined {
    const keys = this.#authors.get(author)
    if (keys?.has(period) === true) return keys.get(period)
    const key = this.#sealing.blindedKey(author, period)
    if (keys === undefined) return key
    keys.set(period, key)
    if (key !== undefined) this.#byKey.set(nameOf(key), author)
    return key
  }
}

function nameOf(key: Uint8Array): string {
  return toText(key, 'base64')
}
