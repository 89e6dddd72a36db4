/**
 * The composition of gossipsub: its options, each change from the defaults with its reason, and what is put in front
 * of it. The parts of its class that are used here are public; its package only names an interface without them.
 */

import { type GossipSub, type GossipSubComponents, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { Connection, PeerId } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { TokenBucket } from '../../base/rateLimit.js'
import { SECOND } from '../../base/time.js'
import { now } from '../systemClock.js'
import { passesBytes } from './anticipate.js'
import { MAX_IDS, messageId, SEEN_MS } from './gossipIntake.js'

export interface GossipRouter extends GossipSub {
  /** By neighbour, the streams over which we send. */
  readonly streamsOutbound: ReadonlyMap<string, unknown>
  /** By neighbour, the IHAVE that goes out with the next heartbeat. */
  readonly gossip: Map<string, RPC.ControlIHave[]>
  /** All that a neighbour sends passes through here. */
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>
}

export interface RouterOptions {
  readonly protocol: string
  readonly topics: readonly string[]
  /** Zero for an honest node, negative for others. */
  readonly score: (neighbour: string) => number
  /** What of an RPC is handed on. */
  readonly admit: (neighbour: string, rpc: RPC) => RPC
  /** A neighbour has sent more bytes than all limits together let an honest one send. */
  readonly onFlood: (neighbour: PeerId) => void
}

/** Below these scores a neighbour gets no IHAVE, is not published to, and is not listened to. */
const THRESHOLDS = { gossipThreshold: -10, publishThreshold: -20, graylistThreshold: -50 }
/**
 * The largest RPC read, in bytes. The largest one of an honest node answers an IWANT: {@link MAX_IDS} messages of 1.5
 * KiB, with the ids of all recent ones beside it.
 */
const MAX_FRAME = 128 * 1024
/**
 * What may arrive from one neighbour, in bytes. An honest one passes on what it takes in all: 60 kB a second, and 0.6
 * MB at once.
 */
const BYTES_IN = { perSecond: 256 * 1024, burst: 4 * 1024 * 1024 }
/** A neighbour that does not read: its stream is aborted, and opened again. */
const MAX_UNSENT = 256 * 1024

const HEARTBEAT_MS = SECOND
const HEARTBEATS_KEPT = 10
/** How long at least a neighbour can ask for a message, in ms. */
export const KEPT_MS = (HEARTBEATS_KEPT - 2) * HEARTBEAT_MS

/** What makes the service, from libp2p's components; `onMade` is given it before it is started. */
export function gossipRouter(
  { protocol, topics, score, admit, onFlood }: RouterOptions,
  onMade: (router: GossipRouter) => void,
): (components: GossipSubComponents) => GossipSub {
  const makeRouter = gossipsub({
    // The author is known from what it wrote. Its libp2p identity is nobody's business.
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: ({ topic, data }) => messageId(topic, data),
    allowedTopics: [...topics],
    fallbackToFloodsub: false,
    // To some neighbours, who pass it on; not to all who are connected.
    floodPublish: false,
    // With nobody there it throws, and can be published later. The other way it would be taken for published.
    allowPublishToZeroTopicPeers: false,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    runOnLimitedConnection: false,

    // Every node asks three or four neighbours for all messages, and sends all to whoever asks it. Nodes behind NAT ask
    // nodes that serve; so what serves sends to many, and there is no role to be told when that changes. A bound on how many
    // may ask (12 by default) would leave those beyond it deaf: in a star all ask the same few. Connections are bounded.
    D: 4,
    Dlo: 3,
    Dhi: Number.MAX_SAFE_INTEGER,
    // Two of those we asked we have dialled. So nodes that serve, which dial none but such, ask each other too, however
    // many others ask them.
    Dout: 2,
    Dscore: 0,

    // A heartbeat sends nothing unless there were messages in the last three.
    heartbeatInterval: HEARTBEAT_MS,
    mcacheGossip: 3,
    mcacheLength: HEARTBEATS_KEPT,
    seenTTL: SEEN_MS,
    // For those pruned, and those that left: the default would keep who joins again deaf for a minute.
    pruneBackoff: 10 * SECOND,
    unsubcribeBackoff: 10 * SECOND,
    // Who is connected with whom is libp2p's and our own affair.
    tagMeshPeers: false,
    doPX: false,

    maxInboundDataLength: MAX_FRAME,
    maxOutboundBufferSize: MAX_UNSENT,
    maxInboundStreams: 3,
    maxOutboundStreams: 3,
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    idontwantMaxMessages: 0,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 2 * MAX_IDS,
      maxControlMessages: 16,
      // All messages of three seconds, also after a burst.
      maxIhaveMessageIDs: 1024,
      maxIwantMessageIDs: 1024,
      maxIdontwantMessageIDs: 16,
      maxPeerInfos: 16,
    },

    // The score is conduct, and nothing else. Scored by default, and punishing honest nodes: to be silent on a topic on
    // which nobody speaks; to stand behind one address with others; not to deliver what we then refused for its rate.
    scoreParams: {
      topics: {},
      appSpecificScore: score,
      appSpecificWeight: 1,
      IPColocationFactorWeight: 0,
      behaviourPenaltyWeight: 0,
      decayInterval: 10 * SECOND,
      // Kept by Conduct; gossipsub forgets it with the next connection anyway.
      retainScore: 0,
    },
    scoreThresholds: { ...THRESHOLDS, acceptPXThreshold: 1, opportunisticGraftThreshold: 0 },
  })
  return (components) => {
    const router = makeRouter({ ...pick(components), registrar: metered(components.registrar, onFlood) })
    if (!isRouter(router)) throw new TypeError('gossipsub has changed: it hides what is put in front of it')
    // Its names are fixed (/meshsub/…) as long as nobody names others. Those of another name have no IDONTWANT, and no
    // time in PRUNE: neither is wanted.
    router.protocols = [protocol]
    const handle = router.handleReceivedRpc.bind(router)
    router.handleReceivedRpc = (from, rpc) => handle(from, admit(from.toString(), rpc))
    onMade(router)
    return router
  }
}

