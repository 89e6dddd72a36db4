import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { byteStream } from '@libp2p/utils'
import { fromString, toString as toText } from 'uint8arrays'
import { MAX_KNOCK_LENGTH, MAX_KNOCKS_AT_ONCE } from '../../../src/io/mesh/knock.js'
import { addressOf, soon, startServers, startTestMesh, type TestMesh, until } from './meshes.js'
import { connectRaw } from './rawNode.js'

const PROTOCOL = '/tunnelbore/test/knock/1'

test('a knock reaches a node that serves, and carries the identity of the sender', async (t) => {
  const heard: string[] = []
  const server = await startTestMesh(t, {
    serves: true,
    onKnock: async ({ from, bytes }) => {
      heard.push(`${toText(from, 'hex')} ${toText(bytes)}`)
      return fromString('come in')
    },
  })
  const client = await startTestMesh(t)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  assert.equal(toText(await client.knock(to, fromString('hello'), soon())), 'come in')
  assert.deepEqual(heard, [`${toText(client.identity, 'hex')} hello`])
})

test('addresses may lack the id of the peer, or be nonsense, as long as one is right', async (t) => {
  const [server] = await startServers(t, 1)
  const client = await startTestMesh(t)
  const address = addressOf(server)
  const multiaddrs = [
    'nonsense',
    '/ip4/127.0.0.1',
    '/p2p-circuit',
    address.replace(/[^/]+$/, client.peerId),
    address.replace(/\/p2p\/[^/]+$/, ''),
  ]
  const answer = await client.knock({ identity: server.identity, multiaddrs }, fromString('a'), soon())
  assert.equal(toText(answer), 'answer to a')
})

test('a hundred knocks over one connection leave no stream behind', async (t) => {
  const [server] = await startServers(t, 1)
  const client = await startTestMesh(t)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  for (let n = 0; n < 100; n++)
    assert.equal(toText(await client.knock(to, fromString(`${n}`), soon())), `answer to ${n}`)
  assert.equal(client.state().connections, 1)
})

/** A listener that takes connections and says nothing, as a black hole seen from libp2p. */
async function blackHole(t: TestContext): Promise<string> {
  const server: Server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  assert(typeof address === 'object' && address !== null)
  return `/ip4/127.0.0.1/tcp/${address.port}`
}

test('a knock reaches a node that cannot be dialled, through a relay, whatever its other addresses do', async (t) => {
  const servers = await startServers(t, 2)
  const bootstrap = servers.map(addressOf)
  const hidden = await startTestMesh(t, { bootstrap })
  await until(() => hidden.state().reservations === 2)
  const circuits = hidden.state().addresses
  assert(circuits.every((address) => address.includes('/p2p-circuit/')))
  const multiaddrs = [await blackHole(t), await blackHole(t), ...circuits]
  const to = { identity: hidden.identity, multiaddrs }

  const connected = await startTestMesh(t, { bootstrap })
  await until(() => connected.state().servers.length === 2)
  const started = performance.now()
  assert.equal(toText(await connected.knock(to, fromString('a'), soon())), 'answer to a')
  assert(performance.now() - started < 1_400, 'the black hole held the knock up')
  assert.equal(toText(await connected.knock(to, fromString('b'), soon())), 'answer to b')

  const stranger = await startTestMesh(t)
  assert.equal(toText(await stranger.knock(to, fromString('c'), soon())), 'answer to c')
  assert.equal(toText(await servers[0].knock(to, fromString('d'), soon())), 'answer to d')
})

test('a record of the first moments names no relay yet, and the knock arrives through a server that both know', async (t) => {
  const servers = await startServers(t, 2)
  const bootstrap = servers.map(addressOf)
  const hidden = await startTestMesh(t, { bootstrap })
  await until(() => hidden.state().reservations === 2)
  const client = await startTestMesh(t, { bootstrap })
  await until(() => client.state().servers.length === 2)
  const to = { identity: hidden.identity, multiaddrs: [await blackHole(t)] }
  assert.equal(toText(await client.knock(to, fromString('a'), soon())), 'answer to a')
})

