/**
 * What a node with and one without a WireGuard interface have in common: sockets, the mesh, the engine, and the loop that
 * connects them.
 *
 *   ip ────► machine ──┐                        ┌─► shared sockets
 *   libp2p ► mesh ─────┼─► EngineLoop (engine) ─┼─► libp2p: look-ups, knocks, publications
 *   wg ────► (up.ts) ──┘                        └─► (up.ts) loopback sockets, wg set … endpoint
 */

import { formatSocketAddress, type SocketAddress } from '../base/address.js'
import { isDropped } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import { elapsed, SECOND } from '../base/time.js'
import { VERSION } from '../base/version.js'
import type { NodeKeys } from '../crypto/nodeKeys.js'
import { admitRecord, admitStoredRecord, recordKey } from '../engine/directory/admission.js'
import { Node } from '../engine/node.js'
import { leavesByTunnel } from '../engine/path/reachability.js'
import { localAddresses } from '../io/localAddresses.js'
import { canUseLoopbackRange, type LoopbackSockets } from '../io/loopbackSockets.js'
import { identityOf, type Mesh, startMesh } from '../io/mesh/mesh.js'
import { SharedSockets } from '../io/sharedSockets.js'
import { now } from '../io/systemClock.js'
import { systemRandom } from '../io/systemRandom.js'
import { encodeServices, MAX_REFLECTORS } from '../wire/services.js'
import { BootstrapLog } from './bootstrapLog.js'
import { type NodeConfig, readNetworkKey } from './config.js'
import { serveControl } from './control.js'
import { EngineLoop, type LoopbackHandle } from './engineLoop.js'
import { KnockDesk } from './knockDesk.js'
import type { Logger } from './logger.js'
import { Machine, tunnelNames } from './machine.js'
import { MeshErrands, reflectorsOf } from './meshErrands.js'
import { chooseListenPort, loopbackPort } from './ports.js'
import { controlSocketPath } from './runDirectory.js'
import type { StateFile } from './state.js'
import { type ResolvedRecord, resolvedRecord, type Status } from './status.js'
import type { Undo } from './undo.js'
import { wildcards } from './wildcards.js'

