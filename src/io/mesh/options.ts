/** What a mesh node is told when it starts. */

import type { SocketAddress } from '../../base/address.js'
import type { DropReason } from '../../base/drops.js'
import type { PersistentMap } from '../persistentMap.js'
import type { GossipOptions } from './gossip.js'
import type { Knock } from './knock.js'
import type { LanInterface } from './lanSocket.js'
import type { NameResolver } from './names.js'
import type { NodeMemory } from './nodeMemory.js'
import type { OnSealedKnock } from './passing.js'
import type { RecordJudge } from './recordStore.js'
import type { RelayStreamsHandlers } from './relayStreams.js'
import type { RequestLimits } from './requests.js'
import type { MeshState } from './state.js'
import type { UdpProbeSockets } from './udpProbe.js'

/** Where the mesh writes what happens: pino, or anything of its shape. */
export interface MeshLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Where mDNS is spoken: a UDP port, and the devices. */
export interface LanPlace {
  readonly port: number
  readonly interfaces: () => readonly LanInterface[]
}

export interface MeshOptions {
  /** The name of the network: all protocol names are under `/tunnelbore/<network>/`. */
  readonly network: string
  /** 32 bytes, from which the Ed25519 identity is made. */
  readonly identitySeed: Uint8Array
  /** Where to listen for TCP. */
  readonly listen: readonly SocketAddress[]
  /** False for an address among those listened on that others are not told of. All are, by default. */
  readonly announces?: (ip: string) => boolean
  /** Known nodes: multiaddrs ending with `/p2p/` and an id. */
  readonly bootstrap: readonly string[]
  /** Where the nodes that were found are remembered. Without it, each start begins with the given ones. */
  readonly nodeMemory?: NodeMemory
  /**
   * True to find nodes on the LANs of this machine by mDNS, and to be found there: on the devices of the addresses that
   * `announces` allows. A place for it can be given in its stead. Default: false.
   */
  readonly lan?: boolean | LanPlace
  /** Who resolves the names in `bootstrap`; the system by default. */
  readonly names?: NameResolver
  /**
   * True where it serves from its start: a reachable node, which serves the DHT, relays streams and dials others back. Others
   * hold reservations at two relays.
   */
  readonly serves: boolean
  /** The content of a pre-shared key file (`/key/swarm/psk/1.0.0/`), which closes the network. */
  readonly networkKey?: Uint8Array
  readonly judge: RecordJudge
  /** What outlives the process: records stored for others, and what was seen of them. In memory only, by default. */
  readonly datastore?: PersistentMap
  /** How much is answered of what others ask of our DHT; {@link REQUEST_LIMITS} by default. */
  readonly requestLimits?: RequestLimits
  /** What we answer when asked for our services, if we serve. At most 1024 bytes. */
  readonly services: () => Uint8Array
  /** Without it, or with its limit at 0, the node neither gossips nor passes gossip on. */
  readonly gossip?: GossipOptions
  /** Answers a knock; undefined closes its stream without an answer. */
  readonly onKnock: (knock: Knock) => Promise<Uint8Array | undefined>
  /** The same for a sealed knock that a relay passes on, and a sealed answer; without it none is taken. */
  readonly onSealedKnock?: OnSealedKnock
  /** What comes through streams that stand in for UDP. Without it the node neither takes nor opens any. */
  readonly relayStreams?: RelayStreamsHandlers
  /** With what UDP probes are sent to those who ask; without it none is. */
  readonly udpProbes?: UdpProbeSockets
  /** False for an address that is reached through our own tunnel: it is never dialled. */
  readonly mayDial?: (ip: string) => boolean
  /** The firewall mark of all TCP sockets. */
  readonly socketMark?: number
  readonly onDrop: (reason: DropReason) => void
  /** The own addresses, the servers or the reservations changed. Not called while the node is starting. */
  readonly onChange: (state: MeshState) => void
  readonly log: MeshLog
}
