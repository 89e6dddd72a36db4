/**
 * How those who gossip with us behave. A fault is something that no honest node does, whatever it was sent: a message
 * with a wrong signature, of a wrong length, more bytes than all limits together let pass.
 *
 *     faults   0   1          4             8
 *     score    0  -1        -16           -64
 *              │   └ pruned   └ no gossip   └ left: disconnected, and refused for ten minutes
 *              └ honest nodes stay here
 *
 * For each whole minute without a fault one is forgotten. gossipsub's score is this and nothing else: its own account of invalid messages
 * begins anew with each connection, and credit for time or for messages could be saved up to pay for garbage.
 *
 * The table is bounded; beyond, the node at fault longest ago is forgotten. A flood of new identities could push out
 * an old one, which gains nothing over a new one.
 */

import { after, elapsed, type Instant, MINUTE } from '../../base/time.js'

/** As many faults as this, and the node is left. */
export const MAX_FAULTS = 8
/** How long a node that was left is neither dialled nor let in, in ms. */
export const REFUSED_MS = 10 * MINUTE
const FORGOTTEN_AFTER_MS = MINUTE
const MAX_NODES = 1024

interface Account {
  readonly faults: number
  readonly at: Instant
  readonly refusedUntil: Instant | undefined
}

export class Conduct {
  readonly #accounts = new Map<string, Account>()

  /** Notes a fault of a node; true where it was the one that is too many: it is to be disconnected. */
  fault(node: string, now: Instant): boolean {
    return this.#add(node, 1, now)
  }

  /** Notes a fault that weighs as much as all that are borne; true unless the node was left already. */
  leave(node: string, now: Instant): boolean {
    return this.#add(node, MAX_FAULTS, now)
  }

  /** Zero for a node without a fault, negative for others. */
  score(node: string, now: Instant): number {
    const faults = this.#faults(node, now)
    return faults === 0 ? 0 : -(faults ** 2)
  }

  /** True for a node that was left not long ago. */
  refuses(node: string, now: Instant): boolean {
    const refusedUntil = this.#accounts.get(node)?.refusedUntil
    return refusedUntil !== undefined && now < refusedUntil
  }

  /** How many nodes are remembered. */
  get size(): number {
    return this.#accounts.size
  }

  #add(node: string, count: number, now: Instant): boolean {
    const refused = this.refuses(node, now)
    const faults = Math.min(MAX_FAULTS, this.#faults(node, now) + count)
    const tooMany = !refused && faults >= MAX_FAULTS
    const refusedUntil = tooMany ? after(now, REFUSED_MS) : this.#accounts.get(node)?.refusedUntil
    // Deleted first, so that the order of the map is that of the last faults.
    this.#accounts.delete(node)
    this.#accounts.set(node, { faults, at: now, refusedUntil })
    if (this.#accounts.size > MAX_NODES) {
      const oldest = this.#accounts.keys().next()
      if (!oldest.done) this.#accounts.delete(oldest.value)
    }
    return tooMany
  }

  #faults(node: string, now: Instant): number {
    const account = this.#accounts.get(node)
    return account === undefined
      ? 0
      : Math.max(0, account.faults - Math.floor(elapsed(account.at, now) / FORGOTTEN_AFTER_MS))
  }
}
