import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import type { MeshState } from '../../../src/io/mesh/state.js'
import { addressOf, newKey, soon, startTestMesh, type TestMesh, testRecord, until } from './meshes.js'

/** A server of its own address, connected to `bootstrap`. */
function serverAt(t: TestContext, ip: string, bootstrap: readonly TestMesh[] = []): Promise<TestMesh> {
  const known = bootstrap.map(addressOf)
  return startTestMesh(t, { serves: true, listen: [{ ip, port: 0 }], bootstrap: known })
}

/** A node that serves nothing yet, and listens. */
async function clientOf(
  t: TestContext,
  servers: readonly TestMesh[],
  states: MeshState[] = [],
  mayDial: (ip: string) => boolean = () => true,
): Promise<TestMesh> {
  const client = await startTestMesh(t, {
    listen: [{ ip: '127.0.0.1', port: 0 }],
    bootstrap: servers.map(addressOf),
    onChange: (state) => states.push(state),
    mayDial,
  })
  await until(() => client.state().servers.length === servers.length)
  return client
}

describe('a node that begins to serve', () => {
  test('is found by those who are connected, takes reservations and records, and gives up its own', async (t) => {
    const first = await serverAt(t, '127.0.1.1')
    const node = await clientOf(t, [first])
    const other = await clientOf(t, [first])
    const direct = node.state().addresses.find((address) => !address.includes('/p2p-circuit')) ?? ''
    const third = await startTestMesh(t, { bootstrap: [addressOf(first), direct] })
    await until(() => node.state().reservations === 1 && third.state().reservations === 1)

    await node.setServing(true)
    assert.equal(node.state().serves, true)
    await until(() => third.state().servers.length === 2 && third.state().reservations === 2)
    await until(() => first.state().servers.some(({ peerId }) => peerId === node.peerId))
    assert.equal(node.state().reservations, 0)
    assert(node.state().addresses.every((address) => !address.includes('/p2p-circuit')))
    const key = newKey()
    assert.equal(await third.publish(key, testRecord(1), soon()), 2)
    assert.equal(node.state().storedRecords, 1)
    const through = third.state().addresses.filter((address) => address.includes(node.peerId))
    const to = { identity: third.identity, multiaddrs: through }
    assert.equal(toText(await other.knock(to, fromString('a'), soon())), 'answer to a')
  })

  test('and stops again, and begins again: each time others follow, and reservations move', async (t) => {
    const [first, second] = [await serverAt(t, '127.0.1.1'), await serverAt(t, '127.0.2.1')]
    const node = await startTestMesh(t, {
      listen: [{ ip: '127.0.3.1', port: 0 }],
      bootstrap: [addressOf(first), addressOf(second)],
    })
    const direct = node.state().addresses[0] ?? ''
    await node.setServing(true)
    const hidden = await startTestMesh(t, { bootstrap: [addressOf(first), direct] })
    for (let turn = 0; turn < 2; turn++) {
      await until(() => hidden.state().addresses.some((address) => address.includes(node.peerId)))
      await node.setServing(false)
      await until(() => hidden.state().addresses.every((address) => !address.includes(node.peerId)))
      await until(() => hidden.state().servers.every(({ peerId }) => peerId !== node.peerId))
      await until(() => node.state().reservations === 2)
      await node.setServing(true)
      await until(() => hidden.state().servers.some(({ peerId }) => peerId === node.peerId))
    }
    const state = await Promise.all([node.setServing(false), node.setServing(true), node.setServing(false)])
    assert.equal(state.length, 3)
    assert.equal(node.state().serves, false)
  })
})

