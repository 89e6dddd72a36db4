/**
 * How two machines come to talk, once the one knows the other's record. Which pairs meet, and after how many round trips,
 * is what the simulated internet and the laboratory show of the real engine (docs/simulations.md, `nat-matrix`).
 */

import type { Access, Announcement, Machine } from './machine.js'
import type { Network } from './network.js'

export type Way = 'direct' | 'direct-by-guessing' | 'relayed' | 'streamed'

/** Round trips from a first packet to the first answer: over a direct path, and over a relay. */
const ROUND_TRIPS = { direct: 3.1, relayed: 4.8 } as const

/** The way that two machines come to in the end. */
export function wayBetween(a: Access, b: Access): Way {
  if (a === 'no-udp' || b === 'no-udp') return 'streamed'
  if (a === 'open' || b === 'open') return 'direct'
  if (a === 'symmetric' && b === 'symmetric') return 'relayed'
  return a === 'symmetric' || b === 'symmetric' ? 'direct-by-guessing' : 'direct'
}

/** How long the first answer takes, in ms, once the record is there. */
export function meetingMs(network: Network, from: Machine, to: Machine): number {
  const way = wayBetween(from.access, to.access)
  return network.rtt(from, to) * (way === 'direct' ? ROUND_TRIPS.direct : ROUND_TRIPS.relayed)
}

/** Whether a record leads to its author: to the machine itself, or to a relay where it holds a reservation. */
export function leadsTo(record: Announcement, author: Machine): boolean {
  if (!author.isOnline) return false
  return author.serves || record.relays.some((relay) => author.relays.includes(relay) && relay.isOnline)
}
