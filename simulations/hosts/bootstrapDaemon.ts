/** `tunnelbore bootstrap` on a host: an engine with no interface and no peers, which reflects for everybody. */

import type { Random } from '../../src/base/random.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import { recordSealing } from '../../src/crypto/sealedRecord.js'
import { Node } from '../../src/engine/node.js'
import { LOOPBACK_PORT } from './daemon.js'
import { EngineLoop } from './engineLoop.js'
import type { Host } from './host.js'

export interface BootstrapDaemonOptions {
  readonly host: Host
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
}

export class BootstrapDaemon {
  readonly host: Host
  readonly #loop: EngineLoop

  constructor({ host, keys, identity, random }: BootstrapDaemonOptions) {
    this.host = host
    const node = new Node(
      {
        keys,
        identity,
        random,
        loopback: { style: 'range', port: LOOPBACK_PORT },
        formerEndpoints: new Map(),
        role: 'serves',
        // It has no record, and reads none.
        sealing: recordSealing(keys, 'tunnelbore'),
        lastSequence: 0,
      },
      host.clock.now,
    )
    this.#loop = new EngineLoop(node, host, {
      // Without peers there is nobody to find, and without a record nothing to publish.
      perform: () => undefined,
      deliver: () => undefined,
      settled: () => undefined,
    })
  }

  get node(): Node {
    return this.#loop.node
  }

  start(): void {
    this.#loop.start()
    this.#loop.sockets.follow()
    this.#loop.handle({ type: 'routes-read', routes: this.host.routes })
    this.#loop.handle({ type: 'sockets-changed', sockets: this.#loop.sockets.all })
  }

  stop(): void {
    this.#loop.stop()
  }
}
