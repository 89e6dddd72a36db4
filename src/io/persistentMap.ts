/**
 * A map that outlives the process: all of it is in memory, and each change is written to a datastore soon after.
 *
 * Nobody waits for the disk. What changes while a write is under way goes into the next one, as one batch; of a key that
 * changed often, only its last value. Where the disk refuses, `onFailure` hears of it once, all goes on in memory, and
 * what was not written is tried again each {@link RETRY_MS}. Where it hangs, nothing more is written, and nothing piles
 * up: what waits is a set of the keys that are here or there.
 *
 * Bounded: {@link MAX_ENTRIES}, {@link MAX_VALUE_LENGTH}, {@link MAX_TOTAL_LENGTH}.
 *
 * A database that lost or changed something by damage can look whole (LevelDB skips what it cannot read of its log, and
 * does not verify its blocks). So each value has a checksum before it, and an entry of its own says how many there are;
 * it changes with every batch, and a batch is written whole or not at all.
 *
 *     /head       version u8, 1 | number of other entries u32
 *     any other   CRC-32 of the key and the value u32 | value
 */

import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { type Datastore, Key } from 'interface-datastore'
import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'

export const MAX_ENTRIES = 32_768
export const MAX_VALUE_LENGTH = 64 * 1024
/** Of all values together. */
export const MAX_TOTAL_LENGTH = 64 * 1024 * 1024
const RETRY_MS = 10 * SECOND

/** What it needs of a datastore. */
export interface Disk extends Pick<Datastore, 'batch' | 'query'> {
  close(): Promise<void>
}

/** A datastore that is not as it was written. */
export class DamagedDatastore extends Error {
  override readonly name = 'DamagedDatastore'
}

export class PersistentMap {
  readonly #disk: Disk | undefined
  readonly #onFailure: (cause: string) => void
  readonly #retryMs: number
  readonly #values = new Map<string, Uint8Array>()
  #totalLength = 0
  /** The keys that are on the disk, or may be. */
  #written = new Set<string>()
  #changed = new Set<string>()
  #writing: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #failed = false
  #closed = false

  /** An empty one; without a disk, in memory only. */
  constructor(disk?: Disk, onFailure: (cause: string) => void = () => {}, retryMs = RETRY_MS) {
    this.#disk = disk
    this.#onFailure = onFailure
    this.#retryMs = retryMs
  }

