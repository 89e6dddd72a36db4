/**
 * Where a node that serves the DHT keeps others' records.
 *
 * js-libp2p's kad-dht stores whatever its validator lets through: an older valid record overwrites a newer one
 * (js-libp2p issue 3377), nothing is removed before it is asked for, and there is no bound. So the datastore below it
 * decides: a record is kept only if {@link RecordJudge} accepts it and its sequence number is not lower than what is
 * there. It holds {@link MAX_STORED_RECORDS}; beyond, the one stored longest ago goes (living authors publish again
 * and again). A record that no longer is valid is removed when it is asked for.
 *
 * Provider records, another use of kad-dht, are refused: nobody here asks for them, and anybody could fill the memory.
 * All other keys are libp2p's own (peers it knows) and are stored as they are.
 */

import { Record } from '@libp2p/kad-dht'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { equals, toString as toText } from 'uint8arrays'
import { type Dropped, type DropReason, isDropped } from '../../base/drops.js'

/**
 * Whether `value` is a valid record under `key` now (signature, freshness, size); if so, its sequence number. The same
 * judge serves the DHT's validator, the storing side, the writer and the reader.
 */
export type RecordJudge = (key: Uint8Array, value: Uint8Array) => { readonly sequence: number } | Dropped

/** At 2 KiB a record and as much again of bookkeeping, some 16 MB. */
export const MAX_STORED_RECORDS = 4096

export class RecordStore extends MemoryDatastore {
  readonly #judge: RecordJudge
  readonly #onDrop: (reason: DropReason) => void
  readonly #records = new Map<string, { readonly stored: Uint8Array; readonly sequence: number }>()

  constructor(judge: RecordJudge, onDrop: (reason: DropReason) => void) {
    super()
    this.#judge = judge
    this.#onDrop = onDrop
  }

  /** Throws where the key is a record's and the record is refused: its writer then gets no acknowledgement. */
  override put(key: Key, stored: Uint8Array): Key {
    const name = key.toString()
    if (name.startsWith(PROVIDER_PREFIX)) throw new Error('provider records are not stored here')
    if (!name.startsWith(RECORD_PREFIX)) {
      super.put(key, stored)
      return key
    }
    const record = Record.deserialize(stored)
    const verdict = this.#judge(record.key, record.value)
    if (isDropped(verdict)) throw this.#refusal(verdict.dropped)
    const present = this.#records.get(name)
    if (present !== undefined && !mayReplace(present, verdict.sequence, record.value))
      throw this.#refusal('record-rollback')
    // Deleted first, so that the order of the map is the order of storing.
    this.#records.delete(name)
    this.#records.set(name, { stored, sequence: verdict.sequence })
    this.#evict()
    return key
  }

  override async get(key: Key): Promise<Uint8Array> {
    const name = key.toString()
    const present = this.#records.get(name)
    if (present === undefined) return super.get(key)
    const record = Record.deserialize(present.stored)
    if (isDropped(this.#judge(record.key, record.value))) {
      this.#records.delete(name)
      return super.get(key)
    }
    return present.stored
  }

  override async has(key: Key): Promise<boolean> {
    return this.#records.has(key.toString()) || super.has(key)
  }

  override async delete(key: Key): Promise<void> {
    this.#records.delete(key.toString())
    await super.delete(key)
  }

  /** Stores a record of our own, as if another had sent it. Throws where it is refused. */
  keep(key: Uint8Array, value: Uint8Array): void {
    this.put(recordKey(key), new Record(key, value, new Date()).serialize())
  }

  /** The value stored under a DHT key, if there is a valid one. */
  async kept(key: Uint8Array): Promise<Uint8Array | undefined> {
    const name = recordKey(key)
    return (await this.has(name)) ? Record.deserialize(await this.get(name)).value : undefined
  }

  /** How many records are stored. */
  get recordCount(): number {
    return this.#records.size
  }

  #refusal(reason: DropReason): Error {
    this.#onDrop(reason)
    return new Error(`record refused: ${reason}`)
  }

  #evict(): void {
    if (this.#records.size <= MAX_STORED_RECORDS) return
    const oldest = this.#records.keys().next()
    if (!oldest.done) this.#records.delete(oldest.value)
  }
}

// kad-dht's layout: its prefix, then the whole DHT key in base32.
const RECORD_PREFIX = '/dht/record/'
const PROVIDER_PREFIX = '/dht/provider'

function recordKey(key: Uint8Array): Key {
  return new Key(`${RECORD_PREFIX}${toText(key, 'base32')}`, false)
}

/** A higher sequence number replaces; the same one only as the very same bytes, which refreshes it. */
function mayReplace(
  present: { readonly stored: Uint8Array; readonly sequence: number },
  sequence: number,
  value: Uint8Array,
): boolean {
  if (sequence !== present.sequence) return sequence > present.sequence
  return equals(Record.deserialize(present.stored).value, value)
}
