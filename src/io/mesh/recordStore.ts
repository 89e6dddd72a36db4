/**
 * Where a node that serves the DHT keeps others' records.
 *
 * js-libp2p's kad-dht stores whatever its validator lets through: an older valid record overwrites a newer one
 * (js-libp2p issue 3377), nothing is removed before it is asked for, and there is no bound. So records are kept here: one
 * is stored only if {@link RecordJudge} accepts it and it is not older than any seen under its key ({@link Floors}). A
 * record that no longer is valid is removed when it is asked for.
 *
 * It holds {@link MAX_STORED_RECORDS}. Anybody can make valid records under any number of keys, so they are counted by
 * the address that delivered them: whoever delivers most displaces his own ({@link FairTable}).
 *
 * What is stored outlives the process: `/records/<key in base64url>` on the disk, with the source's length u8 | the
 * source in UTF-8 | the record. It is judged again when it is read.
 */

import { setImmediate } from 'node:timers/promises'
import { equals, fromString, toString as toText } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../../base/drops.js'
import { FairTable } from '../../base/fairTable.js'
import type { PersistentMap } from '../persistentMap.js'
import type { Floors } from './floors.js'

/**
 * Whether `value` is a valid record under `key` now (signature, freshness, size); if so, its sequence number. The same
 * judge serves the DHT's validator, the storing side, the writer and the reader.
 */
export type RecordJudge = (key: Uint8Array, value: Uint8Array) => { readonly sequence: number } | Dropped

/** At 2 KiB a record and as much again of bookkeeping, some 16 MB. */
export const MAX_STORED_RECORDS = 4096

/** The source of our own records. */
export const OWN = 'own'

/** So many records are judged at a time while the node starts: some ms. */
const LOADED_AT_ONCE = 16
const PREFIX = '/records/'

interface Stored {
  readonly value: Uint8Array
  readonly sequence: number
}

export class RecordStore {
  readonly #judge: RecordJudge
  readonly #floors: Floors
  readonly #map: PersistentMap
  readonly #records = new FairTable<Stored>(MAX_STORED_RECORDS)

  constructor(judge: RecordJudge, floors: Floors, map: PersistentMap) {
    this.#judge = judge
    this.#floors = floors
    this.#map = map
  }

  /** Takes over what an earlier run left. Records that came meanwhile are not overwritten by older ones. */
  async load(): Promise<void> {
    const valid: { readonly key: Uint8Array; readonly stored: Stored; readonly source: string }[] = []
    for (const [n, [name, bytes]] of this.#map.under(PREFIX).entries()) {
      if (n % LOADED_AT_ONCE === LOADED_AT_ONCE - 1) await setImmediate()
      const key = keyOf(name)
      const { source, value } = decode(bytes)
      const verdict = key === undefined ? undefined : this.#judge(key, value)
      if (key === undefined || verdict === undefined || isDropped(verdict)) this.#map.delete(name)
      else valid.push({ key, stored: { value, sequence: verdict.sequence }, source })
    }
    // The order in which they came is lost; that in which they were made is nearly the same.
    for (const { key, stored, source } of valid.sort((a, b) => a.stored.sequence - b.stored.sequence))
      if (this.#mayStore(key, stored)) this.#store(key, stored, source)
  }

  /**
   * Stores a record that `source` delivered: {@link OWN}, or its address (see `senderBlock`). A {@link Dropped} where it
   * is refused, which nobody has counted yet.
   */
  deliver(key: Uint8Array, value: Uint8Array, source: string): Dropped | undefined {
    const verdict = this.#judge(key, value)
    if (isDropped(verdict)) return verdict
    const stored = { value, sequence: verdict.sequence }
    if (!this.#mayStore(key, stored)) return drop('record-rollback')
    this.#store(key, stored, source)
    return undefined
  }

  /** The record stored under a key, if there is one that is valid. */
  get(key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key)
    const stored = this.#records.get(name)
    if (stored === undefined) return undefined
    if (!isDropped(this.#judge(key, stored.value))) return stored.value
    this.#records.delete(name)
    this.#map.delete(name)
    return undefined
  }

  /** How many records are stored. */
  get size(): number {
    return this.#records.size
  }

  /** A higher sequence number replaces; the same one only as the very same bytes, which refreshes it. */
  #mayStore(key: Uint8Array, { sequence, value }: Stored): boolean {
    const present = this.#records.get(nameOf(key))
    if (sequence < Math.max(this.#floors.of(key), present?.sequence ?? 0)) return false
    return present?.sequence !== sequence || equals(present.value, value)
  }

  #store(key: Uint8Array, { value, sequence }: Stored, source: string): void {
    const name = nameOf(key)
    const present = this.#records.get(name)
    const owner = this.#records.ownerWith(name, source)
    let stored = present
    // To be delivered again, as every record is, costs the disk nothing.
    if (stored?.sequence !== sequence || owner !== this.#records.ownerOf(name)) {
      // A copy of its own: what was delivered is part of a message, which may be much larger.
      const bytes = encode(owner, value)
      this.#map.set(name, bytes)
      stored = { value: decode(bytes).value, sequence }
    }
    this.#floors.raise(key, sequence, source)
    const displaced = this.#records.set(name, stored, source)
    if (displaced !== undefined) this.#map.delete(displaced)
  }
}

function nameOf(key: Uint8Array): string {
  return `${PREFIX}${toText(key, 'base64url')}`
}

function keyOf(name: string): Uint8Array | undefined {
  try {
    return fromString(name.slice(PREFIX.length), 'base64url')
  } catch {
    return undefined
  }
}

function encode(source: string, value: Uint8Array): Uint8Array {
  const text = fromString(source)
  const bytes = new Uint8Array(1 + text.length + value.length)
  bytes[0] = text.length
  bytes.set(text, 1)
  bytes.set(value, 1 + text.length)
  return bytes
}

function decode(bytes: Uint8Array): { readonly source: string; readonly value: Uint8Array } {
  const valueAt = 1 + (bytes[0] ?? 0)
  return { source: toText(bytes.subarray(1, valueAt)), value: bytes.subarray(valueAt) }
}
