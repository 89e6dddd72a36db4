/**
 * The servers that are asked where we are, and for relays: those that are connected, and for a while those that were.
 *
 * Who moves loses all connections at once, and then needs reflectors most. They answer over UDP, whether or not libp2p
 * has connected to them again, which takes several round trips.
 */

import { elapsed, type Instant, SECOND } from '../base/time.js'
import type { ServerState } from '../io/mesh/state.js'
import { monotonicNow } from '../io/systemClock.js'

/** One that is back by then was not gone for long; in that time others are found in the place of one that died. */
export const KEPT_MS = 30 * SECOND

/** Of those that are connected no more. */
const MAX_FORMER = 8

export class RecentServers {
  #connected: ReadonlyMap<string, ServerState> = new Map()
  /** The one that was lost last is the last. */
  #former: readonly { readonly server: ServerState; readonly lostAt: Instant }[] = []

  /** These are connected now. Returns them, in their order, and after them those that were a short time ago. */
  connected(servers: readonly ServerState[], now: Instant = monotonicNow()) {
    const lost = [...this.#connected.values()].map((server) => ({ server, lostAt: now }))
    const present = new Map(servers.map((server) => [server.peerId, this.#whereItIs(server)]))
    this.#connected = present
    this.#former = [...this.#former, ...lost]
      .filter(({ server, lostAt }) => !present.has(server.peerId) && elapsed(lostAt, now) < KEPT_MS)
      .slice(-MAX_FORMER)
    return [...present.values(), ...this.#former.map(({ server }) => server)]
  }

  /** Between the end of its connection and the news of it, a server has no address. */
  #whereItIs(server: ServerState): ServerState {
    const ip = server.ip ?? this.#connected.get(server.peerId)?.ip
    return { ...server, ip }
  }
}
