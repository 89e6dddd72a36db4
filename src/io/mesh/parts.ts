/** What our own protocols see of libp2p. */

import type {
  ConnectionGater,
  ConnectionProtector,
  Libp2pEvents,
  PeerId,
  PeerStore,
  Upgrader,
} from '@libp2p/interface'
import type {
  AddressManager,
  ConnectionManager,
  Registrar,
  TransportManager,
} from '@libp2p/interface-internal'

/** The parts of libp2p that our own protocols work with. */
export interface Parts {
  readonly peerId: PeerId
  readonly peerStore: PeerStore
  readonly events: EventTargetOf<Libp2pEvents>
  readonly registrar: Registrar
  readonly connectionManager: ConnectionManager
  readonly transportManager: TransportManager
  readonly connectionGater: ConnectionGater
  readonly connectionProtector?: ConnectionProtector
  readonly addressManager: AddressManager
  readonly upgrader: Upgrader
}

interface EventTargetOf<Events> {
  addEventListener<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void
}
