/**
 * The mesh: one libp2p node, the DHT of records, and our own protocols. It decides nothing: when to publish, whom to
 * look up and to knock comes from the engine. What it adds is that libp2p does what it is told within the time in which
 * it is of use.
 */

import '../nodeCompatibility.js'

import type { Connection, ConnectionGater, PeerId } from '@libp2p/interface'
import { isDropped } from '../../base/drops.js'
import { lookAround } from './acquaintances.js'
import { DeadPeers } from './deadPeers.js'
import { Dht } from './dht.js'
import { Gossip, type GossipTopic } from './gossip.js'
import { peerIdOfIdentity } from './identity.js'
import { IdleConnections, KNOCKED_MS } from './idleConnections.js'
import { Knocking } from './knock.js'
import { KnownNodes } from './knownNodes.js'
import { closeIfDead } from './liveness.js'
import { lookUp } from './lookUp.js'
import { addressedIp, relayIdOf } from './multiaddrs.js'
import { makeNode } from './node.js'
import type { MeshOptions } from './options.js'
import { publish } from './publish.js'
import { RecordStore } from './recordStore.js'
import { circuitsAsDialled, keepRelays, reservedAt } from './relays.js'
import { closeFormerConnections } from './returns.js'
import { Servers } from './servers.js'
import type { MeshState } from './state.js'

