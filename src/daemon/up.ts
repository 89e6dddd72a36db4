/** `tunnelbore up`: a node beside a WireGuard interface. */

import type { SocketAddress } from '../base/address.js'
import { causeOf } from '../base/userError.js'
import { nodeKeys } from '../crypto/nodeKeys.js'
import { LoopbackSockets } from '../io/loopbackSockets.js'
import { resolveName } from '../io/resolveName.js'
import { now } from '../io/systemClock.js'
import type { InterfaceDump } from '../io/wireguard/interfaceDump.js'
import { InterfaceReader } from '../io/wireguard/interfaceReader.js'
import type { HostPort, UpConfig } from './config.js'
import { EndpointWriter } from './endpointWriter.js'
import { CATCH_ALL, type LoopbackHandle } from './engineLoop.js'
import { FormerEndpoints } from './formerEndpoints.js'
import { InterfaceWatch } from './interfaceWatch.js'
import type { Logger } from './logger.js'
import { startMeshNode, takeControl } from './meshNode.js'
import { peerStatus } from './peerStatus.js'
import { type RunningNode, startNode } from './runningNode.js'
import { warnOfSaveConfig } from './saveConfig.js'
import { StateFile } from './state.js'
import type { Status } from './status.js'
import type { Undo } from './undo.js'

/** Names of reflectors are resolved within this; one that is not is left out, which is said. */
const RESOLVE_MS = 5_000

/** Starts the node. Throws, with nothing changed on the system, where that cannot be done. */
export async function startUp(config: UpConfig, log: Logger): Promise<RunningNode> {
  return startNode(log, (undo) => start(config, log, undo))
}

async function start(config: UpConfig, log: Logger, undo: Undo): Promise<{ failed: Promise<Error> }> {
  const reader = new InterfaceReader(config.interface)
  undo.push(() => reader.close())
  let dump = await reader.read()
  const keys = nodeKeys(dump.privateKey)
  const answerControl = await takeControl(config, config.interface, undo)
  await warnOfSaveConfig(config.interface, log)
  const state = await StateFile.open(config.stateDir, config.interface, log)
  undo.push(() => state.flush())

  const loopback = new LoopbackSockets<LoopbackHandle>(dump.listenPort, {
    onDatagram: (handle, bytes) => node.loop.sent(handle, bytes),
    onForeignDatagram: () => node.engine.drop('loopback-foreign-sender'),
    onSendError: (_handle, code) => log.trace({ code }, 'WireGuard did not take a message'),
  })
  undo.push(() => loopback.closeAll())
  const former = new FormerEndpoints(config.interface, state)
  const endpoints = new EndpointWriter(config.interface, () => state.flush(), log)
  const node = await startMeshNode(
    {
      config,
      keys,
      state,
      serves: config.reachability === 'reachable',
      fwMark: dump.fwmark,
      stun: await resolveReflectors(config.stun, log),
      wireguard: {
        loopback,
        formerEndpoints: former.recall(),
        setEndpoint: (peer, endpoint) => endpoints.set(peer, endpoint),
      },
      log,
    },
    undo,
  )
  loopback.open(CATCH_ALL, node.engine.catchAll)

  await node.begin()
  undo.push(async () => {
    await endpoints.stop()
    await former.restore(node.engine.endpointsToRestore)
  })
  const onRead = (read: InterfaceDump) => {
    if (read.listenPort !== dump.listenPort && read.listenPort !== 0) loopback.reconnect(read.listenPort)
    if (read.fwmark !== dump.fwmark) {
      node.shared.setMark(read.fwmark)
      log.warn(
        { mark: read.fwmark },
        'the interface has another mark: start again, so that TCP carries it too',
      )
    }
    dump = read
    node.loop.handle({ type: 'interface-read', peers: read.peers })
    former.note(read.peers, node.engine.endpointsToRestore)
  }
  onRead(dump)
  const watch = new InterfaceWatch(reader, keys.publicKey, onRead, log)
  undo.push(() => watch.stop())

  answerControl((): Status => {
    const handshakes = new Map(
      dump.peers.map(({ publicKey, latestHandshake }) => [publicKey, latestHandshake]),
    )
    const when = now()
    return {
      interface: config.interface,
      publicKey: keys.publicKey,
      reachable: config.reachability === 'auto' ? null : config.reachability === 'reachable',
      ...node.status(),
      peers: node.engine
        .status(when)
        .peers.map((peer) => peerStatus(peer, handshakes.get(peer.publicKey), when)),
    }
  }, node.resolve)
  await endpoints.written()
  log.info({ port: node.port, peers: dump.peers.length, peerId: node.peerId }, 'tunnelbore is up')
  return { failed: watch.failed }
}

async function resolveReflectors(hosts: readonly HostPort[], log: Logger): Promise<readonly SocketAddress[]> {
  const resolved = await Promise.all(
    hosts.map(({ host, port }) =>
      resolveName(host, port, RESOLVE_MS).catch((error: unknown) => {
        log.warn({ host, cause: causeOf(error) }, 'a reflector is left out')
        return []
      }),
    ),
  )
  return resolved.flat()
}
