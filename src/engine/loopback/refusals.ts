/**
 * Handshakes that are answered and come to nothing. With a preshared key on one side only, each first message is
 * answered by a second one, which WireGuard throws away, and after 5 s it makes another first message: no data ever
 * follows. On the other side the peer's first messages come again and again, each answered, and no data after them.
 */

import { elapsed, type Instant, SECOND } from '../../base/time.js'
import type { Flow } from './forwarding.js'

/** WireGuard repeats a first message after 5 s and a third; one that comes later begins anew. */
const REPEATED_MS = 10 * SECOND

export class Refusals {
  readonly #flow: Pick<Flow, 'lastSentAt' | 'lastHeardAt'>
  #madeAt: Instant | undefined = undefined
  /** When the second message for it came. */
  #answeredAt: Instant | undefined = undefined
  #own = 0
  #peerMadeAt: Instant | undefined = undefined
  #peers = 0

  constructor(flow: Pick<Flow, 'lastSentAt' | 'lastHeardAt'>) {
    this.#flow = flow
  }

  /** How many in a row, in one direction; 0 where data passed since. */
  get count(): number {
    return Math.max(this.#isOwnInUse ? 0 : this.#own, this.#isPeersInUse ? 0 : this.#peers)
  }

  /** Our WireGuard made a first message, which was not sent yet. */
  made(now: Instant): void {
    const isRepeated = this.#madeAt !== undefined && elapsed(this.#madeAt, now) < REPEATED_MS
    if (!isRepeated || this.#isOwnInUse) this.#own = 0
    else if (this.#answeredAt !== undefined) this.#own += 1
    this.#madeAt = now
    this.#answeredAt = undefined
  }

  /** The second message for it came. */
  answered(now: Instant): void {
    this.#answeredAt = now
  }

  /** A first message of the peer's came, which WireGuard gets. */
  peerMade(now: Instant): void {
    const isRepeated = this.#peerMadeAt !== undefined && elapsed(this.#peerMadeAt, now) < REPEATED_MS
    this.#peers = isRepeated && !this.#isPeersInUse ? this.#peers + 1 : 0
    this.#peerMadeAt = now
  }

  /** Who took a second message sends data at once, a keepalive at least. */
  get #isOwnInUse(): boolean {
    const { lastSentAt } = this.#flow
    return this.#answeredAt !== undefined && lastSentAt !== undefined && lastSentAt >= this.#answeredAt
  }

  get #isPeersInUse(): boolean {
    const { lastHeardAt } = this.#flow
    return this.#peerMadeAt !== undefined && lastHeardAt !== undefined && lastHeardAt > this.#peerMadeAt
  }
}
