/**
 * The signs that a path may be dead, that the peer may be elsewhere, or that we may be; and what was decided on each.
 *
 * Each is told to {@link Roaming} by its name, from wherever it is noticed. The last few of each peer are kept for those
 * who ask (`tunnelbore status`); nothing is decided by what is kept.
 */

import { elapsed, type Instant } from '../../base/time.js'

export type Sign =
  /** WireGuard's first message has no answer within the time that one takes here, long before WireGuard repeats it. */
  | 'first-message-unanswered'
  /** What was sent asks for an answer, and none came for longer than they take here. */
  | 'answer-late'
  /** What came steadily comes no more. */
  | 'stream-stopped'
  /** A check over the path in use has no answer within the time that one takes here. */
  | 'check-late'
  /** Nor had any of several (RFC 7675's consent, as quick as the round trip allows). */
  | 'checks-unanswered'
  /** The peer left the path that it used, or asks after another one while it is silent. */
  | 'peer-detours'
  /** A router, or the peer's machine, says that nobody is there (ICMP). Anybody can say so. */
  | 'unreachable'
  /** Our sockets or routes are others than before, or the mesh is there again. */
  | 'machine-changed'
  /** The machine was suspended. */
  | 'woke-up'
  /** Reflectors see us elsewhere than before. */
  | 'address-changed'
  /** The peer's record names a place where it was not. */
  | 'new-record'
  | 'knocked'
  /** An authenticated check, or a first message of the peer's, came from where nobody knew it to be. */
  | 'unknown-address'

export type Decision =
  /** There is no traffic, or nothing to be done. */
  | 'nothing'
  /** The path in use is asked whether it carries. */
  | 'ask'
  /** Another path carries everything as well. */
  | 'use-both'
  /** The addresses that the sign names, or all, are checked. */
  | 'check'
  /** The peer is looked for, while the path stays in use. */
  | 'look'

export interface NotedSign {
  readonly sign: Sign
  readonly at: Instant
  readonly decision: Decision
}

/** How many are kept of each peer. */
const KEPT = 8
/** The same sign with the same decision soon after is one with the former. */
const SAME_MS = 1_000

export class SignLog {
  #noted: readonly NotedSign[] = []

  /** The oldest first. */
  get noted(): readonly NotedSign[] {
    return this.#noted
  }

  /** False where it is but an echo of the last one. */
  note(sign: Sign, decision: Decision, at: Instant): boolean {
    const same = this.#noted.some(
      (known) => known.sign === sign && known.decision === decision && elapsed(known.at, at) < SAME_MS,
    )
    if (same) return false
    this.#noted = [...this.#noted, { sign, at, decision }].slice(-KEPT)
    return true
  }
}
