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

import { formatSocketAddress, type SocketAddress } from '../base/address.js'
import { type Dropped, drop, isDropped } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import { elapsed, SECOND, type UnixTime } from '../base/time.js'
import { VERSION } from '../base/version.js'
import type { NodeKeys } from '../crypto/nodeKeys.js'
import { admitRecord, admitStoredRecord, recordKey } from '../engine/directory/admission.js'
import type { Input } from '../engine/inputs.js'
import { Node } from '../engine/node.js'
import { leavesByTunnel } from '../engine/path/reachability.js'
import { localAddresses, ownAddresses } from '../io/localAddresses.js'
import { canUseLoopbackRange } from '../io/loopbackSockets.js'
import { identityOfSeed, peerIdOfIdentity } from '../io/mesh/identity.js'
import { type Mesh, makeMesh } from '../io/mesh/mesh.js'
import type { MeshState } from '../io/mesh/state.js'
import { socketOptionsAvailable } from '../io/socketOptions.js'
import { now } from '../io/systemClock.js'
import { systemRandom } from '../io/systemRandom.js'
import { encodeServices } from '../wire/services.js'
import { BootstrapLog } from './bootstrapLog.js'
import { type HostPort, type NodeConfig, readNetworkKey } from './config.js'
import { serveControl } from './control.js'
import { EngineLoop } from './engineLoop.js'
import { KnockDesk } from './knockDesk.js'
import type { Logger } from './logger.js'
import { Machine } from './machine.js'
import { MeshErrands } from './meshErrands.js'
import { NamedReflectors } from './namedReflectors.js'
import { rankOwnMultiaddrs } from './ownMultiaddrs.js'
import { chooseListenPort, loopbackPort } from './ports.js'
import { reflectorsToAsk, reflectorsToTell } from './reflectors.js'
import { controlSocketPath } from './runDirectory.js'
import type { StateFile } from './state.js'
import { type ResolvedRecord, resolvedRecord, type Status } from './status.js'
import { Tunnels } from './tunnels.js'
import type { Undo } from './undo.js'
import { wildcards } from './wildcards.js'

// Until records and knocks are sealed nothing is gossiped, and nothing gossiped is accepted.
const SEALED_RECORD_LENGTH = 1536
const SEALED_KNOCK_LENGTH = 1448
function admitSealedRecord(
  _bytes: Uint8Array,
  _now: UnixTime,
): { readonly author: string; readonly sequence: number } | Dropped {
  return drop('record-unknown-version')
}

/** What libp2p is given to close its connections. */
const MESH_STOP_MS = 3 * SECOND

export interface MeshNodeOptions {
  readonly config: NodeConfig
  readonly keys: NodeKeys
  readonly state: StateFile
  /** True for a reachable node: it serves the DHT, relays streams, and reflects. */
  readonly serves: boolean
  /** WireGuard's mark, which our own traffic carries as well; 0 for none. */
  readonly fwMark: number
  /** Reflectors besides those of the mesh. */
  readonly stun: readonly HostPort[]
  /** What there is beside an interface; undefined for a node without one. */
  readonly wireguard:
    | {
        readonly interface: string
        readonly listenPort: number
        readonly formerEndpoints: ReadonlyMap<PublicKey, SocketAddress | undefined>
        readonly setEndpoint: (peer: PublicKey, endpoint: SocketAddress) => void
      }
    | undefined
  readonly log: Logger
}

/** What every status says, with or without an interface. */
export type CommonStatus = Omit<Status, 'interface' | 'publicKey' | 'reachable' | 'peers'>

export interface MeshNode {
  readonly loop: EngineLoop
  readonly engine: Node
  readonly port: number
  readonly peerId: string
  status(): CommonStatus
  resolve(peer: PublicKey, signal: AbortSignal): Promise<ResolvedRecord | undefined>
}

interface Answers {
  readonly status: () => Status
  readonly resolve: MeshNode['resolve']
}

/** Takes the control socket, which is also the lock against a second node of this name. Answers once `ready` was called. */
export async function takeControl(
  config: NodeConfig,
  name: string,
  undo: Undo,
): Promise<(status: () => Status, resolve: MeshNode['resolve']) => void> {
  let makeReady: (handlers: Answers) => void = () => undefined
  const ready = new Promise<Answers>((resolve) => {
    makeReady = resolve
  })
  const control = await serveControl(controlSocketPath(config.runDir, name), {
    status: async () => (await ready).status(),
    resolve: async (key, signal) => (await ready).resolve(key, signal),
  })
  undo.push(() => control.close())
  return (status, resolve) => makeReady({ status, resolve })
}

