/**
 * `tunnelbore bootstrap`: a reachable node without a WireGuard interface. It serves the DHT, relays streams and answers
 * plain Binding requests. The engine is the same as beside an interface, with no peers and nothing to publish.
 */

import { nodeKeys } from '../crypto/nodeKeys.js'
import type { BootstrapConfig } from './config.js'
import type { Logger } from './logger.js'
import { startMeshNode, takeControl } from './meshNode.js'
import { openNodeDatastore } from './nodeDatastore.js'
import { BOOTSTRAP_NAME } from './nodeName.js'
import { NEVER, type RunningNode, startNode } from './runningNode.js'
import { loadBootstrapKey, StateFile } from './state.js'
import { storageWarnings } from './storageWarnings.js'

/** Starts the node. Throws where that cannot be done. */
export async function startBootstrap(config: BootstrapConfig, log: Logger): Promise<RunningNode> {
  return startNode(log, async (undo) => {
    const answerControl = await takeControl(config, BOOTSTRAP_NAME, undo)
    const keys = nodeKeys(await loadBootstrapKey(config.stateDir))
    const state = await StateFile.open(config.stateDir, BOOTSTRAP_NAME, log)
    undo.push(() => state.flush())
    const datastore = await openNodeDatastore(config, BOOTSTRAP_NAME, undo, log)
    const node = await startMeshNode(
      { config, keys, state, datastore, role: 'serves', fwMark: 0, stun: [], wireguard: undefined, log },
      undo,
    )
    answerControl({
      status: () => ({
        interface: null,
        publicKey: null,
        ...node.status(),
        mtu: null,
        warnings: storageWarnings(config.stateDir, state, datastore),
        peers: [],
      }),
      resolve: node.resolve,
      why: node.why,
    })
    for (const multiaddr of node.status().addresses) log.info({ multiaddr }, 'others reach this node at')
    return { failed: NEVER }
  })
}
