/**
 * No rollback: the highest sequence number that was seen under each key of a record, also of records that are no longer
 * stored, and also after a restart.
 *
 * Sequence numbers are times in ms. A floor is forgotten when it is older than {@link FLOOR_LIFETIME_MS}, because a
 * record that old is refused as expired in any case, and one further ahead than {@link MAX_AHEAD_MS} does not count (our
 * clock was set back). There are {@link MAX_FLOORS}; beyond, {@link FairTable}'s rule: of the sources that delivered
 * them, the one with the most loses its oldest.
 *
 * On the disk: `/floors/<key in base64url>`, sequence u64 | the source in UTF-8.
 */

import { fromString, toString as toText } from 'uint8arrays'
import { FairTable } from '../../base/fairTable.js'
import { HOUR, MINUTE } from '../../base/time.js'
import type { PersistentMap } from '../persistentMap.js'
import type { GossipFloors } from './gossipVerdicts.js'

export const MAX_FLOORS = 16_384
export const FLOOR_LIFETIME_MS = 4 * HOUR
const MAX_AHEAD_MS = 2 * HOUR
const SWEEP_MS = MINUTE

const PREFIX = '/floors/'
const SEQUENCE_LENGTH = 8

export class Floors {
  readonly #map: PersistentMap
  readonly #now: () => number
  readonly #floors = new FairTable<number>(MAX_FLOORS)
  #sweptAt = 0

  /** Takes over what an earlier run left in `map`. `now`: ms since 1970. */
  constructor(map: PersistentMap, now: () => number = Date.now) {
    this.#map = map
    this.#now = now
    const left = map.under(PREFIX).map(([name, bytes]) => ({
      name,
      sequence: bytes.length < SEQUENCE_LENGTH ? 0 : Number(viewOf(bytes).getBigUint64(0)),
      source: toText(bytes.subarray(SEQUENCE_LENGTH)),
    }))
    for (const { name, sequence, source } of left.sort((a, b) => a.sequence - b.sequence))
      if (this.#counts(sequence)) this.#put(name, sequence, source)
      else map.delete(name)
  }

  /** How many are remembered. */
  get size(): number {
    return this.#floors.size
  }

  /** The highest sequence number seen under a key; 0 where none is remembered. What is lower is a rollback. */
  of(key: Uint8Array): number {
    const sequence = this.#floors.get(nameOf(key))
    return sequence !== undefined && this.#counts(sequence) ? sequence : 0
  }

  /**
   * A valid record with this sequence number (a safe integer) was seen under the key. `source`: where from, in few
   * characters; see {@link FairTable}.
   */
  raise(key: Uint8Array, sequence: number, source: string): void {
    if (sequence <= this.of(key) || !this.#counts(sequence)) return
    if (this.#floors.size >= MAX_FLOORS) this.#sweep()
    const name = nameOf(key)
    const owner = fromString(this.#floors.ownerWith(name, source))
    const bytes = new Uint8Array(SEQUENCE_LENGTH + owner.length)
    viewOf(bytes).setBigUint64(0, BigInt(sequence))
    bytes.set(owner, SEQUENCE_LENGTH)
    this.#map.set(name, bytes)
    this.#put(name, sequence, source)
  }

  #put(name: string, sequence: number, source: string): void {
    const displaced = this.#floors.set(name, sequence, source)
    if (displaced !== undefined) this.#map.delete(displaced)
  }

  #counts(sequence: number): boolean {
    const now = this.#now()
    return sequence > now - FLOOR_LIFETIME_MS && sequence <= now + MAX_AHEAD_MS
  }

  /** Forgets what is too old, before anybody has to lose what is not. */
  #sweep(): void {
    if (Math.abs(this.#now() - this.#sweptAt) < SWEEP_MS) return
    this.#sweptAt = this.#now()
    for (const [name, sequence] of this.#floors.entries()) {
      if (this.#counts(sequence)) continue
      this.#floors.delete(name)
      this.#map.delete(name)
    }
  }
}

/**
 * Those of what is gossiped, apart from those of what is stored: the same bytes come both ways. All have one source, so
 * a flood of made-up authors displaces what was gossiped, and nothing that was stored.
 */
export function gossipFloors(floors: Floors): GossipFloors {
  const keyOf = (author: string) => fromString(`gossip ${author}`)
  return {
    get: (author) => floors.of(keyOf(author)) || undefined,
    raise: (author, sequence) => floors.raise(keyOf(author), sequence, 'gossip'),
  }
}

function nameOf(key: Uint8Array): string {
  return `${PREFIX}${toText(key, 'base64url')}`
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
