/**
 * What was done to get in touch with a peer since there last was a path: look-ups, knocks, and what they came to. Kept
 * for the one who asks why there is no path; nothing is decided by it. Attempts that fail belong to one effort.
 */

import type { Instant } from '../../base/time.js'

/** The latest are kept: the ones before had the same result, as a rule. */
const MAX_KNOCKS = 8

/**
 * - `waiting`: nothing came back yet
 * - `answered`
 * - `closed`: its node took the knock, and ended without an answer
 * - `failed`: no stream got there, or no answer in time; `reason` is libp2p's
 */
export type KnockResult =
  | { readonly type: 'waiting' }
  | { readonly type: 'answered' }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly reason: string }

export interface KnockMade {
  readonly how: 'stream' | 'gossip'
  readonly at: Instant
  readonly result: KnockResult
}

/** A reason comes from libraries, and from others through them. */
const MAX_REASON_LENGTH = 200

export class Effort {
  /** Attempts that were begun; 0 where nothing was sent to the peer yet. */
  attempts = 0
  begunAt: Instant | undefined = undefined
  /** Look-ups that were begun, and that ended. */
  lookUps = 0
  lookUpsEnded = 0
  /** When the peer last knocked. */
  knockedAt: Instant | undefined = undefined
  #knocks: KnockMade[] = []
  /** True where there was a path since, or nothing was tried yet. */
  isOver = true

  /** The last ones, in order. */
  get knocks(): readonly KnockMade[] {
    return this.#knocks
  }

  /** An attempt begins. True where it is the first since there was a path: what was before is forgotten. */
  begin(now: Instant): boolean {
    const isFirst = this.isOver
    if (isFirst) {
      this.attempts = 0
      this.begunAt = now
      this.lookUps = 0
      this.lookUpsEnded = 0
      this.knockedAt = undefined
      this.#knocks = []
      this.isOver = false
    }
    this.attempts += 1
    return isFirst
  }

  /** There is a path. */
  succeeded(): void {
    this.isOver = true
  }

  lookUpBegun(): void {
    this.lookUps += 1
  }

  lookUpEnded(): void {
    this.lookUpsEnded = Math.min(this.lookUps, this.lookUpsEnded + 1)
  }

  knockSent(how: KnockMade['how'], now: Instant): void {
    this.#knocks = [...this.#knocks.slice(1 - MAX_KNOCKS), { how, at: now, result: { type: 'waiting' } }]
  }

  /** The answer came; which of several ways it took cannot be told, so it ends all. */
  knockAnswered(): void {
    this.#end(({ result }) => result.type === 'waiting', { type: 'answered' })
  }

  /** A knock over a stream failed; `closed` where it arrived. */
  knockFailed(reason: string, closed: boolean): void {
    const result: KnockResult = closed ? { type: 'closed' } : { type: 'failed', reason: printable(reason) }
    this.#end((knock) => knock.how === 'stream' && knock.result.type === 'waiting', result)
  }

  /** The peer knocked. */
  heardKnock(now: Instant): void {
    this.knockedAt = now
  }

  #end(which: (knock: KnockMade) => boolean, result: KnockResult): void {
    this.#knocks = this.#knocks.map((knock) => (which(knock) ? { ...knock, result } : knock))
  }
}

/** Control characters could do something to the terminal on which it is shown. */
function printable(text: string): string {
  return text.slice(0, MAX_REASON_LENGTH).replace(/\p{Cc}+/gu, ' ')
}
