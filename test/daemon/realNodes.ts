/**
 * Real nodes in one process: the engine, its loop, its errands and a libp2p node over TCP on 127.0.0.1, put together as
 * `meshNode.ts` does, with real keys, seals and judges. There is no WireGuard and no network of packets: the only UDP
 * address of a node is made up, and what goes there is lost. The wall clock is an argument.
 */

import '../../src/io/nodeCompatibility.js'

import { pino } from 'pino'
import type { DropReason } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { asInstant, asUnixTime, type Now } from '../../src/base/time.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import { recordSealing } from '../../src/crypto/sealedRecord.js'
import { EngineLoop } from '../../src/daemon/engineLoop.js'
import { KnockDesk } from '../../src/daemon/knockDesk.js'
import { MeshErrands } from '../../src/daemon/meshErrands.js'
import { rankOwnMultiaddrs } from '../../src/daemon/ownMultiaddrs.js'
import { admitSealedRecord, admitStoredRecord } from '../../src/engine/directory/admission.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { Node } from '../../src/engine/node.js'
import { identityOfSeed } from '../../src/io/mesh/identity.js'
import { type Mesh, makeMesh } from '../../src/io/mesh/mesh.js'
import type { MeshOptions } from '../../src/io/mesh/options.js'
import type { MeshState } from '../../src/io/mesh/state.js'
import { systemRandom } from '../../src/io/systemRandom.js'
import { SEALED_KNOCK_LENGTH } from '../../src/wire/sealedKnock.js'
import { SEALED_RECORD_LENGTH } from '../../src/wire/sealedRecord.js'
import { encodeServices } from '../../src/wire/services.js'
import { MemoryFloors } from '../io/mesh/memoryFloors.js'

/** As in `test/io/mesh`, whose raw nodes speak it. */
export const NETWORK = 'test'

export interface RealNodeOptions {
  readonly keys: NodeKeys
  readonly peers?: readonly PublicKey[]
  readonly bootstrap?: readonly string[]
  readonly serves?: boolean
  /** The IP address that its UDP socket is said to have. */
  readonly ip?: string
  /** How far its wall clock is ahead, in milliseconds. */
  readonly aheadMs?: number
  readonly requestLimits?: MeshOptions['requestLimits']
  /** True to keep all that it is asked to store and hears; not by default, for a flood would fill the memory. */
  readonly watches?: boolean
}

export interface RealNode {
  readonly keys: NodeKeys
  readonly mesh: Mesh
  readonly engine: Node
  readonly loop: EngineLoop
  /** What it asked of its mesh. */
  readonly effects: Effect[]
  /** What its mesh told it in return. */
  readonly answers: Input['type'][]
  /** All that it was asked to store, as it came, where it watches. */
  readonly stored: { readonly key: Uint8Array; readonly value: Uint8Array }[]
  /** All that it heard by gossip, where it watches. */
  readonly records: Uint8Array[]
  readonly knocks: Uint8Array[]
  clock(): Now
  /** True where it has a record of the peer, and believes it. */
  knows(peer: RealNode): boolean
  drops(): Readonly<Partial<Record<DropReason, number>>>
  /** Its machine has another address. */
  move(ip: string): void
  stop(): Promise<void>
}

/** At whose end nodes are stopped: a test, above all. */
export interface Scope {
  after(stop: () => Promise<void>): void
}

