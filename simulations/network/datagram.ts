/** What travels. */

import type { SocketAddress } from '../../src/base/address.js'

export interface Datagram {
  readonly from: SocketAddress
  readonly to: SocketAddress
  readonly bytes: Uint8Array
  /** The host that really sent it, whatever addresses it bears by now. No host can see this; invariants do. */
  readonly author: string
  /** Tells who sent it, as ICMP does, that nobody has the port open or that there is no such host; absent where he does not listen. */
  readonly unreachable?: TellUnreachable | undefined
}

/** Called when and where that is found out; the way back takes time besides. */
export type TellUnreachable = (what: 'port' | 'host') => void
