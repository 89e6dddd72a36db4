/** What our own protocols see of libp2p. */

import type { ConnectionGater, Libp2pEvents, PeerId, PeerStore } from '@libp2p/interface'
import type { ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal'

/** The parts of libp2p that our own protocols work with. */
export interface Parts {
  readonly peerId: PeerId
  readonly peerStore: PeerStore
  readonly events: EventTargetOf<Libp2pEvents>
  readonly registrar: Registrar
  readonly connectionManager: ConnectionManager
  readonly transportManager: TransportManager
  readonly connectionGater: ConnectionGater
}

interface EventTargetOf<Events> {
  addEventListener<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void
}
