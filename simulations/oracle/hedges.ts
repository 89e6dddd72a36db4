/**
 * Hedges end: while the path in use is in doubt, all goes over another one as well (src/engine/roam/hedge.ts), and that
 * takes two seconds and some round trips. Looked at once a second, a pair is never found so for {@link HEDGED_MS}.
 */

import { SECOND } from '../../src/base/time.js'
import { type Ledger, NEVER, type Side } from './ledger.js'

const NAME = 'hedges-end'

/** Hedges may follow each other, but with a pause between them that some look would hit. */
export const HEDGED_MS = 60 * SECOND

interface Seen {
  since: number
  /** When that was last looked at. */
  at: number
}

export class Hedges {
  /** For how long a pair was found so, at most. */
  readonly statistics = { longestMs: 0 }
  readonly #ledger: Ledger
  readonly #hedged = new WeakMap<Side, Seen>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  sweep(): void {
    for (const host of this.#ledger.hosts) {
      const { machine, node } = host
      const runs = node !== undefined && machine.daemon?.node === node && !machine.clock.asleep
      for (const side of host.sides.values()) {
        if (runs && side.flow?.beside !== undefined) this.#look(side)
        else this.#hedged.delete(side)
      }
    }
  }

  #look(side: Side): void {
    const { now } = this.#ledger
    const seen = this.#hedged.get(side)
    // In a world where nothing happens nobody looks.
    if (now - (seen?.at ?? NEVER) > 2 * SECOND || seen === undefined) {
      this.#hedged.set(side, { since: now, at: now })
      return
    }
    seen.at = now
    const ms = now - seen.since
    if (ms > this.statistics.longestMs) this.statistics.longestMs = ms
    if (ms <= HEDGED_MS) return
    const { host, peer } = side
    const seconds = Math.round(ms / SECOND)
    this.#ledger.report(
      NAME,
      host.name,
      `what it sends to ${peer.name} has gone over two paths for ${seconds} s`,
    )
  }
}
