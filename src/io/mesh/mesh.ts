/**
 * The mesh: one libp2p node, the DHT of records, and our own protocols. It decides nothing: when to publish, whom to
 * look up and to knock comes from the engine. What it adds is that libp2p does what it is told within the time in which
 * it is of use.
 */

import '../nodeCompatibility.js'

import type { Connection, ConnectionGater } from '@libp2p/interface'
import { isDropped } from '../../base/drops.js'
import { listeningPorts, ownAddresses, tellAddresses } from './announced.js'
import { DeadPeers } from './deadPeers.js'
import { Dht } from './dht.js'
import { DialBack } from './dialBack.js'
import { Heartbeat } from './heartbeat.js'
import { peerIdOfIdentity } from './identity.js'
import { Knocking } from './knock.js'
import { KnownNodes } from './knownNodes.js'
import { closeIfDead } from './liveness.js'
import { lookUp } from './lookUp.js'
import { addressedIp } from './multiaddrs.js'
import { MAX_CONNECTIONS, makeNode } from './node.js'
import type { MeshOptions } from './options.js'
import { publish } from './publish.js'
import { type Probe, Reachability } from './reachability.js'
import { RecordStore } from './recordStore.js'
import { Relays } from './relays.js'
import { closeFormerConnections } from './returns.js'
import { Servers } from './servers.js'
import type { MeshState } from './state.js'

/** How many nodes of the DHT are looked through for further relays. */
const MAX_NODES_TO_SEARCH = 64

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
   * The machine's addresses or its ways out changed; `has` says of an address whether it is the machine's now.
   * Connections from addresses that are gone are closed at once; of the others those that we dialled are asked whether
   * they live. Nodes to which we want a connection are dialled without the pause that they had come to.
   */
  networkChanged(has: (ip: string) => boolean): void
  /**
   * Begins to serve the mesh, or stops: the DHT's server, the circuit relay, dialling others back; a node that serves holds no
   * reservations. Those who are connected are told. Resolves when it is done; the latest call holds.
   */
  setServing(serves: boolean): Promise<void>
  /** Has another node dial us back. Never rejects. */
  probeReachability(signal: AbortSignal): Promise<Probe>
  /** Closes all connections and sockets. */
  stop(): Promise<void>
}

