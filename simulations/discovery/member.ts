/** What the mesh needs to know of a node that is in it: an engine with its host, or an attacker. */

import type { DropReason } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Now } from '../../src/base/time.js'
import type { Input } from '../../src/engine/inputs.js'
import type { FloorTable } from './gossipIntake.js'

export interface Member {
  readonly name: string
  /** Undefined for one without WireGuard, which publishes nothing. */
  readonly publicKey: PublicKey | undefined
  /** The libp2p identity: a raw Ed25519 public key of 32 bytes. */
  readonly identity: Uint8Array
  /** The addresses that it has now. Streams leave from the first one of the family; by default it has none to name. */
  readonly ips?: readonly string[]
  /** The host's clocks, by which the daemon's deadlines run; by default the world's. */
  readonly clock?: MemberClock
  /**
   * One-way delay of a TCP segment to an address now, in ms, retransmissions included; undefined without a way, or where
   * a firewall or a gateway lets no connection in.
   */
  streamDelay(to: string): number | undefined
  /** Called from an event of its own, never while the member asks the mesh for something. */
  handle(input: Input): void
  /** Whether a private address of the other means its host here, too. By default none does. */
  isNeighbour?(other: Member): boolean
  /** What it keeps on disk of whom it heard by gossip; by default it has no disk. */
  readonly gossipFloors?: FloorTable
  /** Whether gossip of this author is of interest; by default none is. */
  isPeer?(author: PublicKey): boolean
  /** The daemon's mesh part dropped something before the engine saw it. */
  drop?(reason: DropReason): void
}

export interface MemberClock {
  readonly now: Now
  /** While it sleeps neither streams nor timers go on. */
  readonly asleep: boolean
  in(ms: number, action: () => void): void
}