  /**
   * Reads all that is on a disk. `isNew`: it was made a moment ago, and nothing is expected on it. Throws a
   * {@link DamagedDatastore} where it is not as it was written, and what the disk throws.
   */
  async load(isNew: boolean): Promise<void> {
    if (this.#disk === undefined) return
    let head: Uint8Array | undefined
    for await (const { key, value } of this.#disk.query({})) {
      const name = key.toString()
      if (name === HEAD) head = value
      else this.#take(name, value)
    }
    if (head === undefined && isNew && this.#values.size === 0) {
      this.#changed.add(HEAD)
      this.#write()
      return
    }
    if (head === undefined) throw new DamagedDatastore('it has no head')
    const { length, version, entries } = readHead(head)
    if (length !== HEAD_LENGTH || version !== VERSION) throw new DamagedDatastore('it is of another version')
    if (entries !== this.#values.size)
      throw new DamagedDatastore(`it has ${this.#values.size} entries of ${entries}`)
    this.#written = new Set(this.#values.keys())
  }

  #take(name: string, bytes: Uint8Array): void {
    // A copy, because a view would keep all that LevelDB read at once. Of a Buffer, `slice` is a view.
    const value = new Uint8Array(bytes.subarray(CHECKSUM_LENGTH))
    if (bytes.length < CHECKSUM_LENGTH || viewOf(bytes).getUint32(0) !== checksum(name, value))
      throw new DamagedDatastore('an entry has another checksum')
    this.#values.set(name, value)
    this.#totalLength += value.length
    if (this.#values.size > MAX_ENTRIES || this.#totalLength > MAX_TOTAL_LENGTH)
      throw new DamagedDatastore('it holds more than is ever written')
  }

  get size(): number {
    return this.#values.size
  }

  get(name: string): Uint8Array | undefined {
    return this.#values.get(name)
  }

  /** All entries whose name begins with `prefix`; a copy, so they may be changed meanwhile. */
  under(prefix: string): readonly (readonly [name: string, value: Uint8Array])[] {
    return [...this.#values].filter(([name]) => name.startsWith(prefix))
  }

  /**
   * `name` begins with a slash; `value` must not be changed afterwards. False, and nothing done, where it would be too
   * large or too many.
   */
  set(name: string, value: Uint8Array): boolean {
    const before = this.#values.get(name)
    const totalLength = this.#totalLength - (before?.length ?? 0) + value.length
    if (before === undefined && this.#values.size >= MAX_ENTRIES) return false
    if (value.length > MAX_VALUE_LENGTH || totalLength > MAX_TOTAL_LENGTH) return false
    this.#values.set(name, value)
    this.#totalLength = totalLength
    this.#onChanged(name)
    return true
  }

  delete(name: string): void {
    const before = this.#values.get(name)
    if (before === undefined) return
    this.#values.delete(name)
    this.#totalLength -= before.length
    if (this.#written.has(name)) this.#onChanged(name)
    else this.#changed.delete(name)
  }

  /** Fulfilled when every change so far is on the disk, or was refused by it. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  /** Writes what there is left to write, and closes the disk. What changes afterwards is in memory only. */
  async close(): Promise<void> {
    if (this.#retry !== undefined) this.#write()
    await this.flush()
    this.#closed = true
    clearTimeout(this.#retry)
    await this.#disk?.close()
  }

  #onChanged(name: string): void {
    if (this.#disk === undefined || this.#closed) return
    this.#changed.add(name)
    if (this.#retry === undefined) this.#write()
  }

  #write(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#writing ??= this.#writeChanged().finally(() => {
      this.#writing = undefined
    })
  }

  async #writeChanged(): Promise<void> {
    while (this.#disk !== undefined && this.#changed.size > 0) {
      await setImmediate()
      const changed = this.#changed
      this.#changed = new Set()
      const batch = this.#disk.batch()
      for (const name of changed) {
        const value = this.#values.get(name)
        if (value !== undefined) batch.put(new Key(name, false), encodeValue(name, value))
        else if (name !== HEAD) batch.delete(new Key(name, false))
        // Until it is known to be gone it may be there.
        if (value !== undefined) this.#written.add(name)
      }
      batch.put(new Key(HEAD, false), encodeHead(this.#values.size))
      try {
        await batch.commit()
        for (const name of changed)
          if (!this.#values.has(name) && !this.#changed.has(name)) this.#written.delete(name)
        this.#failed = false
      } catch (error) {
        for (const name of changed) this.#changed.add(name)
        this.#retry = setTimeout(() => this.#write(), this.#retryMs).unref()
        if (!this.#failed) this.#onFailure(causeOf(error))
        this.#failed = true
        return
      }
    }
  }
}

const HEAD = '/head'
const VERSION = 1
const HEAD_LENGTH = 5
const CHECKSUM_LENGTH = 4

function encodeHead(entries: number): Uint8Array {
  const head = new Uint8Array(HEAD_LENGTH)
  head[0] = VERSION
  viewOf(head).setUint32(1, entries)
  return head
}

function readHead(bytes: Uint8Array) {
  const { length } = bytes
  return { length, version: bytes[0], entries: length === HEAD_LENGTH ? viewOf(bytes).getUint32(1) : 0 }
}

function encodeValue(name: string, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CHECKSUM_LENGTH + value.length)
  viewOf(bytes).setUint32(0, checksum(name, value))
  bytes.set(value, CHECKSUM_LENGTH)
  return bytes
}

function checksum(name: string, value: Uint8Array): number {
  return crc32(value, crc32(name))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
