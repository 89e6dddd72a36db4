/**
 * Gossip: a published record, or a sealed knock, reaches every connected member that has its author as a peer, unasked;
 * to the others it is nothing. From the author to its servers, from server to server, and from there to the members, each by the quickest way:
 *
 *     author ──► server ──► server ──► member        each hop takes the way, and `hopMs` besides
 *
 * The servers are gossipsub's mesh; members have few connections and pass nothing on. Nobody is told twice, and what cannot be sent at that moment is lost.
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'

export interface GossipOptions {
  /** What each hop takes to validate and pass on, in ms. */
  readonly hopMs: number
}

export function gossip(
  author: Seat,
  key: PublicKey,
  input: Input,
  seats: Iterable<Seat>,
  { queue }: Setting,
  { hopMs }: GossipOptions,
): void {
  const reached = timesAtServers(author, hopMs)
  for (const seat of seats) {
    if (seat === author || seat.member.isPeer?.(key) !== true) continue
    let best: number | undefined
    for (const [server, ms] of reached) {
      const connection = seat.link(server).connection
      if (connection === undefined || connection.health(server) !== 'sound') continue
      const delay = seat.wayTo(connection.ip)
      if (delay !== undefined && (best === undefined || ms + delay < best)) best = ms + delay
    }
    if (best !== undefined)
      queue.in(best + hopMs, () => {
        if (seat.isAnswering) seat.tell(input)
      })
  }
}

/** After how long each server has it, that gets it at all. */
function timesAtServers(author: Seat, hopMs: number): ReadonlyMap<Server, number> {
  const times = new Map<Server, number>()
  for (const { server, connection } of author.links) {
    if (connection === undefined || connection.health(author) !== 'sound') continue
    const delay = author.wayTo(connection.ip)
    if (delay !== undefined) times.set(server, delay + hopMs)
  }
  for (const { server } of author.links) {
    if (!server.isAnswering) continue
    for (const [other, ms] of [...times]) {
      if (other === server) continue
      const delay = other.wayTo(server.ips[0] ?? '')
      const at = delay === undefined ? undefined : ms + delay + hopMs
      if (at !== undefined && at < (times.get(server) ?? Number.POSITIVE_INFINITY)) times.set(server, at)
    }
  }
  return times
}
