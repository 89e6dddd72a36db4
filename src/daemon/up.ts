/** `tunnelbore up`: a node beside a WireGuard interface. */

import { UserError } from '../base/userError.js'
import { nodeKeys } from '../crypto/nodeKeys.js'
import type { RoleOption } from '../engine/role.js'
import { interfaceIndex, interfaceName } from '../io/interfaceNames.js'
import { now } from '../io/systemClock.js'
import type { InterfaceDump } from '../io/wireguard/interfaceDump.js'
import { InterfaceReader } from '../io/wireguard/interfaceReader.js'
import type { UpConfig } from './config.js'
import { EndpointWriter } from './endpointWriter.js'
import { FormerEndpoints } from './formerEndpoints.js'
import { logChanges } from './interfaceChanges.js'
import { lockInterface } from './interfaceLock.js'
import { InterfaceMtuWatch } from './interfaceMtuWatch.js'
import { InterfaceWatch } from './interfaceWatch.js'
import type { Logger } from './logger.js'
import { startMeshNode, takeControl } from './meshNode.js'
import { mtuWarnings } from './mtuWarnings.js'
import { openNodeDatastore } from './nodeDatastore.js'
import { peerStatus } from './peerStatus.js'
import { type RunningNode, startNode } from './runningNode.js'
import { warnOfSaveConfig } from './saveConfig.js'
import type { Reachability } from './settingReaders.js'
import { StateFile } from './state.js'
import type { Status } from './status.js'
import { storageWarnings } from './storageWarnings.js'
import { startWithSuccessors } from './successors.js'
import type { Undo } from './undo.js'

const ROLES: Readonly<Record<Reachability, RoleOption>> = {
  auto: 'auto',
  reachable: 'serves',
  unreachable: 'client',
}

/** Starts the node. Throws, with nothing changed on the system, where that cannot be done. */
export async function startUp(config: UpConfig, log: Logger): Promise<RunningNode> {
  const startOf = (name: string) =>
    startNode(log, (undo) => start({ ...config, interface: name }, config.interface, log, undo))
  return startWithSuccessors(config.interface, startOf, log)
}

/** `stateName`: whose state it goes on with. An interface that is renamed takes its state along. */
async function start(
  config: UpConfig,
  stateName: string,
  log: Logger,
  undo: Undo,
): Promise<{ failed: Promise<Error> }> {
  const reader = new InterfaceReader(config.interface)
  undo.push(() => reader.close())
  let dump = await reader.read()
  if (dump.listenPort === 0) {
    throw new UserError(
      `${config.interface} is down: bring it up, e.g. \`ip link set ${config.interface} up\``,
    )
  }
  const keys = nodeKeys(dump.privateKey)
  const answerControl = await takeControl(config, config.interface, undo)
  const lock = await lockInterface(config.interface)
  undo.push(() => lock.release())
  await warnOfSaveConfig(config.interface, log)
  const state = await StateFile.open(config.stateDir, stateName, log)
  undo.push(() => state.flush())
  const datastore = await openNodeDatastore(config, stateName, undo, log)

  const former = new FormerEndpoints(config.interface, state)
  // A knock or a record may have us take over an endpoint between two reads of the interface.
  const noted = async () => {
    former.note([], node.engine.endpointsToRestore)
    await state.flush()
  }
  const endpoints = new EndpointWriter(config.interface, noted, log)
  const node = await startMeshNode(
    {
      config,
      keys,
      state,
      datastore,
      role: ROLES[config.reachability],
      fwMark: dump.fwmark,
      stun: config.stun,
      punching: config.punching,
      wireguard: {
        interface: config.interface,
        listenPort: dump.listenPort,
        peers: dump.peers.map(({ publicKey }) => publicKey),
        formerEndpoints: former.recall(),
        setEndpoint: (peer, endpoint) => endpoints.set(peer, endpoint),
        named: config.peers,
      },
      log,
    },
    undo,
  )

  undo.push(async () => {
    await endpoints.stop()
    await former.restore(node.engine.endpointsToRestore)
  })
  const interfaceMtu = new InterfaceMtuWatch(config.interface, (input) => node.loop.handle(input), log)
  const onRead = (read: InterfaceDump) => {
    if (read.listenPort !== dump.listenPort && read.listenPort !== 0) {
      node.loop.followWireguard(read.listenPort)
    }
    if (read.fwmark !== dump.fwmark) {
      node.loop.setMark(read.fwmark)
      log.warn(
        { mark: read.fwmark },
        'the interface has another mark: start again, so that TCP carries it too',
      )
    }
    const before = { dump, former: node.engine.endpointsToRestore }
    dump = read
    const peers = read.peers.map(({ publicKey, endpoint, zonedEndpoint, latestHandshake }) => ({
      publicKey,
      endpoint,
      isLinkLocal: zonedEndpoint !== undefined,
      latestHandshake,
    }))
    node.loop.handle({ type: 'interface-read', peers })
    interfaceMtu.read()
    former.note(read.peers, node.engine.endpointsToRestore)
    logChanges(before, { dump, former: node.engine.endpointsToRestore }, log)
    // Deleted and made again it has another one.
    index = interfaceIndex(config.interface) ?? index
  }
  let index = interfaceIndex(config.interface)
  onRead(dump)
  warnOfStrangers(config, dump, log)
  const nameNow = () => (index === undefined ? undefined : interfaceName(index))
  const watch = new InterfaceWatch(reader, dump, nameNow, onRead, log)
  undo.push(() => watch.stop())

  const status = (): Status => {
    const handshakes = new Map(
      dump.peers.map(({ publicKey, latestHandshake }) => [publicKey, latestHandshake]),
    )
    const when = now()
    const { peers } = node.engine.status(when)
    return {
      interface: config.interface,
      publicKey: keys.publicKey,
      ...node.status(),
      mtu: interfaceMtu.mtu ?? null,
      warnings: [
        ...mtuWarnings(config.interface, interfaceMtu.mtu, peers),
        ...storageWarnings(config.stateDir, state, datastore),
      ],
      peers: peers.map((peer) => peerStatus(peer, handshakes.get(peer.publicKey), when)),
    }
  }
  answerControl({ status, resolve: node.resolve, why: node.why })
  await endpoints.written()
  log.info({ port: node.port, peers: dump.peers.length, peerId: node.peerId }, 'tunnelbore is up')
  return { failed: watch.failed }
}

/** A peer that is named and not there yet may come; a key that was mistyped never does. */
function warnOfStrangers({ peers, interface: name }: UpConfig, dump: InterfaceDump, log: Logger): void {
  for (const key of peers.keys()) {
    if (dump.peers.some(({ publicKey }) => publicKey === key)) continue
    log.warn({ peer: key }, `${name} has no such peer as --peer names; add it with \`wg set\``)
  }
}
