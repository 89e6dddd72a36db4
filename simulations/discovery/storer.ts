/**
 * Where a server keeps others' records, as src/io/mesh/recordStore.ts does: what is not valid or is older than what is
 * there is refused, the one stored longest ago goes when there are too many, and what is no longer valid is not given.
 * It is in memory, so a server that restarts has none.
 *
 * A bad storer refuses, forgets or lies; see {@link StorerBehaviour}.
 */

import { equals } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import type { Random } from '../../src/base/random.js'
import { admitSealedRecord } from '../../src/engine/directory/admission.js'
import { type Forgery, forged, type StrangersRecord } from './forgery.js'
import type { RecordName } from './recordNames.js'
import type { Setting } from './setting.js'

/** As in src/io/mesh/recordStore.ts. */
export const MAX_STORED_RECORDS = 4096

export type StorerBehaviour =
  /** Answers so much later. */
  | { readonly type: 'slow'; readonly ms: number }
  /** Never answers a request for a record, nor one to store it. */
  | { readonly type: 'silent' }
  /** Gives the oldest record that it ever had. */
  | { readonly type: 'stale' }
  /** Gives a forged record, of one kind or of any. */
  | { readonly type: 'forged'; readonly forgery?: Forgery }
  /** Gives a valid record of somebody else. */
  | { readonly type: 'foreign' }
  /** Keeps what it is given, and gives nothing. */
  | { readonly type: 'empty' }
  /** Acknowledges, and keeps nothing. */
  | { readonly type: 'forgetful' }
  /** Stores nothing and acknowledges nothing. */
  | { readonly type: 'refusing' }

/** What is answered, and how much later than at once. */
export interface Reply<Answer> {
  readonly answer: Answer
  readonly delayMs: number
}

export interface StorerOptions {
  readonly setting: Setting
  readonly random: Random
  readonly maxRecords: number
  /** A valid record of nobody's peer. */
  readonly strangersRecord: StrangersRecord
}

interface Kept {
  readonly bytes: Uint8Array
  readonly sequence: number
}

export class Storer {
  readonly #options: StorerOptions
  /** In the order of storing. */
  readonly #records = new Map<RecordName, Kept>()
  readonly #oldest = new Map<RecordName, Uint8Array>()
  #behaviour: StorerBehaviour | undefined = undefined

  constructor(options: StorerOptions) {
    this.#options = options
  }

  get behaviour(): StorerBehaviour | undefined {
    return this.#behaviour
  }

  /** Undefined for a good one. What was forgotten stays so. */
  behave(behaviour: StorerBehaviour | undefined): void {
    this.#behaviour = behaviour
    if (behaviour?.type === 'forgetful') this.#records.clear()
  }

  get size(): number {
    return this.#records.size
  }

  /** The process ends, and with it all that it remembers. */
  clear(): void {
    this.#records.clear()
    this.#oldest.clear()
  }

  /** The record under a key, as an honest storer would give it. */
  kept(key: RecordName): Uint8Array | undefined {
    const present = this.#records.get(key)
    if (present === undefined) return undefined
    if (this.#sequenceOf(key, present.bytes) !== undefined) return present.bytes
    this.#records.delete(key)
    return undefined
  }

  /** What is answered to a request for a record; undefined for nothing, ever. */
  get(key: RecordName): Reply<Uint8Array | undefined> | undefined {
    const behaviour = this.#behaviour
    switch (behaviour?.type) {
      case 'silent':
        return undefined
      case 'slow':
        return { answer: this.kept(key), delayMs: behaviour.ms }
      case 'stale':
        return { answer: this.#oldest.get(key), delayMs: 0 }
      case 'foreign':
        return { answer: this.#forged(key, 'another-author'), delayMs: 0 }
      case 'empty':
        return { answer: undefined, delayMs: 0 }
      case 'forged':
        return { answer: this.#forged(key, behaviour.forgery), delayMs: 0 }
      default:
        return { answer: this.kept(key), delayMs: 0 }
    }
  }

  /** Whether a record is acknowledged; undefined for no answer, ever. */
  put(key: RecordName, bytes: Uint8Array): Reply<boolean> | undefined {
    const behaviour = this.#behaviour
    if (behaviour?.type === 'silent') return undefined
    if (behaviour?.type === 'refusing') return { answer: false, delayMs: 0 }
    const stored = this.#store(key, bytes)
    if (behaviour?.type === 'forgetful') this.#records.clear()
    return { answer: stored, delayMs: behaviour?.type === 'slow' ? behaviour.ms : 0 }
  }

  #store(key: RecordName, bytes: Uint8Array): boolean {
    const sequence = this.#sequenceOf(key, bytes)
    if (sequence === undefined) return false
    const present = this.#records.get(key)
    if (present !== undefined) {
      // A higher one replaces; the same one only as the very same bytes.
      if (sequence < present.sequence) return false
      if (sequence === present.sequence && !equals(present.bytes, bytes)) return false
      this.#records.delete(key)
    }
    this.#records.set(key, { bytes, sequence })
    if (!this.#oldest.has(key)) this.#oldest.set(key, bytes)
    this.#evict()
    return true
  }

  #evict(): void {
    if (this.#records.size <= this.#options.maxRecords) return
    const oldest = this.#records.keys().next()
    if (!oldest.done) this.#records.delete(oldest.value)
  }

  /** The sequence number of a record that is valid under this key now. */
  #sequenceOf(key: RecordName, bytes: Uint8Array): number | undefined {
    const { verify, queue } = this.#options.setting
    const record = admitSealedRecord(bytes, queue.now.unix, verify)
    return isDropped(record) || record.author !== key ? undefined : record.sequence
  }

  #forged(key: RecordName, forgery: Forgery | undefined): Uint8Array {
    const { random, strangersRecord } = this.#options
    const another = this.#anotherThan(key)
    return forged({ forgery, real: this.kept(key), another, strangersRecord, random })
  }

  #anotherThan(key: RecordName): Uint8Array | undefined {
    for (const [author, { bytes }] of this.#records) if (author !== key) return bytes
    return undefined
  }
}
