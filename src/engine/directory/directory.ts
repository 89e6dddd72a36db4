/**
 * What this node knows of its peers' records: the newest of each, and nobody else's.
 *
 * Nothing older than what was ever accepted is taken, after a restart as well: what is accepted is remembered on disk, and
 * what an earlier run remembered is a floor, even where it has expired. A floor further ahead of the time than records may
 * be was set while our clock was wrong, and counts for nothing.
 */

import { type Dropped, drop, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Instant, Now, UnixTime } from '../../base/time.js'
import { openSignedRecord } from '../../crypto/signedRecord.js'
import { RECORD_SKEW } from '../../wire/period.js'
import type { PeerRecord } from '../../wire/record.js'
import type { Emit } from '../effects.js'
import { admitRecord, type OpenRecord } from './admission.js'

export interface KnownRecord {
  readonly record: PeerRecord
  /** When this or the same record was last received: how sure we are that it is the newest. Long ago if remembered. */
  readonly heardAt: Instant
}

export interface DirectoryOptions {
  readonly emit: Emit
  /** For {@link admitRecord}. */
  readonly open?: OpenRecord | undefined
  /** Signed records that an earlier run accepted. */
  readonly remembered?: readonly Uint8Array[] | undefined
}

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class Directory {
  /** Also of those who were peers once. No more than there ever were peers. */
  readonly #known = new Map<PublicKey, KnownRecord>()
  readonly #open: OpenRecord
  readonly #emit: Emit

  constructor({ emit, open = openSignedRecord, remembered = [] }: DirectoryOptions) {
    this.#open = open
    this.#emit = emit
    for (const signedRecord of remembered) {
      const record = open(signedRecord)
      if (isDropped(record)) continue
      const former = this.#known.get(record.publicKey)?.record.sequence ?? 0
      if (record.sequence > former) this.#known.set(record.publicKey, { record, heardAt: LONG_AGO })
    }
  }

  /** Takes a record of one of `isPeer` unless it is older than the one known. Returns it, or why it was dropped. */
  accept(
    signedRecord: Uint8Array,
    isPeer: (key: PublicKey) => boolean,
    now: Now,
  ): { readonly record: PeerRecord; readonly newer: boolean } | Dropped {
    const record = admitRecord(signedRecord, now.unix, this.#open)
    if (isDropped(record)) return record
    const { publicKey: author, sequence } = record
    if (!isPeer(author)) return drop('record-unknown-author')
    const floor = this.#floorOf(author, now.unix)
    if (sequence < floor) return drop('record-rollback')
    const newer = sequence > floor || !this.#known.has(author)
    this.#known.set(author, { record, heardAt: now.instant })
    if (newer) this.#emit({ type: 'remember', peer: author, signedRecord })
    return { record, newer }
  }

  /** The record of a peer, unless there is none or it is not valid now. */
  get(peer: PublicKey, now: UnixTime): KnownRecord | undefined {
    const known = this.#known.get(peer)
    return known !== undefined && known.record.expiresAt > now ? known : undefined
  }

  /** The newest record of a peer, valid or not. */
  latest(peer: PublicKey): PeerRecord | undefined {
    return this.#known.get(peer)?.record
  }

  /**
   * No peer any more. Should it be one again, its record is known as after a restart. The mesh may have none as new as
   * this: it can have come with a knock.
   */
  forget(peer: PublicKey): void {
    const known = this.#known.get(peer)
    if (known !== undefined) this.#known.set(peer, { record: known.record, heardAt: LONG_AGO })
  }

  #floorOf(author: PublicKey, now: UnixTime): number {
    const floor = this.#known.get(author)?.record.sequence ?? 0
    if (floor <= now + RECORD_SKEW) return floor
    const message = 'a record that we remember of a peer is from the future: our clock was wrong'
    this.#emit({ type: 'log', level: 'warn', message, fields: { peer: author } })
    return 0
  }
}
