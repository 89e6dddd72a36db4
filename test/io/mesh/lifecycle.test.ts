/** Starting, stopping, and what is left of those who came and went. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Session } from 'node:inspector'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fromString } from 'uint8arrays'
import { ask } from '../../../src/io/mesh/exchange.js'
import { type Mesh, makeMesh } from '../../../src/io/mesh/mesh.js'
import { encodeReserve, MAX_RESERVATION_LENGTH } from '../../../src/wire/circuit.js'
import { startGossiping } from './gossiping.js'
import { addressOf, judgeTestRecord, soon, until } from './meshes.js'
import { connectRaw } from './rawNode.js'

const SERVER = fileURLToPath(new URL('./relayProcess.js', import.meta.url))
const HOP = '/libp2p/circuit/relay/0.2.0/hop'

function makeTestMesh(serves: boolean, bootstrap: readonly string[]): Promise<Mesh> {
  return makeMesh({
    network: 'test',
    identitySeed: randomBytes(32),
    listen: [{ ip: '127.0.0.1', port: 0 }],
    bootstrap,
    serves,
    judge: judgeTestRecord,
    services: () => fromString('services'),
    onKnock: async () => undefined,
    onDrop: () => {},
    onChange: () => {},
    log: { debug: () => {}, info: () => {}, warn: () => {} },
  })
}

/** What keeps this process alive, by kind. */
function resources(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

// The first test here, while nothing else is there that keeps the process alive.
test('a node that is stopped leaves nothing, whatever it is at', async (t) => {
  const child = spawn(process.execPath, [SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  const [server, peerId = ''] = [String(line), /[^/]+$/.exec(String(line))?.[0]]
  const before = resources()
  const bootstrap = [server, `/ip4/127.0.0.1/tcp/9/p2p/${peerId}`]
  const whatItIsAt: readonly ((mesh: Mesh) => Promise<unknown>)[] = [
    async (mesh) => mesh.start().catch(() => {}),
    async (mesh) => {
      await mesh.start()
      await until(() => mesh.state().reservations === 1)
    },
    async (mesh) => {
      await mesh.start()
      void mesh.setServing(true)
      void mesh.setServing(false)
    },
    async (mesh) => {
      await mesh.start()
      await until(() => mesh.state().servers.length === 1)
      void mesh.probeReachability(soon())
      const nobody = { identity: mesh.identity, multiaddrs: [`${server}/p2p-circuit`] }
      void mesh.knock(nobody, randomBytes(9), soon()).catch(() => {})
      void mesh.publish(fromString('/record/a'), fromString('\x01\0\0\0\x01'), soon()).catch(() => {})
    },
  ]
  for (const [n, beAt] of whatItIsAt.entries()) {
    const mesh = await makeTestMesh(false, bootstrap)
    const busy = beAt(mesh)
    // The first is stopped while it starts.
    if (n > 0) await busy
    await mesh.stop()
    await until(() => JSON.stringify(resources()) === JSON.stringify(before)).catch(() =>
      assert.deepEqual(resources(), before, `case ${n}`),
    )
  }
})

describe('a node', () => {
  test('that is told to serve, or not to, while it starts, does so', async (t) => {
    for (const serves of [true, false]) {
      const mesh = await makeTestMesh(!serves, [])
      t.after(() => mesh.stop())
      const started = mesh.start()
      await mesh.setServing(serves)
      await started
      assert.equal(mesh.state().serves, serves)
    }
  })
})

/** The maps and sets of this process, each with its size at two times. */
class Tables {
  readonly #session = new Session()
  #before: string | undefined

  constructor() {
    this.#session.connect()
  }

  /** Notes the sizes. */
  note(): void {
    this.#before = this.#call(this.#all(), 'function () { return this.map((t) => [t, t.size]) }')
  }

  /** Some keys and a value of each table that has grown by `least` or more since. */
  grown(least: number): readonly string[] {
    const { result } = this.#post('Runtime.callFunctionOn', {
      objectId: this.#before ?? '',
      functionDeclaration: `function (least) {
        const shown = (x) => typeof x === 'object' && x !== null ? x.constructor?.name ?? 'object' : String(x)
        return this.filter(([t, size]) => t.size - size >= least).map(([t, size]) => {
          const [key, value] = [...t.entries()].at(-1)
          return shown(key).slice(0, 40) + ' => ' + shown(value).slice(0, 40) + ': ' + size + ' to ' + t.size
        })
      }`,
      arguments: [{ value: least }],
      returnByValue: true,
    })
    return result.value
  }

  close(): void {
    this.#session.disconnect()
  }

  #all(): string {
    const ids = ['Map', 'Set'].map((name) => {
      const { result } = this.#post('Runtime.evaluate', { expression: `${name}.prototype` })
      return this.#post('Runtime.queryObjects', { prototypeObjectId: result.objectId }).objects.objectId
    })
    return this.#call(
      ids[0],
      'function (sets) { return [...this, ...sets].filter((t) => { try { return t.size >= 0 } catch { return false } }) }',
      [{ objectId: ids[1] }],
    )
  }

  #call(objectId: string, functionDeclaration: string, args: readonly object[] = []): string {
    return this.#post('Runtime.callFunctionOn', { objectId, functionDeclaration, arguments: args }).result
      .objectId
  }

  // biome-ignore lint/suspicious/noExplicitAny: the protocol's answers are as many as its methods
  #post(method: string, parameters: object): any {
    let answer: unknown
    this.#session.post(method, parameters, (error, result) => {
      if (error !== null) throw error
      answer = result
    })
    return answer
  }
}

test('peers that connect once, ask for something and go are in no table any more, but for the bounded ones', async (t) => {
  const server = await startGossiping(t, { serves: true })
  const comeAndGo = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const connection = await connectRaw(t, addressOf(server))
      await connection.newStream('/tunnelbore/test/gossip/1')
      await ask(connection, HOP, encodeReserve(), MAX_RESERVATION_LENGTH, { signal: soon() })
      await connection.close()
    }
    await until(() => server.state().connections === 0)
  }
  await comeAndGo(8)
  const tables = new Tables()
  t.after(() => tables.close())
  tables.note()
  await comeAndGo(64)
  // libp2p's peer store is in a datastore that is bounded ({@link Libp2pDatastore}); gossipsub forgets scores each 10 s.
  const left = () => tables.grown(32).filter((table) => !/^\/peers\//.test(table))
  await until(() => left().length === 0).catch(() => assert.deepEqual(left(), []))
})
