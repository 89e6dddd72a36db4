/**
 * A process of a fleet of mesh nodes ({@link ./meshFleet}): does what it is asked over the channel to its parent, one
 * answer for each request, and ends with the parent.
 */

import '../../../src/io/nodeCompatibility.js'

import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { concat, fromString, toString as toText } from 'uint8arrays'
import { type Mesh, makeMesh } from '../../../src/io/mesh/mesh.js'
import type { MeshState } from '../../../src/io/mesh/state.js'
import { PersistentMap } from '../../../src/io/persistentMap.js'
import { judgeGossipedRecord, KNOCK_LENGTH, RECORD_LENGTH } from './gossiping.js'
import { InMemoryNodes } from './inMemoryNodes.js'
import { judgeTestRecord } from './meshes.js'

/** What a node is started with. */
export interface NodeStart {
  readonly identitySeed: Uint8Array
  readonly serves: boolean
  /** Where it listens; undefined for nowhere, as behind a NAT. */
  readonly listenIp: string | undefined
  /** On which port it listens; one of its choice by default. */
  readonly port?: number
  readonly bootstrap: readonly string[]
  /** Whether it gossips; it does not by default. */
  readonly gossips?: boolean
  /** True for one that knows what it knew when it last ran in this process: nodes, and records stored for others. */
  readonly remembers?: boolean
}

/** How a look-up went; times in ms since it was asked for. */
export interface LookUpOutcome {
  /** When the first valid record came; undefined where none did. */
  readonly firstMs: number | undefined
  /** When the last record was in and the look-up over. */
  readonly endMs: number
  readonly sequences: readonly number[]
}

/** What passed over all TCP sockets of the process since it started, in bytes, without the headers of TCP and IP. */
export interface Traffic {
  readonly bytesRead: number
  readonly bytesWritten: number
  /** How many were opened since. */
  readonly sockets: number
}

/** Everything a process can be asked; `node` is the name given by the one who starts it. */
export interface Requests {
  start(node: string, options: NodeStart): { readonly peerId: string; readonly address: string | undefined }
  stop(node: string): undefined
  state(node: string): MeshState
  identity(node: string): Uint8Array
  publish(
    node: string,
    key: Uint8Array,
    value: Uint8Array,
    deadlineMs: number,
  ): { readonly ms: number; readonly acknowledged: number }
  lookUp(node: string, key: Uint8Array, deadlineMs: number): LookUpOutcome
  /** Looks up again and again, one beside the other, until the record is found; resolves to the monotonic time of the machine, in ms. */
  untilFound(node: string, key: Uint8Array, sequence: number, deadlineMs: number): number
  /** Resolves to how long the answer took, in ms. */
  knock(
    node: string,
    identity: Uint8Array,
    multiaddrs: readonly string[],
    bytes: Uint8Array,
    deadlineMs: number,
  ): number
  /** Gossips a record; resolves to the monotonic time of the machine before, in ms. */
  gossip(node: string, bytes: Uint8Array): number
  /** When a record was heard by gossip, on the monotonic clock of the machine, in ms; undefined where it was not. */
  heardAt(node: string, bytes: Uint8Array): number | undefined
  traffic(): Traffic
}

export interface Request {
  readonly id: number
  readonly method: keyof Requests
  readonly args: readonly unknown[]
}

export type Response =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }

/** A record that is not there yet is looked up this often, in ms: a look-up begun too early does not find it. */
const LOOK_AGAIN_MS = 100

/** What a node has on its disk. */
interface Memory {
  readonly nodeMemory: InMemoryNodes
  readonly datastore: PersistentMap
}

const nodes = new Map<string, Mesh>()
/** By identity. */
const memories = new Map<string, Memory>()
/** By node and record: when it was heard by gossip. */
const heard = new Map<string, number>()
const openSockets = new Set<Socket>()
let sockets = 0
let closedRead = 0
let closedWritten = 0

const watchSocket = (message: unknown): void => {
  const { socket } = message as { readonly socket: Socket }
  sockets += 1
  openSockets.add(socket)
  socket.once('close', () => {
    openSockets.delete(socket)
    closedRead += socket.bytesRead
    closedWritten += socket.bytesWritten
  })
}

