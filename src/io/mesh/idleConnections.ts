/**
 * Connections that are of no use any more. Each query leaves some behind, and each is pinged for as long as it lives: a
 * client among twenty servers would come to be connected to all of them, and its pings alone would take 1.5 kB/s.
 *
 * So connections that we dialled are closed after {@link IDLE_MS} without a request of ours, but for those that are kept
 * for a purpose (known nodes, relays, and what carries relayed connections) and the few that make the next query quick
 * and keep us in the mesh if known nodes die. What was dialled to us is closed at its other end.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { MINUTE, SECOND } from '../../base/time.js'
import { relayIdOf } from './multiaddrs.js'

/** How long a connection stays open after its last use, in ms. */
export const IDLE_MS = 2 * MINUTE
/** A peer that was knocked is likely to be knocked again, and over an open connection that takes one round trip. */
export const KNOCKED_MS = 15 * MINUTE
const SWEEP_MS = 30 * SECOND

export class IdleConnections {
  readonly #connections: () => readonly Connection[]
  readonly #isKept: (peerId: string) => boolean
  readonly #spared: () => number
  /** Until when connections to a peer are not idle. */
  readonly #usedUntil = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  /** `isKept` is true for nodes to which a connection is wanted at all times; `spared` others are left as well. */
  constructor(
    connections: () => readonly Connection[],
    isKept: (peerId: string) => boolean,
    spared: () => number,
  ) {
    this.#connections = connections
    this.#isKept = isKept
    this.#spared = spared
  }

  start(): void {
    this.#timer = setInterval(() => this.sweep(performance.now()), SWEEP_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** The connections to a peer were of use, and may be again in the next `ms`. */
  use(peer: PeerId, ms = IDLE_MS): void {
    const id = peer.toString()
    this.#usedUntil.set(id, Math.max(this.#usedUntil.get(id) ?? 0, performance.now() + ms))
  }

  /** Closes what is idle at `now`, on the clock of `performance`. */
  sweep(now: number): void {
    const connections = this.#connections().filter(({ status }) => status === 'open')
    const carriers = new Set(connections.map(({ remoteAddr }) => relayIdOf(remoteAddr)))
    const direct = connections.filter(({ limits }) => limits === undefined)
    const idle = direct.filter(({ direction, remotePeer, timeline }) => {
      const id = remotePeer.toString()
      return (
        direction === 'outbound' &&
        !this.#isKept(id) &&
        !carriers.has(id) &&
        Date.now() - timeline.open > IDLE_MS &&
        (this.#usedUntil.get(id) ?? 0) < now
      )
    })
    const excess = Math.max(0, direct.length - this.#spared())
    for (const connection of idle.slice(0, excess)) connection.close().catch(() => {})
    for (const [id, until] of this.#usedUntil) if (until < now) this.#usedUntil.delete(id)
  }
}