test('a knock at nothing but an address that swallows packets fails in time for a better record', async (t) => {
  const client = await startTestMesh(t)
  const to = { identity: (await startTestMesh(t)).identity, multiaddrs: [await blackHole(t)] }
  const started = performance.now()
  await assert.rejects(client.knock(to, fromString('a'), soon()), Error)
  assert(performance.now() - started < 3_000)
})

test('a relayed connection that is opened and then says nothing is hedged through the other relay', async (t) => {
  const bootstrap = (await startServers(t, 2)).map(addressOf)
  let heard = 0
  const hidden = await startTestMesh(t, {
    bootstrap,
    onKnock: ({ bytes }) => {
      heard += 1
      return heard === 1 ? new Promise(() => {}) : Promise.resolve(bytes)
    },
  })
  await until(() => hidden.state().reservations === 2)
  const client = await startTestMesh(t, { bootstrap })
  await until(() => client.state().servers.length === 2)
  const to = { identity: hidden.identity, multiaddrs: hidden.state().addresses }
  const started = performance.now()
  assert.equal(toText(await client.knock(to, fromString('a'), soon())), 'a')
  assert(performance.now() - started < 3_000)
  assert.equal(heard, 2)
  assert.equal(client.state().connections, 4)
})

test('two nodes that cannot be dialled knock each other at the same time', async (t) => {
  const [server] = await startServers(t, 1)
  const bootstrap = [addressOf(server)]
  const a = await startTestMesh(t, { bootstrap })
  const b = await startTestMesh(t, { bootstrap })
  await until(() => a.state().reservations === 1 && b.state().reservations === 1)
  const knock = (from: TestMesh, to: TestMesh) =>
    from.knock({ identity: to.identity, multiaddrs: to.state().addresses }, fromString('x'), soon())
  const answers = await Promise.all([knock(a, b), knock(b, a), knock(a, b)])
  assert.deepEqual(
    answers.map((answer) => toText(answer)),
    ['answer to x', 'answer to x', 'answer to x'],
  )
})

test('a knock that is not answered fails at once, and is delivered once', async (t) => {
  let heard = 0
  const server = await startTestMesh(t, {
    serves: true,
    onKnock: async () => {
      heard += 1
      return undefined
    },
  })
  const client = await startTestMesh(t)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  await assert.rejects(client.knock(to, fromString('first'), soon()), { name: 'Unanswered' })
  await assert.rejects(client.knock(to, fromString('over the open connection'), soon()), {
    name: 'Unanswered',
  })
  assert.equal(heard, 2)
})

test('a knock at nobody, at no address, or at a relay without a reservation fails', async (t) => {
  const [server] = await startServers(t, 1)
  const client = await startTestMesh(t)
  const identity = (await startTestMesh(t)).identity
  const knock = (multiaddrs: readonly string[]) =>
    client.knock({ identity, multiaddrs }, fromString('a'), soon())
  await assert.rejects(knock([]), /no address/)
  await assert.rejects(knock([`${addressOf(server)}/p2p-circuit`]), Error)
  await assert.rejects(knock([addressOf(server).replace(/\/p2p\/.*/, '')]), Error)
})

test('a knock that is called off ends', async (t) => {
  const client = await startTestMesh(t)
  const to = { identity: (await startTestMesh(t)).identity, multiaddrs: [await blackHole(t)] }
  await assert.rejects(client.knock(to, fromString('a'), soon(50)), Error)
})

test('an address behind our own tunnel is never dialled, also as a relay', async (t) => {
  const [server] = await startServers(t, 1)
  const client = await startTestMesh(t, { mayDial: (ip) => ip !== '127.0.0.1' })
  for (const address of [addressOf(server), `${addressOf(server)}/p2p-circuit/p2p/${server.peerId}`]) {
    const to = { identity: server.identity, multiaddrs: [address] }
    await assert.rejects(client.knock(to, fromString('a'), soon()), Error)
  }
  assert.equal(server.state().connections, 0)
})

