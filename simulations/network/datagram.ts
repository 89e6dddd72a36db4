/** What travels. */

import type { SocketAddress } from '../../src/base/address.js'

export interface Datagram {
  readonly from: SocketAddress
  readonly to: SocketAddress
  readonly bytes: Uint8Array
  /** The host that really sent it, whatever addresses it bears by now. No host can see this; invariants do. */
  readonly author: string
}
