/** Real nodes on 127.0.0.1, with records and knocks of a made-up format. */

import '../../../src/io/nodeCompatibility.js'

import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { concat, fromString } from 'uint8arrays'
import { type DropReason, drop } from '../../../src/base/drops.js'
import { type Mesh, makeMesh } from '../../../src/io/mesh/mesh.js'
import type { MeshOptions } from '../../../src/io/mesh/options.js'
import type { RecordJudge } from '../../../src/io/mesh/recordStore.js'
import { until as untilNamed } from '../../until.js'

/** A node and what was heard from it. */
export interface TestMesh extends Mesh {
  readonly drops: DropReason[]
}

/** A record of tests: the byte 1, a sequence number of four bytes, and any text. */
export function testRecord(sequence: number, text = ''): Uint8Array {
  const head = new Uint8Array(5)
  head[0] = 1
  new DataView(head.buffer).setUint32(1, sequence)
  return concat([head, fromString(text)])
}

export const judgeTestRecord: RecordJudge = (_key, value) => {
  if (value.length > 2048) return drop('record-too-large')
  if (value.length < 5) return drop('record-malformed')
  if (value[0] !== 1) return drop('record-bad-signature')
  return { sequence: new DataView(value.buffer, value.byteOffset).getUint32(1) }
}

/** A new key of a record in the DHT. */
export function newKey(): Uint8Array {
  return fromString(`/record/${randomBytes(32).toString('base64url')}`)
}

/** Starts a node that is stopped at the end of the test. */
export async function startTestMesh(t: TestContext, options: Partial<MeshOptions> = {}): Promise<TestMesh> {
  const drops: DropReason[] = []
  const mesh = await makeMesh({
    network: 'test',
    identitySeed: randomBytes(32),
    listen: options.serves === true ? [{ ip: '127.0.0.1', port: 0 }] : [],
    bootstrap: [],
    serves: false,
    judge: judgeTestRecord,
    services: () => fromString('services'),
    onKnock: async ({ bytes }) => concat([fromString('answer to '), bytes]),
    onDrop: (reason) => drops.push(reason),
    onChange: () => {},
    log: { debug: () => {}, info: () => {}, warn: () => {} },
    ...options,
  })
  await mesh.start()
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= mesh.stop()
    return stopped
  }
  t.after(stop)
  return { ...mesh, stop, drops }
}

/** The address at which others reach a node that serves. */
export function addressOf(mesh: Mesh): string {
  const [address] = mesh.state().addresses
  if (address === undefined) throw new Error('the node has no address')
  return address
}

/** `count` nodes that serve, each knowing the first, which has all others in its routing table. */
export async function startServers(
  t: TestContext,
  count: number,
): Promise<readonly [TestMesh, ...TestMesh[]]> {
  const first = await startTestMesh(t, { serves: true })
  const others = await Promise.all(
    Array.from({ length: count - 1 }, () =>
      startTestMesh(t, { serves: true, bootstrap: [addressOf(first)] }),
    ),
  )
  await until(() => first.state().routingTable === count - 1)
  return [first, ...others]
}

/** Waits until `condition` holds; throws, naming it, after a generous time. */
export async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  await untilNamed(String(condition), condition, deadlineMs)
}

/** A signal for everything that must not take for ever. */
export function soon(ms = 20_000): AbortSignal {
  return AbortSignal.timeout(ms)
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}