/** Makes a node. Rejects where an option is malformed (a TypeError that names it). */
export async function makeMesh(options: MeshOptions): Promise<Mesh> {
  const { network, judge, log, onDrop } = options
  let running = false
  let { serves } = options
  const onChange = () => {
    if (!running) return
    options.onChange(state())
  }
  const store = new RecordStore(judge, onDrop)
  const deadPeers = new DeadPeers()
  const onServers = () => {
    relays.review()
    onChange()
  }
  const servers = new Servers(network, onServers, (peer) => {
    relays.retired(peer)
    dht.forget(peer).catch(() => {})
  })
  const knocking = new Knocking(network, options.onKnock, onDrop, () => servers.connected)
  const knownNodes = new KnownNodes(options.bootstrap, (connection) => servers.greet(connection), onChange)

  const { mayDial } = options
  const gater = {
    denyDialPeer: (peer) => deadPeers.has(peer) && !knownNodes.has(peer.toString()),
    denyDialMultiaddr: (address) => {
      const ip = addressedIp(address)
      return mayDial !== undefined && ip !== undefined && !mayDial(ip)
    },
  } satisfies ConnectionGater

  const addresses = () => ownAddresses(parts, options.announces, reachability.reachedAt, relays.circuits)
  const node = await makeNode(options, store, gater, addresses, onDrop)
  const { libp2p, parts, kadDht, relayServer, sockets, ping } = node
  const self = libp2p.peerId
  if (self.type !== 'Ed25519') throw new TypeError('the identity is not an Ed25519 key')
  const dht = new Dht(
    kadDht,
    parts,
    () => servers.connected,
    (peer) => {
      log.debug({ peer: peer.toString() }, 'a node of the DHT could not be reached')
      deadPeers.add(peer)
    },
  )

  const onAddresses = () => {
    if (running)
      tellAddresses(parts).catch((err: unknown) => log.debug({ err }, 'could not tell our addresses'))
    onChange()
  }
  const nodes = () => dht.someNodes(self, MAX_NODES_TO_SEARCH)
  const relays = new Relays(parts, servers, knownNodes, nodes, onAddresses, onDrop)
  const heartbeat = new Heartbeat(
    parts,
    (peer) => relays.has(peer),
    (peer, isSuspect) => relays.suspect(peer, isSuspect),
    ping,
  )
  const dialBack = new DialBack(network, servers, onDrop)
  const reachability = new Reachability(network, servers, onDrop, onAddresses)

  const state = (): MeshState => {
    const connections = libp2p.getConnections()
    const ips = ipsOf(connections)
    return {
      serves,
      addresses: running ? addresses().map(String) : [],
      servers: servers.answers.map((server) => ({ ...server, ip: ips.get(server.peerId) })),
      bootstrap: knownNodes.state,
      reservations: relays.count,
      connections: connections.length,
      routingTable: dht.routingTableSize,
      storedRecords: store.recordCount,
    }
  }

  /** What differs by role, but for the DHT, which libp2p sets up as it starts. */
  const takeRole = async () => {
    parts.connectionManager.setMaxConnections(serves ? MAX_CONNECTIONS.serving : MAX_CONNECTIONS.other)
    if (!serves) await servers.offer(parts, undefined)
    await relayServer.setServing(serves)
    await dialBack.setServing(parts, serves)
    // Last: who hears of it may use all the rest.
    if (serves) await servers.offer(parts, options.services)
  }
  let switching = Promise.resolve()

  deadPeers.start(parts)
  closeFormerConnections(parts, () => serves, ping)
  parts.events.addEventListener('transport:listening', onChange)
  parts.events.addEventListener('transport:close', onChange)
  return {
    identity: self.publicKey.raw,
    peerId: self.toString(),

    state,

    async start() {
      await servers.start(parts)
      await takeRole()
      await knocking.start(parts)
      await libp2p.start()
      running = true
      relays.setActive(!serves)
      heartbeat.start()
      knownNodes.start(parts)
      log.info({ peerId: self.toString(), network, serves }, 'the mesh node has started')
    },

    async publish(key, value, signal) {
      const verdict = judge(key, value)
      if (isDropped(verdict)) throw new Error(`our own record is not valid: ${verdict.dropped}`)
      if (serves) store.keep(key, value)
      await servers.untilConnected(signal)
      return publish(dht, self, key, value, signal)
    },

    async *lookUp(key, signal) {
      const ownCopy = await store.kept(key)
      if (ownCopy === undefined) await servers.untilConnected(signal)
      yield* lookUp(dht, self, judge, key, ownCopy, onDrop, signal)
    },

    async knock({ identity, multiaddrs }, bytes, signal) {
      return knocking.knock(parts, peerIdOfIdentity(identity), multiaddrs, bytes, signal)
    },

    networkChanged(has) {
      if (!running) return
      const closed = sockets.closeAllBut(has)
      log.debug({ closed }, 'the network changed')
      deadPeers.clear()
      knownNodes.networkChanged()
      reachability.forget()
      // Those that were dialled to us are doubted at their other ends; relayed ones end with those that carry them.
      for (const connection of libp2p.getConnections())
        if (connection.direction === 'outbound' && connection.limits === undefined)
          void closeIfDead(connection, ping)
    },

    setServing(wanted) {
      const done = switching.then(async () => {
        if (wanted === serves || !running) return
        serves = wanted
        await kadDht.setMode(serves ? 'server' : 'client')
        await takeRole()
        relays.setActive(!serves)
        onChange()
        log.info({ serves }, serves ? 'this node serves the mesh now' : 'this node serves the mesh no more')
      })
      switching = done.catch(() => {})
      return done
    },

    probeReachability(signal) {
      return reachability.probe(parts, listeningPorts(parts), signal)
    },

    async stop() {
      running = false
      knownNodes.stop()
      heartbeat.stop()
      relays.setActive(false)
      await switching
      await relayServer.setServing(false)
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
