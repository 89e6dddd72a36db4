/**
 * The datastore that libp2p is given.
 *
 * Its peer store has an entry for each peer that ever connected or was named by another (addresses, protocols, tags).
 * An entry expires after six hours, but is removed only when somebody asks for it, and nobody asks for those that are
 * gone: anybody could fill the memory with made-up peers. So this holds {@link MAX_ENTRIES} and {@link MAX_TOTAL_LENGTH}
 * bytes, and what was neither read nor written for longest goes first; an entry beyond {@link MAX_ENTRY_LENGTH} is not
 * taken, and what was there stays. A peer whose entry is gone is greeted and identified again when it connects again.
 * It is in memory only: which nodes to return to after a restart is not libp2p's to remember.
 *
 * Records of the DHT are read from the {@link RecordStore}. They are written by our own way alone ({@link ./requests}),
 * which knows who delivered them. Provider records, another use of kad-dht, are refused: nobody here asks for them.
 */

import { NotFoundError } from '@libp2p/interface'
import { Record } from '@libp2p/kad-dht'
import { BaseDatastore } from 'datastore-core'
import { Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'
import { fromString } from 'uint8arrays'
import type { RecordStore } from './recordStore.js'

/** Twice as many as there may be connections. */
export const MAX_ENTRIES = 8_192
/** What identify may send (8 KiB) once, and again as the record it is signed with. */
export const MAX_ENTRY_LENGTH = 32 * 1024
export const MAX_TOTAL_LENGTH = 16 * 1024 * 1024

export class Libp2pDatastore extends BaseDatastore {
  readonly #records: RecordStore
  /** The one that was used last comes last. */
  readonly #entries = new Map<string, Uint8Array>()
  #totalLength = 0

  constructor(records: RecordStore) {
    super()
    this.#records = records
  }

  /** Throws where the key is a record's. */
  override put(key: Key, value: Uint8Array): Key {
    const name = key.toString()
    if (name.startsWith(DHT_PREFIX)) throw new Error('nothing of the DHT is stored here')
    if (value.length > MAX_ENTRY_LENGTH) return key
    this.#remove(name)
    // A copy: what it is given are some hundred bytes at the beginning of a buffer of kilobytes.
    this.#entries.set(name, new Uint8Array(value))
    this.#totalLength += value.length
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_ENTRIES && this.#totalLength <= MAX_TOTAL_LENGTH) break
      this.#remove(oldest)
    }
    return key
  }

  override get(key: Key): Uint8Array {
    const name = key.toString()
    if (name.startsWith(RECORD_PREFIX)) return this.#record(name.slice(RECORD_PREFIX.length))
    const value = this.#entries.get(name)
    if (value === undefined) throw new NotFoundError()
    this.#entries.delete(name)
    this.#entries.set(name, value)
    return value
  }

  override has(key: Key): boolean {
    return this.#entries.has(key.toString())
  }

  override delete(key: Key): void {
    this.#remove(key.toString())
  }

  /** How many entries are held, without records. */
  get size(): number {
    return this.#entries.size
  }

  override *_all(_query: Query): Generator<Pair> {
    for (const [name, value] of [...this.#entries]) yield { key: new Key(name, false), value }
  }

  override *_allKeys(_query: KeyQuery): Generator<Key> {
    for (const name of [...this.#entries.keys()]) yield new Key(name, false)
  }

  #record(base32: string): Uint8Array {
    const key = fromString(base32, 'base32')
    const value = this.#records.get(key)
    if (value === undefined) throw new NotFoundError()
    // kad-dht lets a record expire 48 h after it was received. That is for the judge to say.
    return new Record(key, value, new Date()).serialize()
  }

  #remove(name: string): void {
    const value = this.#entries.get(name)
    if (value === undefined) return
    this.#entries.delete(name)
    this.#totalLength -= value.length
  }
}

// kad-dht's layout: its prefix, then the whole DHT key in base32.
const DHT_PREFIX = '/dht/'
const RECORD_PREFIX = '/dht/record/'
