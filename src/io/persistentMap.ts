/**
 * A map that outlives the process: all of it is in memory, and each change is written to a datastore soon after.
 *
 * Nobody waits for the disk. What changes while a write is under way goes into the next one, as one batch; of a key that
 * changed often, only its last value. Where the disk refuses, `onDisk` hears of it once, and all goes on in memory. A
 * database that failed once takes nothing more, or loses what it takes: so it is opened anew, each {@link RETRY_MS} until
 * it can be, and made like what is here. Where it hangs, nothing more is written, and nothing piles up: what waits is a
 * set of the keys that are here or there.
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
  /** Closes one that has failed, with no further attempt to write. */
  abandon(): Promise<void>
}

/** A disk, and all that is on it but for the head. */
export interface OpenedDisk {
  readonly disk: Disk
  readonly entries: Entries
}

export type Entries = ReadonlyMap<string, Uint8Array>

export interface DiskWatch {
  /** Told once why the disk cannot be written; then, with undefined, that it can again. */
  readonly onDisk?: (failure: string | undefined) => void
  /** Opens the disk again. Where there is none, one that failed is tried on as it is. */
  readonly reopen?: () => Promise<OpenedDisk>
  readonly retryMs?: number
}

/** A datastore that is not as it was written. */
export class DamagedDatastore extends Error {
  override readonly name = 'DamagedDatastore'
}

/**
 * Reads all that is on a disk. `isNew`: it was made a moment ago, and nothing is expected on it. Throws a
 * {@link DamagedDatastore} where it is not as it was written, and what the disk throws.
 */
export async function readEntries(disk: Pick<Disk, 'query'>, isNew: boolean): Promise<Entries> {
  const entries = new Map<string, Uint8Array>()
  let totalLength = 0
  let head: Uint8Array | undefined
  for await (const { key, value } of disk.query({})) {
    const name = key.toString()
    if (name === HEAD) {
      head = value
      continue
    }
    const decoded = decodeValue(name, value)
    entries.set(name, decoded)
    totalLength += decoded.length
    if (entries.size > MAX_ENTRIES || totalLength > MAX_TOTAL_LENGTH)
      throw new DamagedDatastore('it holds more than is ever written')
  }
  if (head === undefined && isNew && entries.size === 0) return entries
  if (head === undefined) throw new DamagedDatastore('it has no head')
  const { length, version, entries: count } = readHead(head)
  if (length !== HEAD_LENGTH || version !== VERSION) throw new DamagedDatastore('it is of another version')
  if (count !== entries.size) throw new DamagedDatastore(`it has ${entries.size} entries of ${count}`)
  return entries
}

export class PersistentMap {
  #disk: Disk | undefined
  readonly #onDisk: (failure: string | undefined) => void
  readonly #reopen: (() => Promise<OpenedDisk>) | undefined
  readonly #retryMs: number
  readonly #values = new Map<string, Uint8Array>()
  #totalLength = 0
  /** False until what is on the disk was read: then it may have more than is here. */
  #isRead = false
  /** The keys that are on the disk, or may be. */
  #written = new Set<string>()
  #changed = new Set<string>()
  #writing: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #failure: string | undefined
  #closed = false

  /** An empty one; without a disk, in memory only. */
  constructor(disk?: Disk, { onDisk = () => undefined, reopen, retryMs = RETRY_MS }: DiskWatch = {}) {
    this.#disk = disk
    this.#onDisk = onDisk
    this.#reopen = reopen
    this.#retryMs = retryMs
  }

  /** Why the disk cannot be written; undefined where it can, and where there is none. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Takes over what is on the disk ({@link readEntries}). */
  adopt(entries: Entries): void {
    this.#isRead = true
    for (const [name, value] of entries) this.#take(name, value)
    this.#written = new Set(entries.keys())
    // Whether it can be written is known once it was. This also gives a new one its head.
    if (this.#disk !== undefined) this.#onChanged(HEAD)
  }

  /** The disk could not be opened: it is tried again. What was read of it, if anything, was adopted. */
  awaitDisk(failure: string): void {
    this.#failure = failure
    this.#tryLater()
  }

  #take(name: string, value: Uint8Array): void {
    if (this.#values.size >= MAX_ENTRIES || this.#totalLength + value.length > MAX_TOTAL_LENGTH) return
    this.#values.set(name, value)
    this.#totalLength += value.length
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
    if ((this.#disk === undefined && this.#reopen === undefined) || this.#closed) return
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

  #tryLater(): void {
    if (!this.#closed) this.#retry = setTimeout(() => this.#write(), this.#retryMs).unref()
  }

  async #writeChanged(): Promise<void> {
    do {
      await setImmediate()
      let changed: ReadonlySet<string> = new Set()
      try {
        const disk = this.#disk ?? (await this.#openAgain())
        if (disk === undefined) return
        changed = this.#changed
        this.#changed = new Set()
        await this.#writeTo(disk, changed)
        if (this.#failure !== undefined) this.#onDisk(undefined)
        this.#failure = undefined
      } catch (error) {
        for (const name of changed) this.#changed.add(name)
        const isSaid = this.#failure !== undefined
        this.#failure = causeOf(error)
        if (!isSaid) this.#onDisk(this.#failure)
        if (this.#reopen !== undefined) {
          await this.#disk?.abandon().catch(() => undefined)
          this.#disk = undefined
        }
        this.#tryLater()
        return
      }
    } while (this.#changed.size > 0)
  }

  async #writeTo(disk: Disk, changed: ReadonlySet<string>): Promise<void> {
    const batch = disk.batch()
    for (const name of changed) {
      const value = this.#values.get(name)
      if (value !== undefined) batch.put(new Key(name, false), encodeValue(name, value))
      else if (name !== HEAD) batch.delete(new Key(name, false))
      // Until it is known to be gone it may be there.
      if (value !== undefined) this.#written.add(name)
    }
    batch.put(new Key(HEAD, false), encodeHead(this.#values.size))
    await batch.commit()
    for (const name of changed)
      if (!this.#values.has(name) && !this.#changed.has(name)) this.#written.delete(name)
  }

  /** Opens the disk anew, and has all that is different there written with the next batch. */
  async #openAgain(): Promise<Disk | undefined> {
    const opened = await this.#reopen?.()
    if (opened === undefined) return undefined
    const { disk, entries } = opened
    this.#disk = disk
    if (!this.#isRead) {
      // What came since is newer than what was there.
      for (const [name, value] of entries) if (!this.#values.has(name)) this.#take(name, value)
    }
    this.#isRead = true
    this.#written = new Set(entries.keys())
    for (const name of entries.keys()) if (!this.#values.has(name)) this.#changed.add(name)
    for (const [name, value] of this.#values) {
      const there = entries.get(name)
      if (there === undefined || Buffer.compare(there, value) !== 0) this.#changed.add(name)
    }
    return disk
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

function decodeValue(name: string, bytes: Uint8Array): Uint8Array {
  // A copy, because a view would keep all that LevelDB read at once. Of a Buffer, `slice` is a view.
  const value = new Uint8Array(bytes.subarray(CHECKSUM_LENGTH))
  if (bytes.length < CHECKSUM_LENGTH || viewOf(bytes).getUint32(0) !== checksum(name, value))
    throw new DamagedDatastore('an entry has another checksum')
  return value
}

function checksum(name: string, value: Uint8Array): number {
  return crc32(value, crc32(name))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
