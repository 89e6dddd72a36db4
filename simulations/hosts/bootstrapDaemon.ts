/** `tunnelbore bootstrap` on a host: an engine with no interface and no peers, which reflects for everybody, and may relay. */

import type { Random } from '../../src/base/random.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import { recordSealing } from '../../src/crypto/sealedRecord.js'
import { Node } from '../../src/engine/node.js'
import type { RelayQuotas } from '../../src/engine/relay/quotas.js'
import { standInIdentity } from '../crypto/identity.js'
import type { StreamEnd, StreamHandlers } from '../discovery/datagramStream.js'
import { LOOPBACK_PORT } from './daemon.js'
import { EngineLoop } from './engineLoop.js'
import type { Host } from './host.js'
import { MEMBERSHIP } from './membership.js'
import type { RelaySessions } from './relaySessions.js'

export interface BootstrapDaemonOptions {
  readonly host: Host
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
  /** What it relays for members; undefined where it is no relay. */
  readonly relay: RelayQuotas | undefined
}

export class BootstrapDaemon {
  readonly host: Host
  readonly #loop: EngineLoop

  constructor({ host, keys, identity, random, relay }: BootstrapDaemonOptions) {
    this.host = host
    const node = new Node(
      {
        keys,
        identity,
        identityKeys: standInIdentity(identity),
        random,
        loopback: { style: 'range', port: LOOPBACK_PORT },
        formerEndpoints: new Map(),
        role: 'serves',
        // It has no record, and reads none.
        sealing: recordSealing(keys, 'tunnelbore'),
        lastSequence: 0,
        membership: MEMBERSHIP,
        ...(relay === undefined ? {} : { relay }),
      },
      host.clock.now,
    )
    this.#loop = new EngineLoop(node, host, {
      openStream: (_relay, _handlers, done) => done('it opens no streams'),
      // Without peers there is nobody to find, and without a record nothing to publish.
      perform: () => undefined,
      deliver: () => undefined,
      settled: () => undefined,
    })
  }

  get node(): Node {
    return this.#loop.node
  }

  /** What it relays. */
  get relays(): RelaySessions {
    return this.#loop.relays
  }

  /** Another node has opened a stream in place of UDP. */
  takeStream(end: StreamEnd): StreamHandlers {
    return this.#loop.streams.take(end)
  }

  /** Ends the streams of others. */
  endStreams(): void {
    this.#loop.streams.closeOthers()
  }

  start(): void {
    this.#loop.start()
    this.#loop.sockets.follow()
    this.#loop.handle({ type: 'routes-read', routes: this.host.routes })
    this.#loop.tellSockets()
  }

  stop(): void {
    this.#loop.stop()
  }
}