/** Builds everything, opens the ports, reads the machine's network and joins the mesh. */
export async function startMeshNode(options: MeshNodeOptions, undo: Undo): Promise<MeshNode> {
  const { config, keys, state, serves, fwMark, wireguard, log } = options
  const startedAt = now()
  const networkKey =
    config.networkKeyFile === undefined ? undefined : await readNetworkKey(config.networkKeyFile)
  if (networkKey === undefined) {
    log.warn('the mesh is open: whoever knows a node of it can join; close it with --network-key')
  }
  const tunnels = new Tunnels(wireguard?.interface, log)
  const style = canUseLoopbackRange() ? 'range' : 'ports'
  const port = await choosePort(config, state, tunnels, style === 'range' ? '127.0.0.1' : '::1')

  const identity = await identityOfSeed(keys.identitySeed())
  const engine = new Node(
    {
      keys,
      identity,
      random: systemRandom,
      loopback: { style, port: loopbackPort(port) },
      formerEndpoints: wireguard?.formerEndpoints ?? new Map(),
      reflects: serves,
      lastSequence: state.state.sequence,
    },
    startedAt,
  )
  const loop = new EngineLoop(engine, { port, mark: fwMark, wireguardPort: wireguard?.listenPort }, log)
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
  const machine = new Machine(loop.shared, tunnels, onMachine, onNetworkChanged, log)
  const bootstrapLog = new BootstrapLog(log)
  const peerId = peerIdOfIdentity(identity).toString()

  const meshChanged = ({ servers, addresses, bootstrap }: MeshState): void => {
    bootstrapLog.tell(bootstrapStatus(bootstrap))
    // A node without an interface has no record of its own, and nobody to find.
    if (wireguard === undefined) return
    const multiaddrs = addresses.map((address) => withoutIdentity(address, peerId))
    loop.handle({
      type: 'mesh-changed',
      connected: servers.length > 0,
      multiaddrs: rankOwnMultiaddrs(multiaddrs, serves),
      reflectors: reflectorsToAsk(servers, stun.addresses, (reason) => engine.drop(reason)),
    })
  }

  const mesh = await makeMesh({
    network: config.network,
    identitySeed: keys.identitySeed(),
    listen: wildcards().map((ip) => ({ ip, port })),
    announces: (ip) => loop.shared.sockets().some(({ address }) => address.ip === ip),
    bootstrap: config.bootstrap,
    serves,
    ...(networkKey === undefined ? {} : { networkKey }),
    judge: (key, value) => admitStoredRecord(key, value, now().unix),
    gossip: {
      judge: (bytes) => admitSealedRecord(bytes, now().unix),
      recordLength: SEALED_RECORD_LENGTH,
      knockLength: SEALED_KNOCK_LENGTH,
      onRecord: () => undefined,
      onKnock: () => undefined,
      limit: config.gossipLimit,
    },
    services: () => {
      const reflectors = reflectorsToTell(loop.shared.sockets().map(({ address }) => address))
      return encodeServices({ version: 1, reflectors })
    },
    onKnock: ({ from, bytes }) =>
      knocks.ask((id) => loop.handle({ type: 'knock-received', id, from, knock: bytes })),
    mayDial: (ip) => !leavesByTunnel(machine.routes, ip),
    ...(fwMark === 0 ? {} : { socketMark: fwMark }),
    onDrop: (reason) => engine.drop(reason),
    onChange: meshChanged,
    log,
  })
  undo.push(() => mesh.stop(), MESH_STOP_MS)
  undo.push(() => knocks.close())
  const stun = new NamedReflectors(options.stun, () => meshChanged(mesh.state()), log)
  undo.push(() => stun.stop())
  const errands = new MeshErrands(mesh, keys.publicKey, (input) => loop.handle(input), log)
  undo.push(() => errands.stop())
  undo.push(() => loop.stop())
  undo.push(() => machine.stop())

  if (wireguard !== undefined) loop.openCatchAll(engine.catchAll)
  loop.run({
    lookUp: (peer) => errands.lookUp(peer),
    knock: (effect) => errands.knock(effect),
    publish: (signedRecord, sequence) => {
      state.update({ sequence })
      errands.publish(signedRecord)
    },
    answerKnock: (id, answer) => knocks.answer(id, answer),
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
      const { addresses, bootstrap } = mesh.state()
      return {
        peerId,
        addresses,
        ...engineStatus(engine),
        bootstrap: bootstrapStatus(bootstrap),
        network: config.network,
        version: VERSION,
        uptimeS: Math.round(elapsed(startedAt.instant, now().instant) / SECOND),
      }
    },
    resolve: (peer, signal) => resolve(mesh, engine, peer, signal),
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

/** The newest record of a peer that we know or the mesh has. */
async function resolve(
  mesh: Mesh,
  engine: Node,
  peer: PublicKey,
  signal: AbortSignal,
): Promise<ResolvedRecord | undefined> {
  let newest = engine.knownRecord(peer, now())
  for await (const bytes of mesh.lookUp(recordKey(peer), signal)) {
    const record = admitRecord(bytes, now().unix)
    if (!isDropped(record) && record.sequence > (newest?.sequence ?? 0)) newest = record
  }
  return newest === undefined
    ? undefined
    : resolvedRecord(newest, peerIdOfIdentity(newest.identity).toString())
}

function engineStatus(engine: Node): Pick<Status, 'nat' | 'drops'> {
  const { nat, drops } = engine.status(now())
  return { nat: { ...nat, reflexive: nat.reflexive.map(formatSocketAddress) }, drops: drops.toJSON() }
}

function bootstrapStatus(bootstrap: MeshState['bootstrap']): Status['bootstrap'] {
  return bootstrap.map(({ nextTryInS, ...node }) => ({
    ...node,
    ...(nextTryInS === undefined ? {} : { nextTryInS: Math.round(nextTryInS) }),
  }))
}

/** A multiaddr of ours as the record has it: the record says the identity once. */
function withoutIdentity(address: string, peerId: string): string {
  const suffix = `/p2p/${peerId}`
  return address.endsWith(suffix) ? address.slice(0, -suffix.length) : address
}
