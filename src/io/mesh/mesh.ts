/**
 * The mesh: one libp2p node, the DHT of records, and our own protocols. It decides nothing: when to publish, whom to
 * look up and to knock comes from the engine. What it adds is that libp2p does what it is told within the time in which
 * it is of use.
 */

import '../nodeCompatibility.js'

import { peerIdFromString } from '@libp2p/peer-id'
import type { SocketAddress } from '../../base/address.js'
import { isDropped } from '../../base/drops.js'
import { SECOND } from '../../base/time.js'
import type { UdpProbeAnswer, UdpProbeRequest } from '../../wire/udpProbe.js'
import { within } from '../deadline.js'
import { PersistentMap } from '../persistentMap.js'
import { lookAround } from './acquaintances.js'
import { outerPorts, ownAddresses, tellAddresses } from './announced.js'
import { DeadPeers } from './deadPeers.js'
import { Dht } from './dht.js'
import { DialBack } from './dialBack.js'
import { Floors, gossipFloors } from './floors.js'
import { FoundNodes } from './foundNodes.js'
import { connectionGater } from './gater.js'
import { Gossip, type GossipTopic } from './gossip.js'
import { Heartbeat } from './heartbeat.js'
import { peerIdOfIdentity } from './identity.js'
import { IdleConnections, KNOCKED_MS } from './idleConnections.js'
import { Knocking } from './knock.js'
import { KnownNodes } from './knownNodes.js'
import { LanNodes } from './lanNodes.js'
import { lanInterfaces, MDNS_PORT } from './lanSocket.js'
import { Libp2pDatastore } from './libp2pDatastore.js'
import { closeIfDead } from './liveness.js'
import { lookUp } from './lookUp.js'
import { systemNames } from './names.js'
import { MAX_CONNECTIONS, makeNode } from './node.js'
import { MAX_REMEMBERED } from './nodeMemory.js'
import type { LanPlace, MeshOptions } from './options.js'
import { Passing } from './passing.js'
import { publish } from './publish.js'
import { type Probe, Reachability } from './reachability.js'
import { OWN, RecordStore } from './recordStore.js'
import { RelayStreams } from './relayStreams.js'
import { Relays } from './relays.js'
import { RememberedNodes } from './rememberedNodes.js'
import { limitRequests, REQUEST_LIMITS } from './requests.js'
import { closeFormerConnections } from './returns.js'
import { Servers } from './servers.js'
import { ipsOf, type MeshState } from './state.js'
import { UdpProbes } from './udpProbe.js'

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
   * the last ones, which get it all the same. Waits for a first server; a node that serves
   * does so for a moment only, and may be the only one. Rejects where the record is not valid, or the signal aborts before there is a server.
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
   * Has a relay that the peer names, and that we are connected to, pass a sealed knock on; resolves to the sealed answer.
   * Rejects soon where there is none, or where we are connected to the peer.
   */
  passKnock(
    to: { readonly identity: Uint8Array; readonly multiaddrs: readonly string[] },
    sealedKnock: Uint8Array,
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
  /** Gateways have opened our TCP port at these addresses: others are told of them, and probes ask for them. */
  setMapped(addresses: readonly SocketAddress[]): void
  /**
   * Begins to serve the mesh, or stops: the DHT's server, the circuit relay, dialling others back; a node that serves holds no
   * reservations. Those who are connected are told. Resolves when it is done; the latest call holds.
   */
  setServing(serves: boolean): Promise<void>
  /**
   * Opens a stream that stands in for UDP towards a relay, by its identity; resolves to its number. Rejects where it
   * cannot be reached directly, or the node has no handlers for them; a node that takes none closes it soon.
   */
  openRelayStream(relay: Uint8Array): Promise<number>
  /** Sends a datagram to a port of the relay, or at the relay back through a stream; what cannot be sent is lost. */
  sendThroughStream(stream: number, port: number, datagram: Uint8Array): void
  closeRelayStream(stream: number): void
  /** Has another node dial us back. Never rejects. */
  probeReachability(signal: AbortSignal): Promise<Probe>
  /**
   * Has a connected server send us a UDP datagram. Rejects where there is no direct connection to it at the address
   * named, or no answer.
   */
  askUdpProbe(server: string, request: UdpProbeRequest, signal: AbortSignal): Promise<UdpProbeAnswer>
  /** Closes all connections and sockets. */
  stop(): Promise<void>
}

/** A node that serves and is connected to no other server in this time does without, in ms. */
const ALONE_AFTER_MS = 2_000
/** How many connections are left open without a reason. */
const SPARED_CONNECTIONS = { serving: 12, other: 4 }

