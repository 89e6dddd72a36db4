/**
 * Peers that could not be dialled a moment ago. kad-dht never removes a dead node, and every query that meets it pays
 * the dial's time-out again; with a third of the nodes gone a look-up takes seconds. So a failed dial is remembered
 * for {@link FORGOTTEN_AFTER_MS}, during which libp2p refuses further dials at once.
 */

import type { Peer, PeerId } from '@libp2p/interface'
import type { Parts } from './node.js'

export const FORGOTTEN_AFTER_MS = 30_000
const MAX_PEERS = 1024
/** Where libp2p's dialler notes the time of a failure, in the peer's metadata. */
const FAILURE = 'last-dial-failure'

export class DeadPeers {
  readonly #failedAt = new Map<string, number>()

  /** `onDead` hears of each peer that could not be dialled. */
  start({ events, connectionManager }: Parts, onDead: (peer: PeerId) => void): void {
    events.addEventListener('peer:update', ({ detail: { peer, previous } }) => {
      if (!hasNewFailure(peer, previous) || connectionManager.getConnections(peer.id).length > 0) return
      this.#remember(peer.id.toString())
      onDead(peer.id)
    })
    events.addEventListener('peer:connect', ({ detail: peer }) => {
      this.#failedAt.delete(peer.toString())
    })
  }

  has(peer: PeerId): boolean {
    const failedAt = this.#failedAt.get(peer.toString())
    return failedAt !== undefined && performance.now() - failedAt < FORGOTTEN_AFTER_MS
  }

  #remember(id: string): void {
    this.#failedAt.delete(id)
    this.#failedAt.set(id, performance.now())
    if (this.#failedAt.size <= MAX_PEERS) return
    const oldest = this.#failedAt.keys().next()
    if (!oldest.done) this.#failedAt.delete(oldest.value)
  }
}

function hasNewFailure(peer: Peer, previous: Peer | undefined): boolean {
  const failure = peer.metadata.get(FAILURE)
  if (failure === undefined) return false
  const before = previous?.metadata.get(FAILURE)
  return before === undefined || Buffer.compare(before, failure) !== 0
}
