/**
 * What the parts of discovery cost, in bytes within TCP connections and in ms. The bytes are those that two and three real
 * nodes of this project exchanged over loopback, headers of TCP and IP not counted; `npm run bench -- mesh-churn` sets
 * what a fleet of the model sends beside what real nodes do.
 */

import { SECOND } from '../../src/base/time.js'

/** Both ways, at either end: bytes sent by who begins, and by the other. */
export interface Cost {
  readonly asker: number
  readonly asked: number
}

/** A connection: noise, yamux, identify both ways, and what each tells the other of itself. */
export const DIAL: Cost = { asker: 1_900, asked: 1_400 }
/** Asking for a record, or for closer nodes; each that is named costs {@link NAMED_BYTES} more. */
export const QUESTION: Cost = { asker: 315, asked: 240 }
export const NAMED_BYTES = 95
/** A sealed record in an answer, or to be stored, which its receiver repeats. */
export const RECORD_BYTES = 1_640
/** A reservation at a relay, or its renewal. */
export const RESERVATION: Cost = { asker: 330, asked: 115 }
/** One ping of a heartbeat, and as much for its answer, with the stream that it is sent in. */
export const PING_BYTES = 87
/** A gossiped record to one neighbour, with what gossipsub wraps it in. */
export const GOSSIP_BYTES = 1_620
/** How many copies of a gossiped message reach a node, on average, and how many it sends. */
export const GOSSIP_COPIES = 3

/** How long a node works on a request, in ms. */
export const WORK_MS = 4
/** What noise and identify take of processor time at both ends of a new connection, in ms. */
export const DIAL_WORK_MS = 25
/** Round trips until a request over a new connection is answered. */
export const DIAL_ROUND_TRIPS = 3
/** A machine that is gone, or cut off, answers no segment: `addressDialTimeout` of src/io/mesh/node.ts. */
export const DIAL_DEADLINE_MS = 1.5 * SECOND
