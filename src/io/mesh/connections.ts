/** What connections are good for. */

import type { Connection } from '@libp2p/interface'

/** True for one that is open, and not about to close. */
export function isOpen({ status }: Connection): boolean {
  return status === 'open'
}

/** True for an open one with the node itself: not through a relay, which limits what may pass. */
export function isDirect(connection: Connection): boolean {
  return isOpen(connection) && connection.limits === undefined
}
