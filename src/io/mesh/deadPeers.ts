/**
 * Peers that could not be reached a moment ago. kad-dht never removes a dead node, and every query that meets it pays
 * the dial's time-out again; with a third of the nodes gone a look-up takes seconds. So a failed request is remembered
 * for {@link FORGOTTEN_AFTER_MS}, during which libp2p's dialler refuses the peer at once.
 */

import type { PeerId } from '@libp2p/interface'
import type { Parts } from './parts.js'

export const FORGOTTEN_AFTER_MS = 30_000
const MAX_PEERS = 1024

export class DeadPeers {
  readonly #failedAt = new Map<string, number>()

  /** A peer that connects is alive. */
  start({ events }: Parts): void {
    events.addEventListener('peer:connect', ({ detail: peer }) => {
      this.#failedAt.delete(peer.toString())
    })
  }

  add(peer: PeerId): void {
    const id = peer.toString()
    this.#failedAt.delete(id)
    this.#failedAt.set(id, performance.now())
    if (this.#failedAt.size <= MAX_PEERS) return
    const oldest = this.#failedAt.keys().next()
    if (!oldest.done) this.#failedAt.delete(oldest.value)
  }

  /** It is worth a try again. */
  forgive(peer: PeerId): void {
    this.#failedAt.delete(peer.toString())
  }

  /** What could not be reached may be reached now. */
  clear(): void {
    this.#failedAt.clear()
  }

  has(peer: PeerId): boolean {
    const failedAt = this.#failedAt.get(peer.toString())
    return failedAt !== undefined && performance.now() - failedAt < FORGOTTEN_AFTER_MS
  }
}
