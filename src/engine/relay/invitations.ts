/**
 * What a peer's knock asks of us where it names no session at a relay that we could join: to ask for one ourselves, unless
 * the peer is asking already. A knock mostly overtakes the relay's grant.
 */

import { after, earliest, elapsed, type Instant, SECOND } from '../../base/time.js'

/** How long the answer to a knock waits for a session that it is to name. */
const ANSWER_MS = 300

/** What the peer is asking for is there by then, or not at all. */
const PROMISE_MS = SECOND
/** A knock after so long is about another effort. */
const FORGOTTEN_MS = 10 * SECOND

export class Invitations {
  #invitedUntil: Instant | undefined = undefined
  /** How many sessions the peer is asking for, and since when. */
  #promised: { readonly count: number; readonly at: Instant } | undefined = undefined

  /** A knock says that the peer is asking for so many. */
  promised(count: number, now: Instant): void {
    const since = this.#promised?.at
    const isRepeated = since !== undefined && elapsed(since, now) < FORGOTTEN_MS
    this.#promised = count === 0 ? undefined : { count, at: isRepeated ? since : now }
  }

  /** How many may still come. */
  expected(now: Instant): number {
    const promised = this.#promised
    return promised !== undefined && elapsed(promised.at, now) < PROMISE_MS ? promised.count : 0
  }

  /** There is no session, and none is promised: we are to ask for one. */
  invite(now: Instant): void {
    this.#invitedUntil = after(now, ANSWER_MS)
  }

  /** True while the answer to a knock had better wait for a session of ours. */
  isInvited(now: Instant): boolean {
    return this.#invitedUntil !== undefined && now < this.#invitedUntil
  }

  /** When something changes by time alone. */
  due(now: Instant): Instant | undefined {
    const promised =
      this.expected(now) > 0 && this.#promised ? after(this.#promised.at, PROMISE_MS) : undefined
    return this.isInvited(now) ? earliest(promised, this.#invitedUntil) : promised
  }
}
