/** PLACEHOLDER-FOR-TYPES: codec follows */

import type { PublicKey } from '../base/publicKey.js'
import type { UnixTime } from '../base/time.js'
import type { Candidate } from './candidate.js'

/** How a NAT chooses the outer port (RFC 4787 section 4.1), as far as it is known. */
export type NatMapping =
  | 'unknown'
  | 'none'
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'

/** Which senders a NAT lets in (RFC 4787 section 5), as far as it is known. */
export type NatFiltering =
  | 'unknown'
  | 'none'
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'

export interface NatBehaviour {
  readonly mapping: NatMapping
  readonly filtering: NatFiltering
}

/** What a node says of itself. Times are whole milliseconds; `sequence` is a safe integer above zero. */
export interface PeerRecord {
  readonly publicKey: PublicKey
  readonly sequence: number
  readonly issuedAt: UnixTime
  readonly expiresAt: UnixTime
  /** Of the types host, mapped, server-reflexive and relayed only. At most {@link MAX_CANDIDATES}. */
  readonly candidates: readonly Candidate[]
  /** The libp2p identity: a raw 32-byte Ed25519 public key. */
  readonly identity: Uint8Array
  /** Where libp2p reaches the node, direct and through circuit relays, without the final `/p2p/…`. At most {@link MAX_MULTIADDRS}. */
  readonly multiaddrs: readonly string[]
  readonly nat: NatBehaviour
}

export const MAX_CANDIDATES = 16
export const MAX_MULTIADDRS = 8
/** The largest signed record that is read, stored or sent, in bytes. */
export const MAX_RECORD_LENGTH = 2048
