/**
 * A connection in doubt is asked at once whether it lives, as src/io/mesh/liveness.ts does it. One that does changes
 * nothing, and so none is asked of which that is known.
 */

import type { Party } from './channel.js'
import type { Connection } from './connection.js'
import type { Pinger } from './monitor.js'

/** As in src/io/mesh/liveness.ts. */
export const PROBE_MS = 1_500

/** Closes a connection of `party` that does not answer it in time. */
export function closeIfDead(connection: Connection, party: Party & Pinger): void {
  const isDead = (): boolean => connection.isOpenAt(party) && connection.health(party) !== 'sound'
  if (!isDead()) return
  party.in(PROBE_MS, () => {
    if (isDead()) connection.close(party)
  })
}
