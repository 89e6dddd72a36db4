/** When relays may be asked for another session: those that come to nothing are replaced ever more rarely. */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, type Instant, SECOND } from '../../base/time.js'

/** Two are replaced at once. */
const FREE_FAILURES = 2
const AGAIN_MS: Backoff = { first: SECOND, longest: 60 * SECOND }
/** Where there was no relay to ask. */
const NO_OFFER_MS = 5 * SECOND

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class AskPace {
  #failures = 0
  /** Not before this. */
  notBefore = LONG_AGO

  /** There is reason to hope: another effort, or other relays. */
  encourage(): void {
    this.#failures = 0
    this.notBefore = LONG_AGO
  }

  /** A session carries. */
  succeeded(): void {
    this.#failures = 0
  }

  /** A session came to nothing. */
  failed(now: Instant): void {
    this.#failures += 1
    const beyond = this.#failures - FREE_FAILURES
    if (beyond > 0) this.notBefore = after(now, backoffMs(AGAIN_MS, beyond - 1))
  }

  /** There is nobody to ask. */
  nobody(now: Instant): void {
    this.notBefore = after(now, NO_OFFER_MS)
  }
}
