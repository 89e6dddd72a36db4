/** What is found out about how we look from outside. */

import type { SocketAddress } from '../../base/address.js'
import type { ProvedAddress } from '../../wire/addressProof.js'
import type { Candidate } from '../../wire/candidate.js'
import type { NatFiltering, NatMapping } from '../../wire/record.js'
import type { LocalSocket } from '../inputs.js'

/** What the answers say of us. */
export interface Findings {
  /** Our addresses as reflectors see them, without those that are a socket's own. */
  readonly candidates: readonly Candidate[]
  /** How the NAT of the sockets that have most to say maps; of several uplinks, the strictest. */
  readonly mapping: NatMapping
  /** As probes told it; see natProbing.ts. */
  readonly filtering: NatFiltering
  /** That we are where we seem to be, as reflectors say for others to verify. */
  readonly proved?: ProvedAddress | undefined
}

/** A socket, and how reflectors at different addresses see it. */
export interface Uplink {
  readonly socket: LocalSocket
  readonly seen: readonly SocketAddress[]
  readonly mapping: NatMapping
}

/** What probes have told of the NAT, beyond what reflections tell. */
export interface Probed {
  readonly filtering: NatFiltering
  /** True where a mapping also depends on the remote port. */
  readonly portDependent: boolean
}
