/**
 * What becomes of a gossiped message of the right length:
 *
 *     accept   it is ours to use, and is passed on
 *     ignore   it is dropped; who sent it may have had reason to think it good
 *     reject   it is dropped, and is a fault of who sent it: an honest node would not have passed it on
 *
 * The line between the last two decides whom we leave, so only what every honest node sees alike is rejected. What
 * depends on the time, on what else was heard, or on how much, is ignored.
 */

import { type Dropped, type DropReason, isDropped } from '../../base/drops.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import type { Now } from '../../base/time.js'

/**
 * Whether bytes of the right length are a valid sealed record now (form, signature, times); if so, its author, which
 * is the same for all records of one author in one period, and its sequence number.
 */
export type SealedRecordJudge = (
  bytes: Uint8Array,
) => { readonly author: string; readonly sequence: number } | Dropped

/** The highest sequence number that was gossiped of each author. */
export interface GossipFloors {
  /** Undefined where nothing is known of the author. */
  get(author: string): number | undefined
  raise(author: string, sequence: number): void
}

export type Verdict =
  | { readonly verdict: 'accept'; readonly author?: string }
  | { readonly verdict: 'ignore' | 'reject'; readonly reason: DropReason }

/** What one author may have gossiped: some changes at once, and then one each 5 s. */
const AUTHOR_LIMIT = { each: { perSecond: 0.2, burst: 5 }, maxSources: 4096 }
/** What nodes with other clocks, or that heard other things, may think good. */
const HONEST: ReadonlySet<DropReason> = new Set([
  'record-expired',
  'record-from-future',
  'record-rollback',
  'record-wrong-period',
])
const KNOCK_VERSION = 1

export class RecordVerdicts {
  readonly #judge: SealedRecordJudge
  readonly #floors: GossipFloors
  readonly #authors: SourceLimiter

  constructor(judge: SealedRecordJudge, floors: GossipFloors, now: Now) {
    this.#judge = judge
    this.#floors = floors
    this.#authors = new SourceLimiter(AUTHOR_LIMIT, now.instant)
  }

  /** Judges a record, and if it is accepted raises its author's floor. */
  judge(bytes: Uint8Array, now: Now): Verdict {
    const record = this.#judge(bytes)
    if (isDropped(record))
      return { verdict: HONEST.has(record.dropped) ? 'ignore' : 'reject', reason: record.dropped }
    const { author, sequence } = record
    const floor = this.#floors.get(author)
    // The same bytes again are no news either, should they come when their id is forgotten.
    if (floor !== undefined && sequence <= floor) return { verdict: 'ignore', reason: 'record-rollback' }
    // After the signature: only the author can use up what is its own.
    if (!this.#authors.admit(author, now.instant)) return { verdict: 'ignore', reason: 'gossip-rate-limited' }
    this.#floors.raise(author, sequence)
    return { verdict: 'accept', author }
  }
}

/** A knock is sealed to its addressee: all that others see is its version. */
export function judgeKnock(bytes: Uint8Array): Verdict {
  return bytes[0] === KNOCK_VERSION
    ? { verdict: 'accept' }
    : { verdict: 'reject', reason: 'knock-unknown-version' }
}
