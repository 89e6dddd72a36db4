/** A path: what carries WireGuard's messages to a peer and back. */

import type { SocketAddress } from '../../base/address.js'
import type { Instant } from '../../base/time.js'
import type { CandidateType } from '../../wire/candidate.js'
import type { SocketId } from '../inputs.js'

/** A local socket and a remote address: where a datagram leaves and where it goes. */
export interface Route {
  readonly socket: SocketId
  readonly remote: SocketAddress
}

/**
 * What proved a path.
 * - `check`: our own check was answered over it
 * - `handshake`: WireGuard itself uses a session whose handshake went over it (a peer that may not run Tunnelbore)
 */
export type Proof = 'check' | 'handshake'

export interface Path extends Route {
  /** What kind of candidate the remote address is. */
  readonly type: CandidateType
  readonly proof: Proof
  /** True where it leaves through a stream that stands in for UDP. */
  readonly throughStream?: boolean
  readonly provedAt: Instant
  /** Smoothed round trip of its checks; absent where none was answered. */
  readonly rttMs: number | undefined
}

export function sameRoute(a: Route, b: Route): boolean {
  return a.socket === b.socket && a.remote.port === b.remote.port && a.remote.ip === b.remote.ip
}