test('an oversized or truncated knock, or rubbish, is dropped with a reason and the stream reset', async (t) => {
  const [server] = await startServers(t, 1)
  const connection = await connectRaw(t, addressOf(server))
  const rubbish = {
    'a length over the limit': Uint8Array.of(0x81, 0x14),
    'a length without an end': new Uint8Array(16).fill(0xff),
    'a length, and too few bytes': Uint8Array.of(100, 1, 2, 3),
    'more than is buffered': new Uint8Array(100_000).fill(0xff),
    'nothing at all': new Uint8Array(),
  }
  for (const bytes of Object.values(rubbish)) {
    const before = server.drops.length
    const stream = await connection.newStream(PROTOCOL)
    const closed = new Promise((resolve) => stream.addEventListener('close', resolve))
    if (bytes.length > 0) stream.send(bytes)
    stream.close().catch(() => {})
    await until(() => server.drops.length === before + 1)
    await closed
  }
  assert(server.drops.every((reason) => reason === 'knock-malformed'))
  const client = await startTestMesh(t)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  const largest = new Uint8Array(MAX_KNOCK_LENGTH - 'answer to '.length).fill(0x61)
  assert.equal((await client.knock(to, largest, soon())).length, MAX_KNOCK_LENGTH)
  await assert.rejects(client.knock(to, new Uint8Array(MAX_KNOCK_LENGTH + 1), soon()), Error)
})

test('streams that say nothing cost the sender its share, and others are answered', async (t) => {
  const [server] = await startServers(t, 1)
  const connection = await connectRaw(t, addressOf(server))
  await connection.newStream(PROTOCOL)
  const opened = await Promise.allSettled(Array.from({ length: 40 }, () => connection.newStream(PROTOCOL)))
  assert(opened.some(({ status }) => status === 'fulfilled'))
  const client = await startTestMesh(t)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  assert.equal(toText(await client.knock(to, fromString('a'), soon())), 'answer to a')
})

test('silent streams over many connections keep nobody from knocking', async (t) => {
  const [server] = await startServers(t, 1)
  const client = await startTestMesh(t)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  await client.knock(to, fromString('a'), soon())
  const connections = await Promise.all(
    Array.from({ length: MAX_KNOCKS_AT_ONCE / 4 }, () => connectRaw(t, addressOf(server))),
  )
  for (const connection of connections)
    await Promise.all(Array.from({ length: 4 }, () => connection.newStream(PROTOCOL)))
  assert.equal(toText(await client.knock(to, fromString('b'), soon())), 'answer to b')
})

test('rubbish on every other protocol leaves the node serving', async (t) => {
  const [server] = await startServers(t, 1)
  const connection = await connectRaw(t, addressOf(server))
  const protocols = [
    '/tunnelbore/test/kad/1.0.0',
    '/tunnelbore/test/services/1',
    '/tunnelbore/test/id/1.0.0',
    '/tunnelbore/test/ping/1.0.0',
    '/libp2p/circuit/relay/0.2.0/hop',
    '/libp2p/circuit/relay/0.2.0/stop',
  ]
  for (const protocol of protocols) {
    for (const bytes of [
      Uint8Array.of(3, 0xff, 0xff, 0xff),
      new Uint8Array(5_000).fill(0xff),
      Uint8Array.of(200),
    ]) {
      const stream = await connection.newStream(protocol)
      const answer = byteStream(stream).read({ signal: soon(2_000) })
      try {
        stream.send(bytes)
        await stream.close()
        await answer
      } catch {
        // Refused, which is as good as an answer.
      }
      stream.abort(new Error('done'))
    }
  }
  const client = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  await until(() => client.state().servers.length === 1 && client.state().reservations === 1)
})
