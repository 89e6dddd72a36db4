/**
 * What a node with and one without a WireGuard interface have in common: sockets, the mesh, the engine, and the loop that
 * connects them.
 *
 *   ip ────► machine ──┐                        ┌─► shared sockets
 *   libp2p ► mesh ─────┼─► EngineLoop (engine) ─┼─► libp2p: look-ups, knocks, publications
 *   wg ────► (up.ts) ──┘                        └─► loopback sockets, (up.ts) wg set … endpoint
 *
 * The engine and the loop are there first, because everything else calls back into them.
 */

import { multiaddr } from '@multiformats/multiaddr'
import type { SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { elapsed, SECOND } from '../base/time.js'
import { VERSION } from '../base/version.js'
import { identityKeys } from '../crypto/identity.js'
import { mappingNonce } from '../crypto/mappingNonce.js'
import type { NodeKeys } from '../crypto/nodeKeys.js'
import { membershipKey } from '../crypto/relayGrant.js'
import { recordSealing } from '../crypto/sealedRecord.js'
import { admitSealedRecord, admitStoredRecord } from '../engine/directory/admission.js'
import type { Input } from '../engine/inputs.js'
import { Node } from '../engine/node.js'
import type { PunchLimits } from '../engine/path/punchLimits.js'
import { leavesByTunnel } from '../engine/path/reachability.js'
import { relayQuotas } from '../engine/relay/quotas.js'
import type { RoleOption } from '../engine/role.js'
import type { Explanation } from '../engine/why.js'
import { localAddresses, ownAddresses } from '../io/localAddresses.js'
import { canUseLoopbackRange } from '../io/loopbackSockets.js'
import { identityOfSeed, peerIdOfIdentity } from '../io/mesh/identity.js'
import { addressedIp } from '../io/mesh/multiaddrs.js'
import { noMesh } from '../io/mesh/noMesh.js'
import type { MeshOptions } from '../io/mesh/options.js'
import type { MeshState } from '../io/mesh/state.js'
import { NodeMemory } from '../io/nodeMemory.js'
import { PeerMemory } from '../io/peerMemory.js'
import type { PersistentMap } from '../io/persistentMap.js'
import { mappingClients, PortMapper, RELEASE_MS } from '../io/portMapping/portMapper.js'
import { socketOptionsAvailable } from '../io/socketOptions.js'
import { now } from '../io/systemClock.js'
import { systemRandom } from '../io/systemRandom.js'
import { isPublishable } from '../wire/publishedAddress.js'
import { SEALED_KNOCK_LENGTH } from '../wire/sealedKnock.js'
import { SEALED_RECORD_LENGTH } from '../wire/sealedRecord.js'
import { encodeServices } from '../wire/services.js'
import { BootstrapLog } from './bootstrapLog.js'
import type { NodeConfig } from './config.js'
import { serveControl } from './control.js'
import { EngineLoop } from './engineLoop.js'
import { bootstrapStatus, engineStatus } from './engineStatus.js'
import { KnockDesk } from './knockDesk.js'
import type { Logger } from './logger.js'
import { Machine } from './machine.js'
import { MeshErrands } from './meshErrands.js'
import { NamedReflectors } from './namedReflectors.js'
import { NameErrands } from './nameErrands.js'
import { readNetworkKey } from './networkKey.js'
import { rankOwnMultiaddrs } from './ownMultiaddrs.js'
import { checkFurtherPorts, chooseListenPort, loopbackPort } from './ports.js'
import { RecentServers } from './recentServers.js'
import { reflectorsToAsk, reflectorsToTell, relaysToAsk, witnessesOf } from './reflectors.js'
import { resolve } from './resolve.js'
import { controlSocketPath } from './runDirectory.js'
import type { HostPort } from './settingReaders.js'
import type { StateFile } from './state.js'
import type { ResolvedRecord, Status } from './status.js'
import { Tunnels } from './tunnels.js'
import { udpProbersOf, udpProbeSockets } from './udpProbes.js'
import type { Undo } from './undo.js'
import { wildcards } from './wildcards.js'

/** What libp2p is given to close its connections. */
const MESH_STOP_MS = 3 * SECOND

export interface MeshNodeOptions {
  readonly config: NodeConfig
  readonly keys: NodeKeys
  readonly state: StateFile
  readonly datastore: PersistentMap
  /** Whether it serves the mesh, or finds out for itself. */
  readonly role: RoleOption
  /** WireGuard's mark, which our own traffic carries as well; 0 for none. */
  readonly fwMark: number
  /** Reflectors besides those of the mesh. */
  readonly stun: readonly HostPort[]
  /** What boring holes may cost; a node without an interface bores none. */
  readonly punching?: PunchLimits
  /** What there is beside an interface; undefined for a node without one. */
  readonly wireguard:
    | {
        readonly interface: string
        readonly listenPort: number
        /** Those that it has at the start. */
        readonly peers: readonly PublicKey[]
        readonly formerEndpoints: ReadonlyMap<PublicKey, SocketAddress | undefined>
        readonly setEndpoint: (peer: PublicKey, endpoint: SocketAddress) => void
        /** Where peers are, by a name or an address that the user gave. */
        readonly named: ReadonlyMap<PublicKey, HostPort>
      }
    | undefined
  readonly log: Logger
}

/** What every status says, with or without an interface. */
export type CommonStatus = Omit<Status, 'interface' | 'publicKey' | 'mtu' | 'warnings' | 'peers'>

export interface MeshNode {
  readonly loop: EngineLoop
  readonly engine: Node
  readonly port: number
  readonly peerId: string
  status(): CommonStatus
  resolve(peer: PublicKey, signal: AbortSignal): Promise<ResolvedRecord | undefined>
  why(peer: PublicKey): Explanation | undefined
}

interface Answers {
  readonly status: () => Status
  readonly resolve: MeshNode['resolve']
  readonly why: (peer: PublicKey) => Explanation | undefined
}

/** Takes the control socket, which is also the lock against a second node of this name. Answers once `ready` was called. */
export async function takeControl(
  config: NodeConfig,
  name: string,
  undo: Undo,
): Promise<(answers: Answers) => void> {
  let makeReady: (handlers: Answers) => void = () => undefined
  const ready = new Promise<Answers>((resolve) => {
    makeReady = resolve
  })
  const control = await serveControl(controlSocketPath(config.runDir, name), {
    status: async () => (await ready).status(),
    resolve: async (key, signal) => (await ready).resolve(key, signal),
    why: async (key) => (await ready).why(key),
  })
  undo.push(() => control.close())
  return makeReady
}

/** Builds everything, opens the ports, reads the machine's network and joins the mesh. */
export async function startMeshNode(options: MeshNodeOptions, undo: Undo): Promise<MeshNode> {
  const { config, keys, state, datastore, role, fwMark, wireguard, log } = options
  const { relay } = config
  const startedAt = now()
  const networkKey =
    config.networkKeyFile === undefined ? undefined : await readNetworkKey(config.networkKeyFile)
  if (networkKey === undefined && config.mesh) {
    log.warn('the mesh is open: whoever knows a node of it can join; close it with --network-key')
  }
  const tunnels = new Tunnels(wireguard?.interface, log)
  const style = canUseLoopbackRange() ? 'range' : 'ports'
  const port = await choosePort(config, state, tunnels, style === 'range' ? '127.0.0.1' : '::1')

  const further = config.alsoListen.filter((each) => each !== port)
  await checkFurtherPorts(further)

  const identity = await identityOfSeed(keys.identitySeed())
  const sealing = recordSealing(keys, config.network)
  const memory = new PeerMemory(datastore)
  memory.keepOnly(wireguard?.peers ?? [])
  const engine = new Node(
    {
      keys,
      identity,
      identityKeys: identityKeys(keys.identitySeed()),
      random: systemRandom,
      loopback: { style, port: loopbackPort(port) },
      formerEndpoints: wireguard?.formerEndpoints ?? new Map(),
      named: wireguard?.named ?? new Map(),
      hasMesh: config.mesh,
      role: config.mesh ? role : 'client',
      sealing,
      lastSequence: state.state.sequence,
      remembered: memory.all(),
      ...(networkKey === undefined ? {} : { membership: membershipKey(networkKey) }),
      ...(relay === undefined ? {} : { relay: relayQuotas(relay.sessions, relay.bytesPerSecond) }),
      ...(options.punching === undefined ? {} : { punching: options.punching }),
      portMapping: config.portMapping ? { nonce: mappingNonce(keys.identitySeed()) } : undefined,
    },
    startedAt,
  )
  const loop = new EngineLoop(
    engine,
    {
      port,
      mark: fwMark,
      wireguardPort: wireguard?.listenPort,
      relayPorts: relay?.ports,
      carrier: {
        open: (to) => mesh.openRelayStream(to),
        send: (stream, at, bytes) => mesh.sendThroughStream(stream, at, bytes),
        close: (stream) => mesh.closeRelayStream(stream),
      },
    },
    log,
  )
  const knocks = new KnockDesk()
  let hasJoined = false
  const onMachine = (input: Input): void => {
    loop.handle(input)
    // What libp2p tells of our addresses depends on the sockets.
    if (hasJoined && input.type === 'sockets-changed') meshChanged(mesh.state())
  }
  let networkChanged = false
  const onNetworkChanged = (): void => {
    if (hasJoined) mesh.networkChanged(ownAddresses())
    else networkChanged = true
  }
  const machine = new Machine(loop.shared, tunnels, onMachine, onNetworkChanged, log, () =>
    loop.streams.sockets(),
  )
  const bootstrapLog = new BootstrapLog(log)
  const recent = new RecentServers()
  const peerId = peerIdOfIdentity(identity).toString()

  const meshChanged = ({ serves, servers, addresses, bootstrap, gossips }: MeshState): void => {
    bootstrapLog.tell(bootstrapStatus(bootstrap))
    // A node without an interface has no record of its own, and nobody to find.
    if (wireguard === undefined) return
    const multiaddrs = addresses.map((address) => withoutIdentity(address, peerId))
    const asked = recent.connected(servers)
    loop.handle({
      type: 'mesh-changed',
      // The only server of a mesh has itself to publish to, and what others store there.
      connected: servers.length > 0 || serves,
      multiaddrs: rankOwnMultiaddrs(multiaddrs, serves),
      reflectors: reflectorsToAsk(asked, stun.addresses, (reason) => engine.drop(reason)),
      relays: relaysToAsk(asked),
      witnesses: witnessesOf(asked),
      gossips,
      udpProbers: udpProbersOf(servers),
    })
  }

  const given = new Set(config.bootstrap.map((text) => addressedIp(multiaddr(text))))
  const meshOptions: MeshOptions = {
    network: config.network,
    identitySeed: keys.identitySeed(),
    listen: [port, ...further].flatMap((each) => wildcards().map((ip) => ({ ip, port: each }))),
    announces: (ip) => loop.shared.sockets().some(({ address }) => address.ip === ip),
    bootstrap: config.bootstrap,
    serves: role === 'serves',
    nodeMemory: new NodeMemory(datastore),
    lan: config.lan,
    ...(networkKey === undefined ? {} : { networkKey }),
    datastore,
    judge: (key, value) => admitStoredRecord(key, value, now().unix),
    gossip: {
      judge: (bytes) => admitSealedRecord(bytes, now().unix),
      recordLength: SEALED_RECORD_LENGTH,
      knockLength: SEALED_KNOCK_LENGTH,
      // A node without an interface passes on what others gossip, and has no use for it.
      onRecord: (sealedRecord) => {
        if (wireguard !== undefined) loop.handle({ type: 'record-gossiped', sealedRecord })
      },
      onKnock: (sealedKnock) => {
        if (wireguard !== undefined) loop.handle({ type: 'knock-gossiped', sealedKnock })
      },
      limit: config.gossipLimit,
    },
    services: () => {
      const reflectors = reflectorsToTell(loop.shared.sharedAddresses())
      const offer = engine.relayOffer(now())
      return encodeServices({ version: 1, reflectors, ...(offer === undefined ? {} : { relay: offer }) })
    },
    onKnock: ({ from, bytes }) =>
      knocks.ask((id) => loop.handle({ type: 'knock-received', id, from, knock: bytes })),
    ...(wireguard === undefined
      ? {}
      : {
          onSealedKnock: (sealedKnock: Uint8Array) =>
            knocks.ask((id) => loop.handle({ type: 'knock-passed', id, sealedKnock })),
        }),
    udpProbes: udpProbeSockets(loop.shared),
    mayDial: (ip) => !leavesByTunnel(machine.routes, ip) && (given.has(ip) || isForOthers(ip)),
    ...(fwMark === 0 ? {} : { socketMark: fwMark }),
    relayStreams: {
      onInbound: (stream, source) => loop.streams.opened(stream, source),
      onDatagram: (stream, at, bytes) => loop.streams.received(stream, at, bytes),
      onClose: (stream) => loop.streams.ended(stream),
      onOverflow: () => engine.drop('stream-overflow'),
    },
    onDrop: (reason) => engine.drop(reason),
    onChange: meshChanged,
    log,
  }
  // libp2p is loaded only where there is a mesh.
  const mesh = config.mesh
    ? await (await import('../io/mesh/mesh.js')).makeMesh(meshOptions)
    : noMesh(identity, peerId)
  undo.push(() => mesh.stop(), MESH_STOP_MS)
  undo.push(() => knocks.close())
  const stun = new NamedReflectors(options.stun, () => meshChanged(mesh.state()), log)
  undo.push(() => stun.stop())
  const errands = new MeshErrands(mesh, (input) => loop.handle(input), log)
  undo.push(() => errands.stop())
  const names = new NameErrands((input) => loop.handle(input), log)
  undo.push(() => names.stop())
  const clients = mappingClients((reason) => engine.drop(reason))
  const mapper = new PortMapper(
    clients,
    (input) => loop.handle(input),
    (err) => log.error({ err }, 'asking a gateway failed unexpectedly'),
  )
  undo.push(() => mapper.stop(), 2 * RELEASE_MS)
  undo.push(() => loop.stop())
  undo.push(() => machine.stop())

  if (wireguard !== undefined) loop.openCatchAll(engine.catchAll)
  loop.run({
    lookUp: (peer, lookedUnder) => errands.lookUp(peer, lookedUnder),
    knock: (effect) => errands.knock(effect),
    gossipKnock: (sealedKnock) => errands.gossipKnock(sealedKnock),
    publish: (effect) => {
      state.update({ sequence: effect.sequence })
      errands.publish(effect)
    },
    remember: (peer, signedRecord) => memory.put(peer, signedRecord),
    answerKnock: (id, answer) => knocks.answer(id, answer),
    probeReachability: () => errands.probeReachability(),
    askUdpProbe: (effect) => errands.askUdpProbe(effect),
    serve: (serves) => errands.serve(serves),
    openSockets: (ip, count) => machine.openSockets(ip, count),
    streamsChanged: () => machine.tellSockets(),
    probeGateway: (effect) => mapper.probe(effect),
    mapPort: (effect) => mapper.map(effect),
    unmapPort: (effect) => mapper.unmap(effect),
    announceMapped: (addresses) => mesh.setMapped(addresses),
    resolveName: (name) => names.resolve(name),
    setEndpoint: (peer, endpoint) => wireguard?.setEndpoint(peer, endpoint),
  })
  await machine.start()
  if (fwMark !== 0) warnOfMissingMarks(loop, fwMark, log)
  stun.start()
  await mesh.start()
  hasJoined = true
  if (networkChanged) onNetworkChanged()
  meshChanged(mesh.state())

  return {
    loop,
    engine,
    port,
    peerId,
    status: () => {
      const { addresses, bootstrap, servers, reservations } = mesh.state()
      const { memberRelays, ...own } = engineStatus(engine)
      return {
        peerId,
        addresses,
        ...own,
        mesh: {
          enabled: config.mesh,
          servers: servers.length,
          relays: reservations,
          memberRelays,
          closed: networkKey !== undefined,
        },
        bootstrap: bootstrapStatus(bootstrap),
        network: config.network,
        version: VERSION,
        uptimeS: Math.round(elapsed(startedAt.instant, now().instant) / SECOND),
      }
    },
    resolve: (peer, signal) => resolve({ mesh, engine, sealing }, peer, signal),
    why: (peer) => engine.why(peer, now()),
  }
}

async function choosePort(
  config: NodeConfig,
  state: StateFile,
  tunnels: Tunnels,
  loopbackIp: string,
): Promise<number> {
  const ips = localAddresses(await tunnels.names()).map(({ ip }) => ip)
  const port = await chooseListenPort(config.listenPort, state.state.listenPort, ips, loopbackIp)
  state.update({ listenPort: port })
  return port
}

function warnOfMissingMarks(loop: EngineLoop, mark: number, log: Logger): void {
  if (loop.shared.sockets().every(({ marked }) => marked)) return
  const options = socketOptionsAvailable()
  const reason = options.available ? 'no permission: run as root or with CAP_NET_ADMIN' : options.reason
  log.warn({ mark, reason }, 'cannot mark our own packets: a full tunnel would swallow them')
}

/** False for an address that can only mean ourselves, or many: nobody shall make us talk to our own machine. */
function isForOthers(ip: string): boolean {
  return isPublishable({ ip, port: 1 })
}

/** A multiaddr of ours as the record has it: the record says the identity once. */
function withoutIdentity(address: string, peerId: string): string {
  const suffix = `/p2p/${peerId}`
  return address.endsWith(suffix) ? address.slice(0, -suffix.length) : address
}
