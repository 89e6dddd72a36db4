/**
 * The composition of libp2p: which parts, and which of their defaults are changed. Each change has its reason beside
 * it; what a change cannot mend is in the file named after the trouble ({@link ./recordStore}, {@link ./deadPeers}…).
 */

import { noise } from '@chainsafe/libp2p-noise'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import { type ConnectionGater, type Libp2p, peerRoutingSymbol, type Transport } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { type DropReason, isDropped } from '../../base/drops.js'
import { SECOND } from '../../base/time.js'
import { PREFIX_BITS, REPLICATION } from '../../engine/dht/query.js'
import { admitConnectedOnly } from './acquaintances.js'
import { AnticipatingProtector, anticipatingMuxer } from './anticipate.js'
import { REQUEST_DEADLINE_MS } from './dht.js'
import type { Gossip } from './gossip.js'
import type { Libp2pDatastore } from './libp2pDatastore.js'
import { tcpMultiaddr } from './multiaddrs.js'
import { NetworkGate, tellOfRefused } from './networkGate.js'
import type { MeshOptions } from './options.js'
import type { Parts } from './parts.js'
import { RelayServer, type RelayServerParts } from './relayServer.js'
import { safeMuxer } from './safeMuxer.js'
import { Sockets } from './sockets.js'
import { tcpTransport } from './tcp.js'

export interface Node {
  readonly libp2p: Libp2p
  readonly parts: Parts
  readonly kadDht: KadDHT
  /** Runs while it is told to; not at first. */
  readonly relayServer: RelayServer
  readonly sockets: Sockets
  /** The name of the protocol of pings. */
  readonly ping: string
}

/** How many connections a node has, by its role. */
export const MAX_CONNECTIONS = { serving: 4096, other: 256 }
/** How large a share of them those behind one address may have: whole fleets can stand behind one. */
export const SHARE_OF_AN_ADDRESS = 0.5
const MAX_CONNECTIONS_A_SECOND_PER_IP = 200
const MAX_HALF_OPEN_CONNECTIONS = 256
/** Others should know soon that we serve, or no more; the default is 1 s. In ms. */
const PUSH_DEBOUNCE_MS = 50

