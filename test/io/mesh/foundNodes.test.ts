import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import { SERVERS_WANTED } from '../../../src/io/mesh/foundNodes.js'
import {
  decodeNetworks,
  encodeNetworks,
  networkTag,
  type RememberedNode,
} from '../../../src/io/mesh/nodeMemory.js'
import { InMemoryNodes } from './inMemoryNodes.js'
import { loopbackLan } from './loopbackLan.js'
import { addressOf, collect, newKey, soon, startServers, startTestMesh, testRecord, until } from './meshes.js'

const TAG = networkTag('test', undefined)

describe('a node that knows one node only', () => {
  test('is connected to as many servers as it wants within seconds, whether it serves or not', async (t) => {
    const servers = await startServers(t, SERVERS_WANTED + 2)
    for (const serves of [false, true]) {
      const node = await startTestMesh(t, { serves, bootstrap: [addressOf(servers[0])] })
      await until(() => node.state().servers.length >= SERVERS_WANTED)
    }
  })
})

describe('a mesh that lost every bootstrap node', () => {
  test('goes on, and a node that starts again finds it through those that it remembers', async (t) => {
    const [bootstrap, ...others] = await startServers(t, 3)
    const known = [addressOf(bootstrap)]
    const nodeMemory = new InMemoryNodes()
    const options = { bootstrap: known, nodeMemory, identitySeed: randomBytes(32) }
    const author = await startTestMesh(t, { bootstrap: known })
    const before = await startTestMesh(t, options)
    await until(() => before.state().servers.length === 3 && author.state().servers.length === 3)
    await before.stop()
    await bootstrap.stop()

    const key = newKey()
    await until(() => author.state().servers.length === 2)
    assert((await author.publish(key, testRecord(1), soon())) > 0)
    const again = await startTestMesh(t, options)
    await until(() => again.state().servers.length === 2, 10_000)
    assert.deepEqual(await collect(again.lookUp(key, soon())).then(([first]) => first), testRecord(1))
    await until(() => author.state().reservations > 0)
    const to = { identity: author.identity, multiaddrs: author.state().addresses }
    assert.equal(toText(await again.knock(to, fromString('a'), soon())), 'answer to a')
    assert.deepEqual(
      again
        .state()
        .servers.map(({ peerId }) => peerId)
        .sort(),
      others.map(({ peerId }) => peerId).sort(),
    )
  })

  test('is found with no bootstrap node given, though most that are remembered are gone', async (t) => {
    const [server] = await startServers(t, 1)
    const gone = await Promise.all(Array.from({ length: 12 }, () => startTestMesh(t, { serves: true })))
    const nodes = [...gone, server].map((mesh) => ({ ...rememberedAs(mesh), proved: true }))
    await Promise.all(gone.map((mesh) => mesh.stop()))
    const node = await startTestMesh(t, { nodeMemory: memoryOf(nodes) })
    await until(() => node.state().servers.length === 1)
  })

  test('is found when a remembered node comes back', async (t) => {
    const identitySeed = randomBytes(32)
    const former = await startTestMesh(t, { serves: true, identitySeed })
    const nodeMemory = memoryOf([rememberedAs(former)])
    const port = Number(/\/tcp\/(\d+)/.exec(addressOf(former))?.[1])
    await former.stop()
    let tries = 0
    const log = { info: () => {}, warn: () => {}, debug: () => (tries += 1) }
    const node = await startTestMesh(t, { nodeMemory, log })
    await until(() => tries >= 2)
    await startTestMesh(t, { serves: true, identitySeed, listen: [{ ip: '127.0.0.1', port }] })
    await until(() => node.state().servers.length === 1)
  })
})

