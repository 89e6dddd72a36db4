/** When to look whether an external peer has begun to run Tunnelbore: its record is looked up now and then. */

import type { PublicKey } from '../../base/publicKey.js'
import { after, earliest, type Instant, MINUTE } from '../../base/time.js'

const LOOK_UP_MS = 5 * MINUTE

export class Externals {
  readonly #dueAt = new Map<PublicKey, Instant>()

  /** Takes a peer for what it is now. True where its record is to be looked up. */
  isDue(peer: PublicKey, isExternal: boolean, isOnline: boolean, now: Instant): boolean {
    if (!isExternal) {
      this.#dueAt.delete(peer)
      return false
    }
    const dueAt = this.#dueAt.get(peer)
    if (!isOnline || (dueAt !== undefined && dueAt > now)) return false
    this.#dueAt.set(peer, after(now, LOOK_UP_MS))
    return true
  }

  forget(peer: PublicKey): void {
    this.#dueAt.delete(peer)
  }

  get nextWake(): Instant | undefined {
    let next: Instant | undefined
    for (const dueAt of this.#dueAt.values()) next = earliest(next, dueAt)
    return next
  }
}