/** Starts a node, and stops it at the end of the test. */
export async function startRealNode(
  t: Scope,
  {
    keys,
    peers = [],
    bootstrap = [],
    serves = false,
    ip = '198.51.100.1',
    aheadMs = 0,
    requestLimits,
    watches = false,
  }: RealNodeOptions,
): Promise<RealNode> {
  const clock = (): Now => ({
    instant: asInstant(performance.now()),
    unix: asUnixTime(Date.now() + aheadMs),
  })
  const log = pino({ level: 'silent' })
  const sealing = recordSealing(keys, NETWORK)
  const engine = new Node(
    {
      keys,
      identity: await identityOfSeed(keys.identitySeed()),
      random: systemRandom,
      loopback: { style: 'range', port: 51_822 },
      formerEndpoints: new Map(),
      role: serves ? 'serves' : 'client',
      sealing,
      lastSequence: 0,
      remembered: [],
    },
    clock(),
  )
  const loop = new EngineLoop(engine, { port: 0, mark: 0, wireguardPort: undefined, clock }, log)
  const knocking = new KnockDesk()
  const effects: Effect[] = []
  const answers: Input['type'][] = []
  const stored: RealNode['stored'] = []
  const records: Uint8Array[] = []
  const knocks: Uint8Array[] = []
  const meshChanged = ({ servers, addresses, gossips }: MeshState): void => {
    const multiaddrs = addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, ''))
    loop.handle({
      type: 'mesh-changed',
      connected: servers.length > 0 || serves,
      multiaddrs: rankOwnMultiaddrs(multiaddrs, serves),
      reflectors: [],
      relays: [],
      gossips,
    })
  }
  const mesh = await makeMesh({
    network: NETWORK,
    identitySeed: keys.identitySeed(),
    listen: serves ? [{ ip: '127.0.0.1', port: 0 }] : [],
    bootstrap,
    serves,
    ...(requestLimits === undefined ? {} : { requestLimits }),
    judge: (key, value) => {
      if (watches) stored.push({ key: key.slice(), value: value.slice() })
      return admitStoredRecord(key, value, clock().unix)
    },
    gossip: {
      judge: (bytes) => admitSealedRecord(bytes, clock().unix),
      recordLength: SEALED_RECORD_LENGTH,
      knockLength: SEALED_KNOCK_LENGTH,
      onRecord: (sealedRecord) => {
        if (watches) records.push(sealedRecord.slice())
        loop.handle({ type: 'record-gossiped', sealedRecord })
      },
      onKnock: (sealedKnock) => {
        if (watches) knocks.push(sealedKnock.slice())
        loop.handle({ type: 'knock-gossiped', sealedKnock })
      },
      limit: 2_000,
      clock,
      // The mesh's own ones go by this machine's clock.
      floors: new MemoryFloors(),
    },
    services: () => encodeServices({ version: 1, reflectors: [] }),
    onKnock: ({ from, bytes }) =>
      knocking.ask((id) => loop.handle({ type: 'knock-received', id, from, knock: bytes })),
    onSealedKnock: (sealedKnock) =>
      knocking.ask((id) => loop.handle({ type: 'knock-passed', id, sealedKnock })),
    onDrop: (reason) => engine.drop(reason),
    onChange: meshChanged,
    log,
  })
  const answered = (input: Input): void => {
    answers.push(input.type)
    loop.handle(input)
  }
  const errands = new MeshErrands(mesh, answered, log)
  loop.run({
    lookUp: (peer, under) => errands.lookUp(peer, under),
    knock: (effect) => {
      effects.push(effect)
      errands.knock(effect)
    },
    gossipKnock: (sealedKnock) => errands.gossipKnock(sealedKnock),
    publish: (effect) => {
      effects.push(effect)
      errands.publish(effect)
    },
    remember: () => {},
    answerKnock: (id, answer) => knocking.answer(id, answer),
    probeReachability: () => {},
    askUdpProbe: () => {},
    serve: () => {},
    openSockets: () => {},
    streamsChanged: () => {},
    probeGateway: () => {},
    mapPort: () => {},
    unmapPort: () => {},
    announceMapped: () => {},
    resolveName: () => undefined,
    setEndpoint: () => {},
  })
  const move = (address: string): void => {
    const socket = { id: 1, address: { ip: address, port: PORT }, device: 'eth0', purpose: 'shared' } as const
    loop.handle({ type: 'sockets-changed', sockets: [socket] })
  }
  move(ip)
  loop.handle({
    type: 'interface-read',
    peers: peers.map((publicKey) => ({
      publicKey,
      endpoint: undefined,
      isLinkLocal: false,
      latestHandshake: undefined,
    })),
  })
  await mesh.start()
  meshChanged(mesh.state())
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    knocking.close()
    errands.stop()
    loop.stop()
    stopped ??= mesh.stop()
    return stopped
  }
  t.after(stop)
  return {
    keys,
    mesh,
    engine,
    loop,
    effects,
    answers,
    stored,
    records,
    knocks,
    clock,
    knows: (peer) => engine.knownRecord(peer.keys.publicKey, clock()) !== undefined,
    drops: () => engine.drops.toJSON(),
    move,
    stop,
  }
}

/** The port that every node's UDP socket is said to have. */
export const PORT = 51_821
