/** The words in which gateways are spoken of: who is asked, by which protocol, for which port, and what came of it. */

import type { SocketAddress } from '../../base/address.js'

/** How a gateway is asked for a port. */
export type MappingProtocol = 'pcp' | 'nat-pmp' | 'upnp'

/** What is mapped. */
export type MappedTransport = 'udp' | 'tcp'

/** A gateway, and our address that it is asked from. */
export interface MappingSite {
  /** The gateway's address; a link-local one without its zone, which is `device`. */
  readonly gateway: string
  readonly device: string
  readonly local: string
}

/** One port of ours at one gateway. */
export interface PortToMap {
  readonly site: MappingSite
  readonly by: MappingProtocol
  readonly protocol: MappedTransport
  readonly internalPort: number
  /** What we should like to have, or have. */
  readonly externalPort: number
  /** PCP's: whoever knows it may change the mapping. */
  readonly nonce: Uint8Array
}

/** Whether an outer address is believed. `second-nat`: it is private, or not the one at which reflectors see us. */
export type MappingVerdict = 'believed' | 'unconfirmed' | 'second-nat'

/** A port that is open, as far as its gateway says. */
export interface MappedPort {
  readonly protocol: MappedTransport
  readonly by: MappingProtocol
  readonly internal: SocketAddress
  readonly external: SocketAddress
  readonly verdict: MappingVerdict
}