/** The monotonic clock, which all processes of a machine share, in ms. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function memoryOf(identitySeed: Uint8Array): Memory {
  const identity = toText(identitySeed, 'base64')
  const memory = memories.get(identity) ?? {
    nodeMemory: new InMemoryNodes(),
    datastore: new PersistentMap(),
  }
  memories.set(identity, memory)
  return memory
}

function nodeOf(name: string): Mesh {
  const node = nodes.get(name)
  if (node === undefined) throw new Error(`no node is called ${name}`)
  return node
}

const hearing = (node: string, bytes: Uint8Array): string => `${node} ${toText(bytes, 'base64')}`

const sequenceOf = (value: Uint8Array): number => new DataView(value.buffer, value.byteOffset).getUint32(1)

type Asynchronous<Methods> = {
  [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Result>
    : never
}

const answers: Asynchronous<Requests> = {
  async start(name, { identitySeed, serves, listenIp, port = 0, bootstrap, gossips, remembers }) {
    const mesh = await makeMesh({
      network: 'fleet',
      identitySeed,
      listen: listenIp === undefined ? [] : [{ ip: listenIp, port }],
      bootstrap,
      serves,
      judge: judgeTestRecord,
      services: () => fromString('services'),
      onKnock: async ({ bytes }) => concat([fromString('answer to '), bytes]),
      onDrop: () => {},
      onChange: () => {},
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      ...(remembers === true ? memoryOf(identitySeed) : {}),
      ...(gossips === true
        ? {
            gossip: {
              judge: judgeGossipedRecord,
              recordLength: RECORD_LENGTH,
              knockLength: KNOCK_LENGTH,
              onRecord: (bytes) => heard.set(hearing(name, bytes), machineMs()),
              onKnock: () => {},
              limit: 2_000,
            },
          }
        : {}),
    })
    nodes.set(name, mesh)
    await mesh.start()
    return { peerId: mesh.peerId, address: mesh.state().addresses[0] }
  },

  async stop(name) {
    const node = nodeOf(name)
    nodes.delete(name)
    await node.stop()
    return undefined
  },

  async state(name) {
    return nodeOf(name).state()
  },

  async identity(name) {
    return nodeOf(name).identity
  },

  async publish(name, key, value, deadlineMs) {
    const begun = performance.now()
    const acknowledged = await nodeOf(name).publish(key, value, AbortSignal.timeout(deadlineMs))
    return { ms: performance.now() - begun, acknowledged }
  },

  async lookUp(name, key, deadlineMs) {
    const begun = performance.now()
    const sequences: number[] = []
    let firstMs: number | undefined
    for await (const value of nodeOf(name).lookUp(key, AbortSignal.timeout(deadlineMs))) {
      firstMs ??= performance.now() - begun
      sequences.push(sequenceOf(value))
    }
    return { firstMs, endMs: performance.now() - begun, sequences }
  },

  async untilFound(name, key, sequence, deadlineMs) {
    const signal = AbortSignal.timeout(deadlineMs)
    return new Promise((resolve, reject) => {
      const look = async (): Promise<void> => {
        for await (const value of nodeOf(name).lookUp(key, signal))
          if (sequenceOf(value) >= sequence) end(resolve, machineMs())
      }
      const looking = setInterval(() => look().catch(() => {}), LOOK_AGAIN_MS)
      const end = <Outcome>(settle: (outcome: Outcome) => void, outcome: Outcome): void => {
        clearInterval(looking)
        settle(outcome)
      }
      signal.addEventListener('abort', () => end(reject, new Error('the record was not found')))
      look().catch(() => {})
    })
  },

  async knock(name, identity, multiaddrs, bytes, deadlineMs) {
    const begun = performance.now()
    await nodeOf(name).knock({ identity, multiaddrs }, bytes, AbortSignal.timeout(deadlineMs))
    return performance.now() - begun
  },

  async gossip(name, bytes) {
    const begun = machineMs()
    await nodeOf(name).gossip('records', bytes)
    return begun
  },

  async heardAt(name, bytes) {
    return heard.get(hearing(name, bytes))
  },

  async traffic() {
    let [bytesRead, bytesWritten] = [closedRead, closedWritten]
    for (const socket of openSockets) {
      bytesRead += socket.bytesRead
      bytesWritten += socket.bytesWritten
    }
    return { bytesRead, bytesWritten, sockets }
  },
}

async function answer({ id, method, args }: Request): Promise<Response> {
  try {
    const run = answers[method] as (...args: readonly unknown[]) => Promise<unknown>
    return { id, result: await run(...args) }
  } catch (error) {
    return { id, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
  }
}

if (process.send !== undefined) {
  subscribe('net.client.socket', watchSocket)
  subscribe('net.server.socket', watchSocket)
  process.on('disconnect', () => process.exit())
  // As `runNode` does.
  process.on('unhandledRejection', (error) => console.error('unexpected rejection:', error))
  process.on('message', (request: Request) => {
    void answer(request).then((response) => process.send?.(response))
  })
}