/** libp2p's components are a proxy that only answers to names. */
function pick(components: GossipSubComponents): GossipSubComponents {
  const { privateKey, peerId, peerStore, registrar, connectionManager, logger } = components
  return { privateKey, peerId, peerStore, registrar, connectionManager, logger }
}

/** A registrar whose handlers get streams that are aborted, with their connection, when they bring too much. */
function metered(registrar: Registrar, onFlood: (neighbour: PeerId) => void): Registrar {
  return new Proxy(registrar, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'handle') return typeof value === 'function' ? value.bind(target) : value
      const handle: Registrar['handle'] = (protocol, handler, options) =>
        target.handle(
          protocol,
          (stream, connection) => {
            if (passesBytes(stream)) {
              const bytes = bucketOf(connection)
              const receive = stream.onData.bind(stream)
              stream.onData = (data) => {
                if (bytes.take(now().instant, data.byteLength)) receive(data)
                else onFlood(connection.remotePeer)
              }
            }
            return handler(stream, connection)
          },
          options,
        )
      return handle
    },
  })
}

const buckets = new WeakMap<Connection, TokenBucket>()

function bucketOf(connection: Connection): TokenBucket {
  const bucket = buckets.get(connection) ?? new TokenBucket(BYTES_IN.perSecond, BYTES_IN.burst, now().instant)
  buckets.set(connection, bucket)
  return bucket
}

function isRouter(router: GossipSub): router is GossipRouter {
  return (
    'handleReceivedRpc' in router &&
    typeof router.handleReceivedRpc === 'function' &&
    'streamsOutbound' in router &&
    router.streamsOutbound instanceof Map &&
    'gossip' in router &&
    router.gossip instanceof Map
  )
}