/** Makes a node that is not started yet. `announced` tells our addresses, complete; it is not asked before the start. */
export async function makeNode(
  options: MeshOptions,
  datastore: Libp2pDatastore,
  gater: ConnectionGater,
  announced: () => readonly Multiaddr[],
  onDrop: (reason: DropReason) => void,
  gossip: Gossip | undefined,
): Promise<Node> {
  const { serves, judge, log } = options
  const prefix = `tunnelbore/${options.network}`
  const protector = options.networkKey === undefined ? undefined : preSharedKey({ psk: options.networkKey })
  const pingProtocol = `/${prefix}/ping/1.0.0`
  const sockets = new Sockets()
  let parts: Parts | undefined
  let relayServer: RelayServer | undefined
  let unmarked = 0

  const libp2p = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.identitySeed),
    datastore,
    addresses: {
      listen: options.listen.map(tcpMultiaddr),
      announceFilter: () => [...announced()],
    },
    transports: [
      tcpTransport({
        mark: options.socketMark,
        onUnmarked: (what) => {
          if (unmarked === 0) log.warn({}, 'could not mark a TCP socket: a full tunnel would swallow it')
          unmarked += 1
          log.debug({ what, unmarked }, 'could not mark a TCP socket')
        },
        onSocket: (socket) => sockets.add(socket),
      }),
      circuitRelayTransport(),
    ],
    connectionProtector: () =>
      new AnticipatingProtector(new NetworkGate(protector?.(), tellOfRefused(onDrop, log))),
    connectionEncrypters: [noise()],
    // Heartbeat pings. A ping's handler never ends if all of the ping is there before it begins.
    streamMuxers: [anticipatingMuxer(safeMuxer(yamux({ enableKeepAlive: false })), [pingProtocol])],
    connectionGater: gater,
    connectionManager: {
      maxConnections: serves ? MAX_CONNECTIONS.serving : MAX_CONNECTIONS.other,
      inboundConnectionThreshold: MAX_CONNECTIONS_A_SECOND_PER_IP,
      maxIncomingPendingConnections: MAX_HALF_OPEN_CONNECTIONS,
      addressDialTimeout: 1.5 * SECOND,
      dialTimeout: 4 * SECOND,
      // Names are resolved by KnownNodes, and only those that the user gave.
      resolvers: {},
      // Done by KnownNodes.
      reconnectRetries: 0,
    },
    // Heartbeat does its part for a fraction of the traffic.
    connectionMonitor: { enabled: false },
    services: {
      // Relayed connections carry knocks only; identify, begun by both ends at once, would get in the first one's way.
      identify: identify({ protocolPrefix: prefix, runOnLimitedConnection: false }),
      // Tells those who are connected when our protocols or addresses change.
      identifyPush: identifyPush({
        protocolPrefix: prefix,
        runOnLimitedConnection: false,
        debounce: PUSH_DEBOUNCE_MS,
      }),
      ping: ping({ protocolPrefix: prefix, maxInboundStreams: 8, maxOutboundStreams: 8 }),
      dht: withoutPeerRouting(
        kadDHT({
          protocol: `/${prefix}/kad/1.0.0`,
          clientMode: !serves,
          // The default drops nodes at private addresses, and with them whole meshes in a LAN or a laboratory.
          peerInfoMapper: passthroughMapper,
          kBucketSize: REPLICATION,
          prefixLength: PREFIX_BITS,
          alpha: 3,
          disjointPaths: 1,
          // Ours is shorter; theirs adapts to what it saw, and turns a busy moment into failures.
          networkDialTimeout: { minTimeout: 2 * REQUEST_DEADLINE_MS, maxTimeout: 2 * REQUEST_DEADLINE_MS },
          pingNewContactTimeout: { minTimeout: 1.5 * SECOND, maxTimeout: 4 * SECOND },
          validators: {
            record: (key, value) => {
              const verdict = judge(key, value)
              if (!isDropped(verdict)) return
              onDrop(verdict.dropped)
              throw new Error(`record refused: ${verdict.dropped}`)
            },
          },
        }),
      ),
      ...(gossip === undefined ? {} : { gossip: gossip.service() }),
      parts: (components: Parts & RelayServerParts) => {
        parts = components
        relayServer = new RelayServer(components)
        return {}
      },
    },
  })
  if (parts === undefined || relayServer === undefined) throw new Error('libp2p did not hand out its parts')
  acceptThroughAnyRelay(parts.transportManager.getTransports())
  const { connectionManager } = parts
  admitConnectedOnly(libp2p.services.dht, (peer) => connectionManager.getConnections(peer).length > 0)
  return { libp2p, parts, kadDht: libp2p.services.dht, relayServer, sockets, ping: pingProtocol }
}

/**
 * libp2p's circuit transport reserves at whoever passes it a relayed connection without a reservation that it knows of. It
 * knows of none: {@link ./relays} makes them.
 */
function acceptThroughAnyRelay(transports: readonly Transport[]): void {
  for (const transport of transports) {
    const store: unknown = Reflect.get(transport, 'reservationStore')
    if (typeof store === 'object' && store !== null && 'hasReservation' in store)
      store.hasReservation = () => true
  }
}

/**
 * The DHT without its service of finding peers for the rest of libp2p. A node short of a relay would walk the DHT at
 * random without a pause, which in a mesh of few servers takes most of a core; and a dial without an address would
 * become a query. Relays are still found: libp2p dials the servers that our own queries learn of.
 */
function withoutPeerRouting<Components>(factory: (components: Components) => KadDHT) {
  return (components: Components): KadDHT =>
    Object.defineProperty(factory(components), peerRoutingSymbol, { value: undefined })
}
