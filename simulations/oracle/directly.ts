/**
 * Relays are for those who need them: where two talk, and there has been a direct way between them for {@link DIRECT_MS},
 * with nothing lost on it and a server by which they find each other, the path in use is not a relay's.
 */

import { MINUTE } from '../../src/base/time.js'
import type { Conditions } from './conditions.js'
import type { Connected } from './connected.js'
import type { Ledger, Side } from './ledger.js'

const NAME = 'directly'

/** Who has a path over a relay looks for a better one with growing pauses (src/engine/directory/contact.ts). */
export const DIRECT_MS = 3 * MINUTE

export class Directly {
  /** For how many seconds, of all sides together, there had to be a direct path. */
  readonly statistics = { promisedSeconds: 0 }
  readonly #ledger: Ledger
  readonly #conditions: Conditions
  readonly #connected: Connected

  constructor(ledger: Ledger, conditions: Conditions, connected: Connected) {
    this.#ledger = ledger
    this.#conditions = conditions
    this.#connected = connected
  }

  sweep(): void {
    for (const { sides } of this.#ledger.hosts) for (const side of sides.values()) this.#look(side)
  }

  #look(side: Side): void {
    if (side.flow?.path?.type !== 'relayed') return
    const { now, happenedAt } = this.#ledger
    const freeSince = this.#connected.freeSince(side)
    if (freeSince === undefined || now - Math.max(freeSince, happenedAt) <= DIRECT_MS) return
    const conditions = this.#conditions
    if (
      conditions.wayOf(side).kind !== 'certain' ||
      !conditions.isSound(side) ||
      !conditions.shareServer(side)
    )
      return
    this.statistics.promisedSeconds += 1
    const { host, peer } = side
    const minutes = Math.floor((now - Math.max(freeSince, happenedAt)) / MINUTE)
    this.#ledger.report(
      NAME,
      host.name,
      `it talks with ${peer.name} over a relay, and for ${minutes} minutes there was a way: ${conditions.describeWay(side)}`,
    )
  }
}
