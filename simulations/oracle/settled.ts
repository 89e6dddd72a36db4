/**
 * After the last fault the fleet settles: {@link SETTLED_MS} after it, the path that a pair in steady traffic uses stays
 * as it is where nothing is lost. (That all who want it are connected then is said by connected.ts, and that all others are silent by quiet.ts.)
 */

import { formatSocketAddress, type SocketAddress } from '../../src/base/address.js'
import { MINUTE } from '../../src/base/time.js'
import type { Conditions } from './conditions.js'
import type { Connected } from './connected.js'
import type { Ledger, Side } from './ledger.js'

const NAME = 'settled'

/** {@link PROMISE_MS} for the connection, and time to find that another path is better. */
export const SETTLED_MS = 3 * MINUTE

/** One change may come of a round trip that was measured anew. */
const CHANGES = 1

export class Settled {
  /** Changes of paths in use after all had settled. */
  readonly statistics = { changes: 0 }
  readonly #ledger: Ledger
  readonly #conditions: Conditions
  readonly #connected: Connected
  readonly #changes = new WeakMap<Side, { since: number; count: number }>()

  constructor(ledger: Ledger, conditions: Conditions, connected: Connected) {
    this.#ledger = ledger
    this.#conditions = conditions
    this.#connected = connected
  }

  /** A side has taken another path into use. */
  changed(side: Side, remote: SocketAddress): void {
    const { now, happenedAt } = this.#ledger
    const freeSince = this.#connected.freeSince(side)
    if (freeSince === undefined) return
    const since = Math.max(freeSince, happenedAt)
    if (now - since <= SETTLED_MS || !this.#conditions.isSound(side)) return
    this.statistics.changes += 1
    const known = this.#changes.get(side)
    const count = known?.since === since ? known.count + 1 : 1
    this.#changes.set(side, { since, count })
    if (count <= CHANGES) return
    const minutes = Math.floor((now - since) / MINUTE)
    const where = formatSocketAddress(remote)
    this.#ledger.report(
      NAME,
      side.host.name,
      `${minutes} minutes after the last fault its path to ${side.peer.name} changed again, to ${where}`,
    )
  }
}