/** Makes a node. Rejects where an option is malformed (a TypeError that names it). */
export async function makeMesh(options: MeshOptions): Promise<Mesh> {
  const { network, judge, log, onDrop } = options
  let running = false
  let mapped: readonly SocketAddress[] = []
  let { serves } = options
  const stopped = new AbortController()
  const onChange = () => {
    if (!running) return
    options.onChange(state())
  }
  const { datastore = new PersistentMap() } = options
  const floors = new Floors(datastore)
  const store = new RecordStore(judge, floors, datastore)
  const deadPeers = new DeadPeers()
  const onServers = () => {
    relays.review()
    foundNodes.serversChanged()
    onChange()
  }
  const servers = new Servers(network, onServers, (peer) => {
    relays.retired(peer)
    dht.forget(peer).catch(() => {})
  })
  const passing = new Passing(network, options.onSealedKnock, onDrop, () => servers.connected)
  const knocking = new Knocking(network, options.onKnock, onDrop, () => servers.connected)
  const knownNodes = new KnownNodes(
    options.bootstrap,
    (connection) => servers.greet(connection),
    onChange,
    options.names ?? systemNames,
  )
  const remembered = new RememberedNodes(options.nodeMemory, options, log)

  const gossip =
    options.gossip === undefined || options.gossip.limit === 0
      ? undefined
      : new Gossip(network, options.gossip, gossipFloors(floors), onDrop, onChange, log)

  const relayStreams =
    options.relayStreams === undefined ? undefined : new RelayStreams(network, options.relayStreams)

  const maxConnections = () => (serves ? MAX_CONNECTIONS.serving : MAX_CONNECTIONS.other)
  const gater = connectionGater({
    refuses: (peer) => gossip?.refuses(peer) ?? false,
    isDead: (peer) => deadPeers.has(peer) && !knownNodes.has(peer.toString()),
    countTo: (ip) => sockets.countTo(ip),
    maxConnections,
    onReservation: (peer) => relayServer.release(peer),
    mayDial: options.mayDial,
  })

  const addresses = () =>
    ownAddresses(parts, options.announces, mapped, reachability.reachedAt, relays.circuits)
  const node = await makeNode(options, new Libp2pDatastore(store), gater, addresses, onDrop, gossip)
  const { libp2p, parts, kadDht, relayServer, sockets, ping } = node
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
    (peerId) =>
      knownNodes.has(peerId) ||
      foundNodes.wants(peerId) ||
      relays.has(peerIdFromString(peerId)) ||
      (relayStreams?.isOpenTo(peerId) ?? false),
    () => (serves ? SPARED_CONNECTIONS.serving : SPARED_CONNECTIONS.other),
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
  const udpProbes = new UdpProbes(network, options.udpProbes, onDrop)
  const reachability = new Reachability(network, servers, onDrop, onAddresses)
  const foundNodes = new FoundNodes({
    remembered,
    servers,
    known: knownNodes,
    lan: () => lanNodes?.nodes ?? [],
    routingTable: () => dht.nodesNear(self, MAX_REMEMBERED),
    log,
  })

  const lanNodes =
    options.lan === undefined || options.lan === false
      ? undefined
      : new LanNodes({
          network,
          networkKey: options.networkKey,
          self: self.toString(),
          ...(options.lan === true ? everyLan(options.announces) : options.lan),
          ownAddresses: addresses,
          isConnected: (id) => libp2p.getConnections(peerIdFromString(id)).length > 0,
          onFound: (id) => foundNodes.moved(id),
          onDrop,
          log,
        })

  const state = (): MeshState => {
    const connections = libp2p.getConnections()
    const ips = ipsOf(connections)
    return {
      serves,
      addresses: running ? addresses().map(String) : [],
      servers: servers.answers.map((server) => ({ ...server, ip: ips.get(server.peerId) })),
      bootstrap: knownNodes.state,
      reservations: relays.count,
      remembered: remembered.nodes.length,
      lan: lanNodes?.nodes.length ?? 0,
      connections: connections.length,
      gossips: gossip?.isHeard ?? false,
      routingTable: dht.routingTableSize,
      storedRecords: store.size,
    }
  }

  /** What differs by role, but for the DHT, which libp2p sets up as it starts. */
  const takeRole = async () => {
    parts.connectionManager.setMaxConnections(maxConnections())
    if (!serves) await servers.offer(parts, undefined)
    await relayServer.setServing(serves)
    await dialBack.setServing(parts, serves)
    await passing.setServing(parts, serves)
    await relayStreams?.setServing(parts, serves)
    await udpProbes.setServing(parts, serves && options.udpProbes !== undefined)
    // Last: who hears of it may use all the rest.
    if (serves) await servers.offer(parts, options.services)
  }
  let switching = Promise.resolve()
  /** One that serves can be the only one: what it stores itself is all that there is. */
  const untilServed = async (signal: AbortSignal): Promise<void> => {
    if (!serves) return servers.untilConnected(signal)
    await servers.untilConnected(within(ALONE_AFTER_MS, signal)).catch(() => signal.throwIfAborted())
  }

  const begin = async () => {
    await store.load()
    await servers.start(parts)
    await takeRole()
    await knocking.start(parts)
    await passing.start(parts)
    await gossip?.start(parts)
    await remembered.load()
    await libp2p.start()
    if (stopped.signal.aborted) return
    running = true
    relays.setActive(!serves)
    heartbeat.start()
    gossip?.join()
    knownNodes.start(parts)
    foundNodes.start(parts)
    lanNodes?.start()
    if (knownNodes.given === 0 && remembered.nodes.length === 0) tellOfNoNode(options)
    log.info({ peerId: self.toString(), network, serves }, 'the mesh node has started')
    idleConnections.start()
    const untilConnected = (signal: AbortSignal) => servers.untilConnected(signal)
    lookAround(dht, self, () => serves, untilConnected, stopped.signal).catch(() => {})
  }

  limitRequests(kadDht, store, parts, options.requestLimits ?? REQUEST_LIMITS, onDrop)
  deadPeers.start(parts)
  closeFormerConnections(parts, () => serves, ping)
  parts.events.addEventListener('transport:listening', onChange)
  parts.events.addEventListener('transport:close', onChange)
  return {
    identity: self.publicKey.raw,
    peerId: self.toString(),

    state,

    start() {
      const started = begin()
      // Roles that are set meanwhile, and a stop, come after it.
      switching = started.catch(() => {})
      return started
    },

    async publish(key, value, signal) {
      const verdict = judge(key, value)
      if (isDropped(verdict)) throw new Error(`our own record is not valid: ${verdict.dropped}`)
      const refused = serves ? store.deliver(key, value, OWN) : undefined
      if (refused !== undefined) throw new Error(`our own record is not stored: ${refused.dropped}`)
      await untilServed(signal)
      return publish(dht, self, key, value, signal)
    },

    async *lookUp(key, signal) {
      const ownCopy = store.get(key)
      if (ownCopy === undefined) await untilServed(signal)
      yield* lookUp(dht, self, judge, key, ownCopy, onDrop, signal)
    },

    async knock({ identity, multiaddrs }, bytes, signal) {
      const peer = peerIdOfIdentity(identity)
      idleConnections.use(peer, KNOCKED_MS)
      return knocking.knock(parts, peer, multiaddrs, bytes, AbortSignal.any([signal, stopped.signal]))
    },

    passKnock: async ({ identity, multiaddrs }, sealedKnock, signal) =>
      passing.knock(
        parts,
        peerIdOfIdentity(identity),
        multiaddrs,
        sealedKnock,
        AbortSignal.any([signal, stopped.signal]),
      ),

    gossip: async (topic, bytes) => (await gossip?.publish(topic, bytes)) ?? 0,

    networkChanged(has) {
      if (!running) return
      const closed = sockets.closeAllBut(has)
      log.debug({ closed }, 'the network changed')
      deadPeers.clear()
      knownNodes.networkChanged()
      reachability.forget()
      foundNodes.networkChanged()
      lanNodes?.networkChanged()
      // Those that were dialled to us are doubted at their other ends; relayed ones end with those that carry them.
      for (const connection of libp2p.getConnections())
        if (connection.direction === 'outbound' && connection.limits === undefined)
          void closeIfDead(connection, ping)
    },

    setServing(wanted) {
      const done = switching.then(async () => {
        if (wanted === serves || !running || stopped.signal.aborted) return
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

    async openRelayStream(relay) {
      if (relayStreams === undefined) throw new Error('this node opens no streams for datagrams')
      return relayStreams.open(parts, peerIdOfIdentity(relay))
    },

    sendThroughStream: (stream, port, datagram) => relayStreams?.send(stream, port, datagram),

    closeRelayStream: (stream) => relayStreams?.close(stream),

    probeReachability(signal) {
      return reachability.probe(parts, outerPorts(parts, mapped), signal)
    },

    setMapped(addresses) {
      mapped = addresses
      onAddresses()
    },

    askUdpProbe: (server, request, signal) => udpProbes.ask(parts, server, request, signal),

    async stop() {
      // libp2p waits for connections to close by timers that keep no process alive: without one that does, a program that
      // has nothing else to do would end in the middle.
      const awake = setInterval(() => {}, SECOND)
      try {
        running = false
        stopped.abort()
        await switching
        knownNodes.stop()
        heartbeat.stop()
        relays.setActive(false)
        await relayServer.setServing(false)
        await dialBack.setServing(parts, false)
        await passing.setServing(parts, false)
        await relayStreams?.setServing(parts, false)
        relayStreams?.stop()
        await udpProbes.setServing(parts, false)
        lanNodes?.stop()
        await foundNodes.stop()
        idleConnections.stop()
        await libp2p.stop()
        sockets.close()
      } finally {
        clearInterval(awake)
      }
    },
  }
}

/** Mdns on all LANs of this machine, but for devices whose addresses are not announced: tunnels. */
function everyLan(announces: MeshOptions['announces']): LanPlace {
  return { port: MDNS_PORT, interfaces: () => lanInterfaces(announces ?? (() => true)) }
}

/** Nothing is known to dial. For the first node of a mesh that is as it should be. */
function tellOfNoNode({ serves, lan, log }: MeshOptions): void {
  const level = serves ? 'info' : 'warn'
  const where = lan === undefined || lan === false ? '' : 'nodes on the LAN, or '
  log[level](
    {},
    `no other node is known (--bootstrap names one): waiting for ${where}one that connects to us`,
  )
}
