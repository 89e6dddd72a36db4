/** libp2p nodes with nothing but gossip, to connect them as none of ours would, and to send what none of ours would. */

import '../../../src/io/nodeCompatibility.js'

import type { TestContext } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { RPC } from '@libp2p/gossipsub/message'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { Gossip } from '../../../src/io/mesh/gossip.js'
import type { Parts } from '../../../src/io/mesh/parts.js'
import { judgeGossipedRecord, KNOCK_LENGTH, RECORD_LENGTH } from './gossiping.js'
import { MemoryFloors } from './memoryFloors.js'

const PREFIX = '/tunnelbore/test'
const PROTOCOL = `${PREFIX}/gossip/1`
const base = () => ({
  start: false,
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionMonitor: { enabled: false },
})

/** Our gossip, and the libp2p below it. */
export async function startBareGossip(t: TestContext) {
  const records: Uint8Array[] = []
  const gossip = new Gossip(
    'test',
    {
      judge: judgeGossipedRecord,
      recordLength: RECORD_LENGTH,
      knockLength: KNOCK_LENGTH,
      onRecord: (bytes) => records.push(bytes),
      onKnock: () => {},
      limit: 100,
    },
    new MemoryFloors(),
    () => {},
    () => {},
    { debug: () => {}, warn: () => {} },
  )
  let parts: Parts | undefined
  const libp2p = await createLibp2p({
    ...base(),
    services: {
      identify: identify({ protocolPrefix: PREFIX.slice(1) }),
      gossip: gossip.service(),
      parts: (components: Parts) => {
        parts = components
        return {}
      },
    },
  })
  if (parts === undefined) throw new Error('libp2p did not hand out its parts')
  await gossip.start(parts)
  await libp2p.start()
  gossip.join()
  t.after(() => libp2p.stop())
  return { libp2p, gossip, records }
}

/** gossipsub as it comes, under our name: it validates nothing, and says what it is told to. */
export interface RawGossip {
  readonly libp2p: Libp2p
  readonly pubsub: GossipSub
  /** Sends an RPC, over a stream of its own. */
  send(rpc: Partial<RPC>): Promise<void>
  /** Sends bytes in place of an RPC. */
  sendBytes(bytes: Uint8Array): Promise<void>
}

export const RECORDS = `${PREFIX}/records/1`
export const KNOCKS = `${PREFIX}/knocks/1`

/** Starts such a node, which subscribes to both topics, and connects it. */
export async function connectRawGossip(
  t: { after(stop: () => Promise<void>): void },
  address: string,
): Promise<RawGossip> {
  const make = gossipsub({ globalSignaturePolicy: StrictNoSign, allowPublishToZeroTopicPeers: true })
  const libp2p = await createLibp2p({
    ...base(),
    services: {
      identify: identify({ protocolPrefix: PREFIX.slice(1) }),
      pubsub: (components: Parameters<typeof make>[0]) => {
        const pubsub = make(components)
        pubsub.protocols = [PROTOCOL]
        return pubsub
      },
    },
  })
  const { pubsub } = libp2p.services
  await libp2p.start()
  t.after(async () => libp2p.stop())
  pubsub.subscribe(RECORDS)
  pubsub.subscribe(KNOCKS)
  const connection = await libp2p.dial(multiaddr(address))
  const stream = lpStream(await connection.newStream(PROTOCOL))
  const sendBytes = (bytes: Uint8Array) => stream.write(bytes)
  return { libp2p, pubsub, sendBytes, send: (rpc) => sendBytes(RPC.encode(rpc)) }
}