export interface Mesh {
  /** Our libp2p identity: a raw Ed25519 public key of 32 bytes. */
  readonly identity: Uint8Array
  readonly peerId: string
  /**
   * Listens, and connects to the known nodes; neither waits for nor fails on one that is down. Nothing is called back
   * before this is called. Rejects where a port is in use. May be called once.
   */
  start(): Promise<void>
  state(): MeshState
  /**
   * Stores a record in the DHT; resolves to how many nodes acknowledged it, which may be none, without waiting long for
   * the last ones, which get it all the same. Waits for a first server. Rejects where the record is not valid, or the signal aborts before there is a server.
   */
  publish(key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<number>
  /**
   * Yields each valid record under the key as it arrives, not only the newest. Waits for a first server. Throws where
   * the signal aborts before there is one; after that, an abort ends it.
   */
  lookUp(key: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array>
  /**
   * Sends a knock and resolves to its answer. `multiaddrs` are tried all at once, with or without a final `/p2p/`.
   * Rejects where there is no answer within ten seconds.
   */
  knock(
    to: { readonly identity: Uint8Array; readonly multiaddrs: readonly string[] },
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array>
  /**
   * Gossips a sealed record or knock; resolves to how many neighbours it was sent to. A record that nobody hears is
   * kept, and sent when somebody does. Rejects where it is of a wrong length, or the record is not valid.
   */
  gossip(topic: GossipTopic, bytes: Uint8Array): Promise<number>
  /**
   * The machine's addresses or its ways out changed; `has` says of an address whether it is the machine's now.
   * Connections from addresses that are gone are closed at once; of the others those that we dialled are asked whether
   * they live. Nodes to which we want a connection are dialled without the pause that they had come to.
   */
  networkChanged(has: (ip: string) => boolean): void
  /** Closes all connections and sockets. */
  stop(): Promise<void>
}

/** How many connections are left open without a reason. */
const SPARED_CONNECTIONS = { serving: 12, other: 4 }

/** Makes a node. Rejects where an option is malformed (a TypeError that names it). */
export async function makeMesh(options: MeshOptions): Promise<Mesh> {
  const { network, judge, log, onDrop } = options
  let running = false
  const stopped = new AbortController()
  const onChange = () => {
    if (running) options.onChange(state())
  }
  const store = new RecordStore(judge, onDrop)
  const deadPeers = new DeadPeers()
  const servers = new Servers(network, onChange)
  const knocking = new Knocking(network, options.onKnock, onDrop, () => servers.connected)
  const knownNodes = new KnownNodes(options.bootstrap, (connection) => servers.greet(connection), onChange)

  const gossip =
    options.gossip === undefined || options.gossip.limit === 0
      ? undefined
      : new Gossip(network, options.gossip, onDrop, onChange, log)

  const { mayDial } = options
  const refuses = (peer: PeerId) => gossip?.refuses(peer) ?? false
  const gater = {
    denyDialPeer: (peer) => refuses(peer) || (deadPeers.has(peer) && !knownNodes.has(peer.toString())),
    denyInboundEncryptedConnection: refuses,
    denyDialMultiaddr: (address) => {
      const ip = addressedIp(address)
      return mayDial !== undefined && ip !== undefined && !mayDial(ip)
    },
  } satisfies ConnectionGater

  const { libp2p, parts, kadDht, sockets, ping } = await makeNode(options, store, gater, onDrop, gossip)
  const self = libp2p.peerId
  if (self.type !== 'Ed25519') throw new TypeError('the identity is not an Ed25519 key')
  const dht = new Dht(kadDht, parts, () => servers.connected, {
    onUse: (peer) => idleConnections.use(peer),
    onUnreachable: (peer) => {
      log.debug({ peer: peer.toString() }, 'a node of the DHT could not be reached')
      deadPeers.add(peer)
    },
    onForgiven: (peer) => deadPeers.forgive(peer),
    onSilent: (peer) => {
      for (const connection of libp2p.getConnections(peer)) void closeIfDead(connection, ping)
    },
  })
  const idleConnections = new IdleConnections(
    () => libp2p.getConnections(),
    (peerId) => knownNodes.has(peerId) || reservedAt(libp2p.getMultiaddrs()).has(peerId),
    options.serves ? SPARED_CONNECTIONS.serving : SPARED_CONNECTIONS.other,
  )

  const state = (): MeshState => {
    const connections = libp2p.getConnections()
    const connected = new Set(connections.map(({ remotePeer }) => remotePeer.toString()))
    const ips = ipsOf(connections)
    // A circuit address outlives its relay's connection if that closes in the midst of a reservation.
    const addresses = libp2p.getMultiaddrs().filter((address) => {
      const relay = relayIdOf(address)
      return relay === undefined || connected.has(relay)
    })
    return {
      addresses: [...circuitsAsDialled(addresses, connections, self), ...addresses.map(String)],
      servers: servers.answers.map((server) => ({ ...server, ip: ips.get(server.peerId) })),
      bootstrap: knownNodes.state,
      reservations: reservedAt(addresses).size,
      connections: connections.length,
      gossips: gossip?.isHeard ?? false,
      routingTable: dht.routingTableSize,
      storedRecords: store.recordCount,
    }
  }

  deadPeers.start(parts)
  if (options.serves) closeFormerConnections(parts, ping)
  keepRelays(parts, () => libp2p.getMultiaddrs(), knownNodes)
  parts.events.addEventListener('transport:listening', onChange)
  parts.events.addEventListener('transport:close', onChange)
  return {
    identity: self.publicKey.raw,
    peerId: self.toString(),

    state,

    async start() {
      await servers.start(parts, options.serves ? options.services : undefined)
      await knocking.start(parts)
      await gossip?.start(parts)
      await libp2p.start()
      running = true
      gossip?.join()
      knownNodes.start(parts)
      idleConnections.start()
      const untilConnected = (signal: AbortSignal) => servers.untilConnected(signal)
      lookAround(dht, self, options.serves, untilConnected, stopped.signal).catch(() => {})
      log.info({ peerId: self.toString(), network, serves: options.serves }, 'the mesh node has started')
    },

    async publish(key, value, signal) {
      const verdict = judge(key, value)
      if (isDropped(verdict)) throw new Error(`our own record is not valid: ${verdict.dropped}`)
      if (options.serves) store.keep(key, value)
      await servers.untilConnected(signal)
      return publish(dht, self, key, value, signal)
    },

    async *lookUp(key, signal) {
      const ownCopy = await store.kept(key)
      if (ownCopy === undefined) await servers.untilConnected(signal)
      yield* lookUp(dht, self, judge, key, ownCopy, onDrop, signal)
    },

    async knock({ identity, multiaddrs }, bytes, signal) {
      const peer = peerIdOfIdentity(identity)
      idleConnections.use(peer, KNOCKED_MS)
      return knocking.knock(parts, peer, multiaddrs, bytes, signal)
    },

    gossip: async (topic, bytes) => (await gossip?.publish(topic, bytes)) ?? 0,

    networkChanged(has) {
      if (!running) return
      const closed = sockets.closeAllBut(has)
      log.debug({ closed }, 'the network changed')
      deadPeers.clear()
      knownNodes.networkChanged()
      // Those that were dialled to us are doubted at their other ends; relayed ones end with those that carry them.
      for (const connection of libp2p.getConnections())
        if (connection.direction === 'outbound' && connection.limits === undefined)
          void closeIfDead(connection, ping)
    },

    async stop() {
      running = false
      knownNodes.stop()
      stopped.abort()
      idleConnections.stop()
      await libp2p.stop()
    },
  }
}

/**
 * The address at which each directly connected node answers, or else from which it came. A relayed connection has none:
 * its address is the relay's.
 */
function ipsOf(connections: readonly Connection[]): ReadonlyMap<string, string> {
  const ips = new Map<string, string>()
  const direct = connections.filter(({ limits }) => limits === undefined)
  for (const { remotePeer, remoteAddr, direction } of direct) {
    const [peer, ip] = [remotePeer.toString(), addressedIp(remoteAddr)]
    if (ip !== undefined && (direction === 'outbound' || !ips.has(peer))) ips.set(peer, ip)
  }
  return ips
}