export interface MeshNodeOptions {
  readonly config: NodeConfig
  readonly keys: NodeKeys
  readonly state: StateFile
  /** True for a reachable node: it serves the DHT, relays streams, and reflects. */
  readonly serves: boolean
  /** WireGuard's mark, which our own traffic carries as well; 0 for none. */
  readonly fwMark: number
  /** Reflectors besides those of the mesh. */
  readonly stun: readonly SocketAddress[]
  /** What there is beside an interface; undefined for a node without one. */
  readonly wireguard:
    | {
        readonly loopback: LoopbackSockets<LoopbackHandle>
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
  readonly shared: SharedSockets
  readonly port: number
  readonly peerId: string
  /** Reads the machine's network, joins the mesh, and goes on with both. */
  begin(): Promise<void>
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

/** Builds everything and opens the ports. Nothing is sent before `begin`, but for libp2p's own connections. */
export async function startMeshNode(options: MeshNodeOptions, undo: Undo): Promise<MeshNode> {
  const { config, keys, state, serves, fwMark, wireguard, log } = options
  const startedAt = now()
  const networkKey =
    config.networkKeyFile === undefined ? undefined : await readNetworkKey(config.networkKeyFile)
  if (networkKey === undefined) {
    log.warn('the mesh is open: whoever knows a node of it can join; close it with --network-key')
  }
  const port = await choosePort(config, state, log)

  const shared = new SharedSockets(
    { port, mark: fwMark },
    {
      onDatagram: (socket, ip, remotePort, bytes) => loop.received(socket, ip, remotePort, bytes),
      onSendError: (socket, remote, code) => log.trace({ socket, remote, code }, 'could not send'),
    },
  )
  undo.push(() => shared.close())

  const machine = new Machine(shared, (input) => loop.handle(input), log)
  const knocks = new KnockDesk()
  const mesh = await startMesh({
    network: config.network,
    identitySeed: keys.identitySeed(),
    listen: wildcards().map((ip) => ({ ip, port })),
    announces: (ip) => shared.sockets().some(({ address }) => address.ip === ip),
    bootstrap: config.bootstrap,
    serves,
    ...(networkKey === undefined ? {} : { networkKey }),
    judge: (key, value) => admitStoredRecord(key, value, now().unix),
    services: () => {
      const reflectors = shared.sockets().map(({ address }) => address)
      return encodeServices({ version: 1, reflectors: reflectors.slice(0, MAX_REFLECTORS) })
    },
    onKnock: ({ from, bytes }) =>
      knocks.ask((id) => loop.handle({ type: 'knock-received', id, from, knock: bytes })),
    mayDial: (ip) => !leavesByTunnel(machine.routes, ip),
    ...(fwMark === 0 ? {} : { socketMark: fwMark }),
    onDrop: (reason) => engine.drop(reason),
    onChange: () => meshChanged(),
    log,
  })
  undo.push(() => mesh.stop())

  const engine: Node = new Node(
    {
      keys,
      identity: mesh.identity,
      random: systemRandom,
      loopback: { style: canUseLoopbackRange() ? 'range' : 'ports', port: loopbackPort(port) },
      formerEndpoints: wireguard?.formerEndpoints ?? new Map(),
      reflects: serves,
      lastSequence: state.state.sequence,
    },
    startedAt,
  )
  const meshErrands = new MeshErrands(mesh, keys.publicKey, (input) => loop.handle(input), log)
  undo.push(() => meshErrands.stop())
  const loop: EngineLoop = new EngineLoop(
    engine,
    shared,
    wireguard?.loopback,
    {
      lookUp: (peer) => meshErrands.lookUp(peer),
      knock: (effect) => meshErrands.knock(effect),
      publish: (signedRecord, sequence) => {
        state.update({ sequence })
        meshErrands.publish(signedRecord)
      },
      answerKnock: (id, answer) => knocks.answer(id, answer),
      setEndpoint: (peer, endpoint) => wireguard?.setEndpoint(peer, endpoint),
    },
    log,
  )
  undo.push(() => loop.stop())

  const bootstrapLog = new BootstrapLog(log)
  const meshChanged = (): void => {
    bootstrapLog.tell(bootstrapStatus(mesh))
    // A node without an interface has no record of its own, and nobody to find.
    if (wireguard === undefined) return
    const { servers, addresses } = mesh.state()
    loop.handle({
      type: 'mesh-changed',
      connected: servers.length > 0,
      multiaddrs: addresses.map((address) => withoutIdentity(address, mesh.peerId)),
      reflectors: [...reflectorsOf(mesh, (reason) => engine.drop(reason)), ...options.stun],
    })
  }

  return {
    loop,
    engine,
    shared,
    port,
    peerId: mesh.peerId,
    async begin() {
      await machine.start()
      if (fwMark !== 0 && shared.sockets().some(({ marked }) => !marked)) {
        log.warn({ mark: fwMark }, 'cannot mark our own packets: a full tunnel would swallow them')
      }
      undo.push(() => machine.stop())
      meshChanged()
    },
    status: () => ({
      peerId: mesh.peerId,
      addresses: mesh.state().addresses,
      ...engineStatus(engine),
      bootstrap: bootstrapStatus(mesh),
      network: config.network,
      version: VERSION,
      uptimeS: Math.round(elapsed(startedAt.instant, now().instant) / SECOND),
    }),
    resolve: (peer, signal) => resolve(mesh, engine, peer, signal),
  }
}

async function choosePort(config: NodeConfig, state: StateFile, log: Logger): Promise<number> {
  const ips = localAddresses(new Set(await tunnelNames(log))).map(({ ip }) => ip)
  const port = await chooseListenPort(config.listenPort, state.state.listenPort, ips)
  state.update({ listenPort: port })
  return port
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
  return newest === undefined ? undefined : resolvedRecord(newest, identityOf(newest.identity))
}

function engineStatus(engine: Node): Pick<Status, 'nat' | 'drops'> {
  const { nat, drops } = engine.status(now())
  return { nat: { ...nat, reflexive: nat.reflexive.map(formatSocketAddress) }, drops: drops.toJSON() }
}

function bootstrapStatus(mesh: Mesh): Status['bootstrap'] {
  return mesh.state().bootstrap.map(({ multiaddr, connected, lastError }) => ({
    multiaddr,
    connected,
    ...(lastError === undefined ? {} : { lastError }),
  }))
}

/** A multiaddr of ours as the record has it: the record says the identity once. */
function withoutIdentity(address: string, peerId: string): string {
  const suffix = `/p2p/${peerId}`
  return address.endsWith(suffix) ? address.slice(0, -suffix.length) : address
}
