/**
 * The composition of libp2p: which parts, and which of their defaults are changed. Each change has its reason beside
 * it; what a change cannot mend is in the file named after the trouble ({@link ./recordStore}, {@link ./deadPeers}…).
 */

import { noise } from '@chainsafe/libp2p-noise'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { type ConnectionGater, type Libp2p, peerRoutingSymbol } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { type DropReason, isDropped } from '../../base/drops.js'
import { MINUTE, SECOND } from '../../base/time.js'
import { admitConnectedOnly } from './acquaintances.js'
import { AnticipatingProtector, anticipatingMuxer } from './anticipate.js'
import { REPLICATION, REQUEST_DEADLINE_MS } from './dht.js'
import type { Gossip } from './gossip.js'
import { addressedIp, relayIdOf, tcpMultiaddr } from './multiaddrs.js'
import type { MeshOptions } from './options.js'
import type { Parts } from './parts.js'
import type { RecordStore } from './recordStore.js'
import { RESERVATIONS } from './relays.js'
import { relayingOverNewest } from './returns.js'
import { Sockets } from './sockets.js'
import { tcpTransport } from './tcp.js'

export interface Node {
  readonly libp2p: Libp2p
  readonly parts: Parts
  readonly kadDht: KadDHT
  readonly sockets: Sockets
  /** The name of the protocol of pings. */
  readonly ping: string
}

/** How long a reservation at a relay lasts. libp2p's client renews it five minutes before its end. */
const RESERVATION_TTL_MS = 15 * MINUTE
const MAX_RESERVATIONS = 4096
/** A relayed connection that is still open makes the next knock one round trip instead of three; the default is 2 min. */
const RELAYED_CONNECTION_MS = 15 * MINUTE
const MAX_CONNECTIONS = { serving: 4096, other: 256 }
/** Whole fleets can stand behind one address. */
const MAX_CONNECTIONS_A_SECOND_PER_IP = 200
const MAX_HALF_OPEN_CONNECTIONS = 256

/** Makes a node that is not started yet. */
export async function makeNode(
  options: MeshOptions,
  store: RecordStore,
  gater: ConnectionGater,
  onDrop: (reason: DropReason) => void,
  gossip: Gossip | undefined,
): Promise<Node> {
  const { serves, judge, log } = options
  const prefix = `tunnelbore/${options.network}`
  const protector = options.networkKey === undefined ? undefined : preSharedKey({ psk: options.networkKey })
  const pingProtocol = `/${prefix}/ping/1.0.0`
  const sockets = new Sockets()
  let parts: Parts | undefined
  let unmarked = 0

  const libp2p = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.identitySeed),
    datastore: store,
    addresses: {
      // One reservation is held for each time `/p2p-circuit` is listened on.
      listen: [
        ...options.listen.map(tcpMultiaddr),
        ...(serves ? [] : Array.from({ length: RESERVATIONS }, () => '/p2p-circuit')),
      ],
      announceFilter: (addresses) => addresses.filter((address) => isAnnounced(address, options.announces)),
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
    connectionProtector: () => new AnticipatingProtector(protector?.()),
    connectionEncrypters: [noise()],
    // The connection monitor already pings. A ping's handler never ends if all of the ping is there before it begins.
    streamMuxers: [anticipatingMuxer(yamux({ enableKeepAlive: false }), [pingProtocol])],
    connectionGater: gater,
    connectionManager: {
      maxConnections: serves ? MAX_CONNECTIONS.serving : MAX_CONNECTIONS.other,
      inboundConnectionThreshold: MAX_CONNECTIONS_A_SECOND_PER_IP,
      maxIncomingPendingConnections: MAX_HALF_OPEN_CONNECTIONS,
      addressDialTimeout: 1.5 * SECOND,
      dialTimeout: 4 * SECOND,
      // Done by KnownNodes.
      reconnectRetries: 0,
    },
    connectionMonitor: {
      // A client has few connections and must notice a relay that hangs; a server has many, and TCP tells it enough.
      pingInterval: serves ? 30 * SECOND : 5 * SECOND,
      // The default aborts a healthy connection after one slow ping (js-libp2p issues 3463 and 3504).
      pingTimeout: { minTimeout: 5 * SECOND, maxTimeout: 15 * SECOND },
      protocolPrefix: prefix,
    },
    services: {
      // Relayed connections carry knocks only; identify, begun by both ends at once, would get in the first one's way.
      identify: identify({ protocolPrefix: prefix, runOnLimitedConnection: false }),
      // By default one at a time; the monitor takes a second one of the DHT's for a dead connection.
      ping: ping({ protocolPrefix: prefix, maxInboundStreams: 8, maxOutboundStreams: 8 }),
      dht: withoutPeerRouting(
        kadDHT({
          protocol: `/${prefix}/kad/1.0.0`,
          clientMode: !serves,
          // The default drops nodes at private addresses, and with them whole meshes in a LAN or a laboratory.
          peerInfoMapper: passthroughMapper,
          kBucketSize: REPLICATION,
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
      ...(serves
        ? {
            relay: relayingOverNewest(
              circuitRelayServer({
                reservations: {
                  maxReservations: MAX_RESERVATIONS,
                  reservationTtl: RESERVATION_TTL_MS,
                  defaultDurationLimit: RELAYED_CONNECTION_MS,
                },
                // Of one client: one for each peer to which it holds a relayed connection.
                maxInboundHopStreams: 64,
              }),
            ),
          }
        : {}),
      ...(gossip === undefined ? {} : { gossip: gossip.service() }),
      parts: (components: Parts) => {
        parts = components
        return {}
      },
    },
  })
  if (parts === undefined) throw new Error('libp2p did not hand out its parts')
  const { connectionManager } = parts
  admitConnectedOnly(libp2p.services.dht, (peer) => connectionManager.getConnections(peer).length > 0)
  return { libp2p, parts, kadDht: libp2p.services.dht, sockets, ping: pingProtocol }
}

/** Circuit addresses begin with the relay's, which is not for us to judge. */
function isAnnounced(address: Multiaddr, announces: MeshOptions['announces']): boolean {
  const ip = relayIdOf(address) === undefined ? addressedIp(address) : undefined
  return announces === undefined || ip === undefined || announces(ip)
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
