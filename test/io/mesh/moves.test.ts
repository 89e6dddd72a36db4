import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import { closeIfDead } from '../../../src/io/mesh/liveness.js'
import { addressOf, soon, startServers, startTestMesh, type TestMesh, until } from './meshes.js'
import { SilentProxy } from './proxy.js'
import { connectRaw } from './rawNode.js'

const PING = '/tunnelbore/test/ping/1.0.0'
const EVERY_ADDRESS = () => true
const NO_ADDRESS = () => false
/** A node that serves pings its connections 30 s after its start, and waits 5 s for the answer. */
const BEFORE_SERVERS_PING_MS = 20_000

async function knock(from: TestMesh, to: TestMesh, text: string): Promise<string> {
  const address = { identity: to.identity, multiaddrs: to.state().addresses }
  return toText(await from.knock(address, fromString(text), soon()))
}

/** A server, its address, and a proxy before it. Nobody learns the address from the server: others dial the proxy again. */
async function serverBehindProxy(t: TestContext) {
  let announces = true
  const server = await startTestMesh(t, { serves: true, announces: () => announces })
  const address = addressOf(server)
  announces = false
  return { server, address, proxy: await SilentProxy.start(t, address) }
}

/** Besides, a node that has a reservation there. */
async function hiddenBehindProxy(t: TestContext) {
  const { server, address, proxy } = await serverBehindProxy(t)
  const hidden = await startTestMesh(t, { bootstrap: [proxy.address] })
  await until(() => hidden.state().reservations === 1)
  return { server, address, proxy, hidden }
}

/** All that was open is dead and nobody is told, as by a move; the node itself finds out, and connects again. */
async function move(proxy: SilentProxy, mover: TestMesh): Promise<void> {
  const before = proxy.accepted
  proxy.silence()
  mover.networkChanged(NO_ADDRESS)
  await until(() => proxy.accepted === before + 1 && mover.state().reservations === 1)
}

describe('a peer that moved', () => {
  test('is knocked as soon as it is connected again: the relay does not wait for its own pings', async (t) => {
    const { address, proxy, hidden } = await hiddenBehindProxy(t)
    const knocker = await startTestMesh(t, { bootstrap: [address] })
    await until(() => knocker.state().servers.length === 1)
    for (const text of ['once', 'and again']) {
      await move(proxy, hidden)
      const late = AbortSignal.timeout(BEFORE_SERVERS_PING_MS)
      const to = { identity: hidden.identity, multiaddrs: hidden.state().addresses }
      assert.equal(toText(await knocker.knock(to, fromString(text), late)), `answer to ${text}`)
    }
  })

  test('is knocked by those that had a relayed connection to where it was', async (t) => {
    const { address, proxy, hidden } = await hiddenBehindProxy(t)
    const knocker = await startTestMesh(t, { bootstrap: [address] })
    assert.equal(await knock(knocker, hidden, 'before'), 'answer to before')
    await move(proxy, hidden)
    assert.equal(await knock(knocker, hidden, 'after'), 'answer to after')
  })

  test('leaves no dead connection at the server', async (t) => {
    const { server, proxy, hidden } = await hiddenBehindProxy(t)
    await move(proxy, hidden)
    assert.equal(proxy.accepted, 2)
    await until(() => server.state().connections === 1, BEFORE_SERVERS_PING_MS)
    assert.equal(hidden.state().reservations, 1)
    assert.equal(proxy.accepted, 2)
  })
})

test('two nodes of one identity, or two connections of one node, do not throw each other out', async (t) => {
  const [server] = await startServers(t, 1)
  const identitySeed = randomBytes(32)
  let losses = 0
  let connected = false
  const older = await startTestMesh(t, {
    identitySeed,
    bootstrap: [addressOf(server)],
    onKnock: async () => fromString('older'),
    onChange: ({ servers }) => {
      if (connected && servers.length === 0) losses += 1
      connected = servers.length > 0
    },
  })
  await until(() => older.state().reservations === 1)
  const newer = await startTestMesh(t, {
    identitySeed,
    bootstrap: [addressOf(server)],
    onKnock: async () => fromString('newer'),
  })
  await until(() => newer.state().reservations === 1)
  const knocker = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  await until(() => knocker.state().servers.length === 1)
  assert.equal(await knock(knocker, newer, 'a'), 'newer')
  await newer.stop()
  await until(() => server.state().connections === 2)
  assert.equal(await knock(knocker, older, 'b'), 'older')
  assert.equal(losses, 0)
})

