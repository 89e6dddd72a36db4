/** What this node knows of its peers' records: the newest of each, and nobody else's. */

import { type Dropped, drop, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Instant, Now, UnixTime } from '../../base/time.js'
import type { PeerRecord } from '../../wire/record.js'
import { admitRecord, type OpenRecord } from './admission.js'

export interface KnownRecord {
  readonly record: PeerRecord
  /** When this or the same record was last received: how sure we are that it is the newest. */
  readonly heardAt: Instant
}

export class Directory {
  readonly #known = new Map<PublicKey, KnownRecord>()
  readonly #open: OpenRecord | undefined

  /** `open` is for {@link admitRecord}. */
  constructor(open?: OpenRecord) {
    this.#open = open
  }

  /** Takes a record of one of `isPeer` unless it is older than the one known. Returns it, or why it was dropped. */
  accept(
    signedRecord: Uint8Array,
    isPeer: (key: PublicKey) => boolean,
    now: Now,
  ): { readonly record: PeerRecord; readonly newer: boolean } | Dropped {
    const record = admitRecord(signedRecord, now.unix, this.#open)
    if (isDropped(record)) return record
    if (!isPeer(record.publicKey)) return drop('record-unknown-author')
    const known = this.#known.get(record.publicKey)?.record
    if (known !== undefined && record.sequence < known.sequence) return drop('record-rollback')
    this.#known.set(record.publicKey, { record, heardAt: now.instant })
    return { record, newer: known === undefined || record.sequence > known.sequence }
  }

  /** The record of a peer, unless there is none or it has expired. */
  get(peer: PublicKey, now: UnixTime): KnownRecord | undefined {
    const known = this.#known.get(peer)
    return known !== undefined && known.record.expiresAt > now ? known : undefined
  }

  forget(peer: PublicKey): void {
    this.#known.delete(peer)
  }
}