describe('a node that asks whether others reach it', () => {
  test('is dialled by another server than the one it asked, which has no connection to it', async (t) => {
    const asked = await serverAt(t, '127.0.1.1')
    const helper = await serverAt(t, '127.0.2.1', [asked])
    const second = await startTestMesh(t, {
      serves: true,
      listen: [{ ip: '127.0.3.1', port: 0 }],
      bootstrap: [addressOf(helper)],
    })
    await until(() => second.state().servers.some(({ peerId }) => peerId === helper.peerId))
    const node = await clientOf(t, [second], [], (ip) => ip === '127.0.3.1')
    const before = node.state().connections
    const probe = await node.probeReachability(soon())
    assert.deepEqual(probe, { reachable: true, server: second.peerId, servers: 1 })
    assert.equal(node.state().connections, before)
    assert.equal(helper.state().servers.length, 2)
    assert(node.state().addresses.some((address) => address.startsWith('/ip4/127.0.0.1/tcp/')))
  })

  test('is dialled by the server itself where there is no other', async (t) => {
    const server = await serverAt(t, '127.0.1.1')
    const node = await clientOf(t, [server])
    assert.equal((await node.probeReachability(soon())).reachable, true)
    assert.equal(node.state().connections, 1)
  })

  test('over IPv6 as well', async (t) => {
    const server = await serverAt(t, '::1')
    const node = await startTestMesh(t, { listen: [{ ip: '::1', port: 0 }], bootstrap: [addressOf(server)] })
    await until(() => node.state().servers.length === 1)
    assert.equal((await node.probeReachability(soon())).reachable, true)
  })

  test('believes no single one of several servers about its address', async (t) => {
    const servers = [await serverAt(t, '127.0.1.1'), await serverAt(t, '127.0.2.1')]
    const node = await startTestMesh(t, {
      listen: [{ ip: '0.0.0.0', port: 0 }],
      announces: () => false,
      bootstrap: servers.map(addressOf),
    })
    await until(() => node.state().servers.length === 2)
    const direct = () => node.state().addresses.filter((address) => !address.includes('/p2p-circuit'))
    assert.equal((await node.probeReachability(soon())).reachable, true)
    assert.deepEqual(direct(), [])
    assert.equal((await node.probeReachability(soon())).reachable, true)
    assert.equal(direct().length, 1)
  })

  test('is told no where it does not listen, and where somebody else does', async (t) => {
    const server = await serverAt(t, '127.0.1.1')
    const impostor = createServer((socket) => socket.on('error', () => {}).end('who is there'))
    t.after(() => impostor.close())
    impostor.listen(0, '127.0.0.1')
    await once(impostor, 'listening')
    // It listens elsewhere than where it is seen.
    const address = impostor.address()
    const port = typeof address === 'object' && address !== null ? address.port : assert.fail()
    const node = await startTestMesh(t, {
      listen: [{ ip: '127.0.9.1', port }],
      bootstrap: [addressOf(server)],
    })
    await until(() => node.state().servers.length === 1)
    assert.deepEqual(await node.probeReachability(soon()), {
      reachable: false,
      server: server.peerId,
      servers: 1,
    })
  })

  test('takes turns among the servers', async (t) => {
    const servers = [await serverAt(t, '127.0.1.1'), await serverAt(t, '127.0.2.1')]
    const node = await clientOf(t, servers)
    const first = await node.probeReachability(soon())
    const second = await node.probeReachability(soon())
    assert.deepEqual(new Set([first.server, second.server]), new Set(servers.map(({ peerId }) => peerId)))
    assert.equal(first.servers, 2)
  })

  test('knows nothing where there is nobody to ask, or where it does not listen', async (t) => {
    const alone = await startTestMesh(t, { listen: [{ ip: '127.0.0.1', port: 0 }] })
    assert.equal((await alone.probeReachability(soon())).reachable, undefined)
    const server = await serverAt(t, '127.0.1.1')
    const deaf = await startTestMesh(t, { bootstrap: [addressOf(server)] })
    await until(() => deaf.state().servers.length === 1)
    assert.equal((await deaf.probeReachability(soon())).reachable, undefined)
  })

  test('learns of an address that it does not have itself, and tells others of it', async (t) => {
    const server = await serverAt(t, '127.0.1.1')
    const node = await startTestMesh(t, {
      // Wherever it listens, it says nothing of it: as behind one-to-one NAT.
      listen: [{ ip: '0.0.0.0', port: 0 }],
      announces: () => false,
      bootstrap: [addressOf(server)],
      identitySeed: randomBytes(32),
    })
    await until(() => node.state().servers.length === 1)
    const isDirect = (address: string) => !address.includes('/p2p-circuit')
    assert.equal(node.state().addresses.filter(isDirect).length, 0)
    assert.equal((await node.probeReachability(soon())).reachable, true)
    const [address = ''] = node.state().addresses.filter(isDirect)
    assert.match(address, /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//)
    const stranger = await startTestMesh(t)
    const to = { identity: node.identity, multiaddrs: [address] }
    assert.equal(toText(await stranger.knock(to, fromString('a'), soon())), 'answer to a')
    node.networkChanged(() => true)
    assert.equal(node.state().addresses.filter(isDirect).length, 0)
  })
})