describe('a connection in doubt', () => {
  test('stays where it lives, also where the other side does not know the protocol', async (t) => {
    const [server] = await startServers(t, 1)
    const connection = await connectRaw(t, addressOf(server))
    await closeIfDead(connection, PING)
    await closeIfDead(connection, '/nonsense/1.0.0')
    assert.equal(connection.status, 'open')
    assert.deepEqual(connection.streams, [])
  })

  test('is aborted where nothing comes back', async (t) => {
    const { proxy } = await serverBehindProxy(t)
    const connection = await connectRaw(t, proxy.address)
    proxy.silence()
    await closeIfDead(connection, PING)
    assert.notEqual(connection.status, 'open')
  })
})

describe('when the network of the machine changes', () => {
  test('connections from addresses that are gone are dialled anew, though their pings would pass', async (t) => {
    const { proxy, hidden } = await hiddenBehindProxy(t)
    hidden.networkChanged(NO_ADDRESS)
    await until(() => proxy.accepted === 2 && hidden.state().reservations === 1)
    assert.equal(hidden.state().connections, 1)
  })

  test('those from addresses that are still there stay, in both directions', async (t) => {
    const { proxy } = await serverBehindProxy(t)
    const listen = ['127.0.0.1', '127.0.0.3'].map((ip) => ({ ip, port: 0 }))
    const node = await startTestMesh(t, { serves: true, listen, bootstrap: [proxy.address] })
    await until(() => node.state().servers.length === 1)
    const [staying, going] = await Promise.all(
      listen.map(({ ip }) => {
        const address = node.state().addresses.find((text) => text.includes(`/${ip}/`))
        return connectRaw(t, address ?? assert.fail())
      }),
    )
    assert(staying && going)
    node.networkChanged((ip) => ip !== '127.0.0.3')
    await until(() => going.status !== 'open')
    assert.equal(staying.status, 'open')
    assert.equal(proxy.accepted, 1)
    assert.equal(node.state().servers.length, 1)
  })

  test('and nothing of them is gone, dead connections are found before the next ping is due', async (t) => {
    const { proxy } = await serverBehindProxy(t)
    const other = await startTestMesh(t, { serves: true, bootstrap: [proxy.address] })
    await until(() => other.state().bootstrap[0]?.connected === true)
    proxy.silence()
    other.networkChanged(EVERY_ADDRESS)
    await until(() => proxy.accepted === 2, BEFORE_SERVERS_PING_MS)
    await until(() => other.state().bootstrap[0]?.connected === true)
  })

  test('a known node that is down is tried again without the pause', async (t) => {
    const gone = await startTestMesh(t, { serves: true })
    const bootstrap = [addressOf(gone)]
    await gone.stop()
    const client = await startTestMesh(t, { bootstrap })
    const pauseS = () => client.state().bootstrap[0]?.nextTryInS ?? 0
    await until(() => pauseS() > 0.2)
    client.networkChanged(EVERY_ADDRESS)
    assert(pauseS() <= 0.065, `${pauseS()} s`)
  })

  test('a dial under way is called off and begun again, and counts as no failure', async (t) => {
    const { proxy } = await serverBehindProxy(t)
    proxy.swallows = true
    const client = await startTestMesh(t, { bootstrap: [proxy.address] })
    await until(() => proxy.accepted === 1)
    proxy.swallows = false
    client.networkChanged(EVERY_ADDRESS)
    await until(() => proxy.accepted === 2)
    assert.equal(client.state().bootstrap[0]?.lastError, undefined)
    await until(() => client.state().servers.length === 1)
  })
})
