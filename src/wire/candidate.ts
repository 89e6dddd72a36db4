/** Candidates as they travel in records (RFC 8445 section 5.1.1, without components and foundations). */

import type { SocketAddress } from '../base/address.js'

/**
 * - `host`: an address of one of the node's own interfaces
 * - `mapped`: opened by UPnP, NAT-PMP or PCP
 * - `server-reflexive`: what a reflector saw
 * - `peer-reflexive`: what a peer saw; learned from checks, never published
 * - `relayed`: a member relay's port for a pair
 * - `configured`: an Endpoint that the user gave WireGuard; never published
 */
export type CandidateType =
  | 'host'
  | 'mapped'
  | 'server-reflexive'
  | 'peer-reflexive'
  | 'relayed'
  | 'configured'

export interface Candidate {
  readonly type: CandidateType
  readonly address: SocketAddress
}
