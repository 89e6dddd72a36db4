/** What all parts of the mesh share. */

import type { VerifySealed } from '../../src/engine/directory/admission.js'
import type { EventQueue } from '../network/eventQueue.js'

/** How the daemon deals with changes. By default all is as src/ does it; without it, as libp2p does by itself. */
export interface Practice {
  /**
   * True: when the machine's addresses change, connections from those that are gone are closed, the others are probed,
   * and dials begin anew without their pauses (`networkChanged` in src/io/mesh/mesh.ts). False: libp2p is not told, and
   * finds out by its pings.
   */
  readonly followsMoves: boolean
  /**
   * True: a server to which a member connects again relays over the new connection, probes the former ones and closes
   * the dead (src/io/mesh/returns.ts). False: it keeps them until its own pings fail, and relays to the oldest one
   * (circuit-relay-v2's server takes `connections[0]`).
   */
  readonly closesFormerConnections: boolean
}

/** How often anybody asked anything, and what it cost. */
export interface Counts {
  lookUps: number
  knocks: number
  publications: number
  /** TCP connections that were begun. */
  dials: number
  /** Questions asked over a connection. */
  streams: number
  /** Of questions and answers, without what TCP, noise and yamux add. */
  bytes: number
}

export interface Setting {
  readonly queue: EventQueue
  readonly counts: Counts
  readonly practice: Practice
  /** Verifies a sealed record. The same bytes are verified once. */
  readonly verify: VerifySealed
}
