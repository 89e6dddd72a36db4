/** A bare libp2p node without any of our protocols, to send what none of ours would. */

import '../../../src/io/nodeCompatibility.js'

import type { TestContext } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import type { Connection } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

/** A bare node; it is stopped at the end of the test. */
export async function rawNode(t: TestContext): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  t.after(() => node.stop())
  return node
}

/** Connects a bare node to an address. */
export async function connectRaw(t: TestContext, address: string): Promise<Connection> {
  return (await rawNode(t)).dial(multiaddr(address))
}