test('the only server of a mesh keeps its own record, and those of others, for who comes later', async (t) => {
  const server = await startTestMesh(t, { serves: true })
  const [own, others] = [newKey(), newKey()]
  assert.equal(await server.publish(own, testRecord(1), soon()), 0)
  const author = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  assert.equal(await author.publish(others, testRecord(2), soon()), 1)
  const reader = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  assert.deepEqual(await collect(reader.lookUp(own, soon())), [testRecord(1)])
  assert.deepEqual(await collect(server.lookUp(others, soon())), [testRecord(2)])
  assert.deepEqual(await collect(server.lookUp(newKey(), soon())), [])
})

test('a node that knows nobody says so in one line, and which help is left', async (t) => {
  const lines: string[] = []
  const say = (level: string) => (_: object, message: string) => lines.push(`${level}: ${message}`)
  const log = { debug: () => {}, info: say('info'), warn: say('warn') }
  const server = await startTestMesh(t, { serves: true, log })
  await startTestMesh(t, { log })
  await startTestMesh(t, { log, lan: await loopbackLan() })
  await startTestMesh(t, { log, bootstrap: [addressOf(server)] })
  await startTestMesh(t, { log, nodeMemory: memoryOf([rememberedAs(server)]) })
  assert.deepEqual(
    lines.filter((line) => line.includes('no other node')),
    [
      'info: no other node is known (--bootstrap names one): waiting for one that connects to us',
      'warn: no other node is known (--bootstrap names one): waiting for one that connects to us',
      'warn: no other node is known (--bootstrap names one): waiting for nodes on the LAN, or one that connects to us',
    ],
  )
})

describe('what is remembered', () => {
  test('of one network is not tried in another, nor without its key', async (t) => {
    const [server] = await startServers(t, 1)
    const nodes = [rememberedAs(server)]
    const nodeMemory = new InMemoryNodes(
      encodeNetworks(
        new Map([
          [networkTag('another', undefined), nodes],
          [networkTag('test', fromString('a key')), nodes],
        ]),
      ),
    )
    const node = await startTestMesh(t, { nodeMemory })
    assert.equal(node.state().remembered, 0)
    assert.equal(node.state().connections, 0)
  })

  test('is every server, with the address at which it was reached', async (t) => {
    const [first, second] = await startServers(t, 2)
    assert(second)
    const nodeMemory = new InMemoryNodes()
    const node = await startTestMesh(t, { bootstrap: [addressOf(first)], nodeMemory })
    await until(() => node.state().servers.length === 2)
    await until(() => listIn(nodeMemory).length === 2)
    for (const server of [first, second]) {
      const { id, addresses } = rememberedAs(server)
      const found = listIn(nodeMemory).find((remembered) => remembered.id === id)
      assert.deepEqual(found, { id, addresses, proved: true })
    }
  })

  test('of a server that dialled us is the address where it listens', async (t) => {
    const nodeMemory = new InMemoryNodes()
    const first = await startTestMesh(t, { serves: true, nodeMemory })
    const second = await startTestMesh(t, { serves: true, bootstrap: [addressOf(first)] })
    await until(() => listIn(nodeMemory).length === 1)
    assert.deepEqual(listIn(nodeMemory), [rememberedAs(second)])
  })

  test('is forgotten where it turns out not to serve the network', async (t) => {
    const other = await startTestMesh(t, { serves: true, network: 'another' })
    const node = await startTestMesh(t, { nodeMemory: memoryOf([rememberedAs(other)]) })
    await until(() => node.state().remembered === 0)
    await until(() => node.state().connections === 0)
  })
})

/** A node that serves, as it is remembered. */
function rememberedAs(mesh: Parameters<typeof addressOf>[0]): RememberedNode {
  const [address = '', id = ''] = addressOf(mesh).split('/p2p/')
  return { id, addresses: [address], proved: true }
}

function memoryOf(nodes: readonly RememberedNode[]): InMemoryNodes {
  return new InMemoryNodes(encodeNetworks(new Map([[TAG, nodes]])))
}

function listIn({ bytes }: InMemoryNodes): readonly RememberedNode[] {
  return (bytes && decodeNetworks(bytes).get(TAG)) ?? []
}
