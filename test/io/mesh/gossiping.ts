/** Nodes that gossip, with sealed records and knocks of a made-up format. */

import { createHash, randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { concat, toString as toText } from 'uint8arrays'
import { drop } from '../../../src/base/drops.js'
import type { GossipOptions } from '../../../src/io/mesh/gossip.js'
import type { SealedRecordJudge } from '../../../src/io/mesh/gossipVerdicts.js'
import type { MeshOptions } from '../../../src/io/mesh/options.js'
import { MemoryFloors } from './memoryFloors.js'
import { startTestMesh, type TestMesh, until } from './meshes.js'

export const RECORD_LENGTH = 1536
export const KNOCK_LENGTH = 1448

/** A node, and what it heard. */
export interface GossipMesh extends TestMesh {
  readonly records: Uint8Array[]
  readonly knocks: Uint8Array[]
}

/** A record of tests: an author of 32 bytes, a sequence number of 8, filling, and a hash of it all as its signature. */
export function gossipedRecord(author: Uint8Array, sequence: number, filling = 0): Uint8Array {
  const body = new Uint8Array(RECORD_LENGTH - 32).fill(filling)
  body.set(author)
  new DataView(body.buffer).setBigUint64(32, BigInt(sequence))
  return concat([body, signature(body)])
}

export function newAuthor(): Uint8Array {
  return randomBytes(32)
}

/** A knock of tests: its version, and anything. */
export function gossipedKnock(version = 1): Uint8Array {
  const knock = randomBytes(KNOCK_LENGTH)
  knock[0] = version
  return knock
}

export const judgeGossipedRecord: SealedRecordJudge = (bytes) => {
  const body = bytes.subarray(0, -32)
  if (toText(signature(body), 'base64') !== toText(bytes.subarray(-32), 'base64'))
    return drop('record-bad-signature')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return { author: toText(bytes.subarray(0, 32), 'base64'), sequence: Number(view.getBigUint64(32)) }
}

/** Starts a node that gossips; it is stopped at the end of the test. */
export async function startGossiping(
  t: TestContext,
  { gossip, ...options }: Partial<Omit<MeshOptions, 'gossip'>> & { gossip?: Partial<GossipOptions> } = {},
): Promise<GossipMesh> {
  const records: Uint8Array[] = []
  const knocks: Uint8Array[] = []
  const mesh = await startTestMesh(t, {
    ...options,
    gossip: {
      judge: judgeGossipedRecord,
      recordLength: RECORD_LENGTH,
      knockLength: KNOCK_LENGTH,
      onRecord: (bytes) => records.push(bytes),
      onKnock: (bytes) => knocks.push(bytes),
      limit: 2_000,
      // The numbers of these records are no times.
      floors: new MemoryFloors(),
      ...gossip,
    },
  })
  return { ...mesh, records, knocks }
}

/** Waits until each of the nodes is heard by another one. */
export async function untilHeard(nodes: readonly TestMesh[]): Promise<void> {
  await until(() => nodes.every((node) => node.state().gossips))
}

function signature(body: Uint8Array): Uint8Array {
  return createHash('sha256').update(body).digest()
}
