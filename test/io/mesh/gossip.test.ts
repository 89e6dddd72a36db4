import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { RPC } from '@libp2p/gossipsub/message'
import { multiaddr } from '@multiformats/multiaddr'
import { asInstant, asUnixTime, HOUR } from '../../../src/base/time.js'
import { INTAKE } from '../../../src/io/mesh/gossip.js'
import { connectRawGossip, KNOCKS, RECORDS, startBareGossip } from './bareGossip.js'
import {
  type GossipMesh,
  gossipedKnock,
  gossipedRecord,
  judgeGossipedRecord,
  newAuthor,
  RECORD_LENGTH,
  startGossiping,
  untilHeard,
} from './gossiping.js'
import { addressOf, soon, until } from './meshes.js'

/** `servers` nodes that serve and `clients` that know the first three of them; each is heard by somebody. */
async function startMesh(t: Parameters<typeof startGossiping>[0], servers: number, clients: number) {
  const first = await startGossiping(t, { serves: true })
  const others: GossipMesh[] = []
  const addresses = () => [first, ...others].slice(0, 3).map(addressOf)
  while (others.length < servers - 1)
    others.push(await startGossiping(t, { serves: true, bootstrap: addresses() }))
  const bootstrap = addresses()
  for (let client = 0; client < clients; client += 1) others.push(await startGossiping(t, { bootstrap }))
  const nodes: readonly [GossipMesh, ...GossipMesh[]] = [first, ...others]
  await untilHeard(nodes)
  await until(() => others.every((node) => node.state().servers.length > 0))
  return nodes
}

/** A node and others that know it alone, so that all they hear comes through it. */
async function startStar(t: Parameters<typeof startGossiping>[0], count: number) {
  const server = await startGossiping(t, { serves: true })
  const clients = await Promise.all(
    Array.from({ length: count }, () => startGossiping(t, { bootstrap: [addressOf(server)] })),
  )
  await untilHeard([server, ...clients])
  await until(() => server.state().connections === count)
  return { server, clients, address: addressOf(server) }
}

/** The last one that was published reaches them, and with it everything before. */
async function untilReached(nodes: readonly GossipMesh[], record: Uint8Array): Promise<void> {
  await until(() => nodes.every(({ records }) => records.some((heard) => equal(heard, record))))
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function rpc(topic: string, ...datas: readonly Uint8Array[]): Partial<RPC> {
  return { messages: datas.map((data) => ({ topic, data })) }
}

test('in a star of 30, what anybody publishes reaches all others, once, and not its author', async (t) => {
  const nodes = await startMesh(t, 3, 27)
  const authors = [nodes[0], ...nodes.slice(-2)]
  for (const author of authors) {
    const record = gossipedRecord(newAuthor(), 1)
    assert.ok((await author.gossip('records', record)) > 0)
    await untilReached(
      nodes.filter((node) => node !== author),
      record,
    )
  }
  const knock = gossipedKnock()
  assert.ok((await nodes[5]?.gossip('knocks', knock)) !== 0)
  await until(() => nodes.every(({ knocks }, node) => knocks.length === (node === 5 ? 0 : 1)))
  assert.deepEqual(nodes[20]?.knocks, [knock])
  for (const node of nodes) assert.equal(node.records.length, authors.includes(node) ? 2 : 3)
  for (const node of nodes) assert.deepEqual(node.drops, [])
})

test('in a mesh of nodes that all serve, what anybody publishes reaches all others', async (t) => {
  const nodes = await startMesh(t, 12, 0)
  for (const author of [nodes[0], nodes[11]]) {
    const record = gossipedRecord(newAuthor(), 1)
    await author?.gossip('records', record)
    await untilReached(
      nodes.filter((node) => node !== author),
      record,
    )
  }
})

test('a record published before anybody is there is sent when somebody comes: the newest one', async (t) => {
  const author = newAuthor()
  const server = await startGossiping(t, { serves: true })
  for (const sequence of [1, 3, 2])
    assert.equal(await server.gossip('records', gossipedRecord(author, sequence)), 0)
  assert.equal(await server.gossip('knocks', gossipedKnock()), 0)
  assert.equal(server.state().gossips, false)
  const client = await startGossiping(t, { bootstrap: [addressOf(server)] })
  await untilReached([client], gossipedRecord(author, 3))
  const later = gossipedRecord(author, 4)
  assert.equal(await server.gossip('records', later), 1)
  await untilReached([client], later)
  assert.equal(client.records.length, 2)
  assert.equal(client.knocks.length, 0)
})

test('who comes is told of what was published a moment before', async (t) => {
  const { server, address } = await startStar(t, 1)
  const record = gossipedRecord(newAuthor(), 1)
  const knock = gossipedKnock()
  assert.equal(await server.gossip('records', record), 1)
  assert.equal(await server.gossip('knocks', knock), 1)
  const late = await startGossiping(t, { bootstrap: [address] })
  await untilReached([late], record)
  await until(() => late.knocks.length === 1)
})

test('our own records and knocks must be of their length, and the records valid', async (t) => {
  const node = await startGossiping(t)
  await assert.rejects(node.gossip('records', new Uint8Array(5)), /wrong length: 5 bytes, not 1536/)
  await assert.rejects(node.gossip('knocks', new Uint8Array(RECORD_LENGTH)), /wrong length/)
  await assert.rejects(node.gossip('records', new Uint8Array(RECORD_LENGTH)), /record-bad-signature/)
})

test('when the only server restarts, all hear each other again', async (t) => {
  const seed = randomBytes(32)
  const server = await startGossiping(t, { serves: true, identitySeed: seed })
  const address = addressOf(server)
  const clients = await Promise.all(
    Array.from({ length: 3 }, () => startGossiping(t, { bootstrap: [address] })),
  )
  await untilHeard(clients)
  await server.stop()
  await until(() => clients.every((client) => !client.state().gossips))
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1])
  await startGossiping(t, { serves: true, identitySeed: seed, listen: [{ ip: '127.0.0.1', port }] })
  await untilHeard(clients)
  const [author, ...others] = clients
  const record = gossipedRecord(newAuthor(), 1)
  await author?.gossip('records', record)
  await untilReached(others, record)
})

test('a peer that sends garbage is pruned, scored down and left, and nobody else hears of it', async (t) => {
  const { server, clients, address } = await startStar(t, 2)
  const hostile = await connectRawGossip(t, address)
  await until(() => hostile.pubsub.getSubscribers(RECORDS).length === 1)
  let pruned = 0
  hostile.pubsub.addEventListener('gossipsub:prune', () => {
    pruned += 1
  })
  const forged = () => randomBytes(RECORD_LENGTH)
  await hostile.send(rpc(RECORDS, forged()))
  await until(() => pruned === 2)
  assert.equal(hostile.libp2p.getConnections().length, 1)

  const tooLong = new Uint8Array(RECORD_LENGTH + 1)
  const tooShort = new Uint8Array(5)
  const signed = { topic: RECORDS, data: gossipedRecord(newAuthor(), 1), from: randomBytes(1_000) }
  await hostile.send(rpc(RECORDS, forged(), tooLong, tooShort))
  await hostile.send(rpc(KNOCKS, gossipedKnock(2), tooShort))
  await hostile.send({ messages: [signed] })
  await hostile.send(rpc(RECORDS, forged()))
  await until(() => hostile.libp2p.getConnections().length === 0)
  assert.deepEqual(server.drops.toSorted(), [
    ...Array(4).fill('gossip-malformed'),
    'knock-unknown-version',
    ...Array(3).fill('record-bad-signature'),
  ])
  // Noise ends before the server looks who it is, so the dial may succeed and its connection end.
  const again = await hostile.libp2p.dial(multiaddr(address)).catch(() => undefined)
  await until(() => again === undefined || again.status !== 'open')

  const record = gossipedRecord(newAuthor(), 1)
  await server.gossip('records', record)
  await untilReached(clients, record)
  for (const client of clients) {
    assert.equal(client.records.length, 1)
    assert.equal(client.knocks.length, 0)
    assert.deepEqual(client.drops, [])
    assert.equal(client.state().connections, 1)
  }
})

test('forged records are accepted by none, also not from a member, who is left', async (t) => {
  const { server, clients, address } = await startStar(t, 2)
  const lenient = await startGossiping(t, {
    bootstrap: [address],
    gossip: { judge: () => ({ author: 'anybody', sequence: 1 }) },
  })
  await untilHeard([lenient])
  for (let count = 0; count < 8; count += 1) await lenient.gossip('records', randomBytes(RECORD_LENGTH))
  await until(() => lenient.state().connections === 0)
  assert.deepEqual(server.drops, Array(8).fill('record-bad-signature'))
  assert.equal(server.records.length, 0)
  const record = gossipedRecord(newAuthor(), 1)
  await clients[0]?.gossip('records', record)
  await untilReached(clients.slice(1), record)
  assert.equal(clients[1]?.records.length, 1)
})

test('a peer that sends more than limits let through is left', async (t) => {
  const { address } = await startStar(t, 1)
  const hostile = await connectRawGossip(t, address)
  const undecodable = new Uint8Array(64 * 1024).fill(255)
  const flood = async () => {
    for (let count = 0; count < 1_000; count += 1) await hostile.sendBytes(undecodable)
  }
  await assert.rejects(flood())
  await until(() => hostile.libp2p.getConnections().length === 0)
})

test('a message too large to be read ends its stream, and the node goes on', async (t) => {
  const { clients, server, address } = await startStar(t, 1)
  const hostile = await connectRawGossip(t, address)
  await hostile.sendBytes(new Uint8Array(256 * 1024)).catch(() => {})
  const record = gossipedRecord(newAuthor(), 1)
  await server.gossip('records', record)
  await untilReached(clients, record)
})

test('an older record, or another one of the same number, is passed on by none, and nobody is left', async (t) => {
  const { server, clients, address } = await startStar(t, 2)
  const [author, reader] = clients
  assert(author && reader)
  const name = newAuthor()
  await author.gossip('records', gossipedRecord(name, 5))
  await untilReached([server, reader], gossipedRecord(name, 5))
  const replayer = await connectRawGossip(t, address)
  const older = Array.from({ length: 20 }, (_, filling) => gossipedRecord(name, 4, filling + 1))
  await replayer.send(rpc(RECORDS, ...older, gossipedRecord(name, 5, 1)))
  const newer = gossipedRecord(name, 6)
  await replayer.send(rpc(RECORDS, newer))
  await untilReached([server, author, reader], newer)
  assert.deepEqual(
    reader.records.map((record) => record[39]),
    [5, 6],
  )
  assert.deepEqual(server.drops, Array(21).fill('record-rollback'))
  assert.equal(replayer.libp2p.getConnections().length, 1)
})

test('an author that changes its record without end is heard now and then, and who passes it on is not left', async (t) => {
  const { server, clients } = await startStar(t, 2)
  const [author, reader] = clients
  assert(author && reader)
  const name = newAuthor()
  for (let sequence = 1; sequence <= 20; sequence += 1)
    await author.gossip('records', gossipedRecord(name, sequence))
  const other = gossipedRecord(newAuthor(), 1)
  await author.gossip('records', other)
  await untilReached([server, reader], other)
  assert.ok(reader.records.length < 10)
  assert.ok(server.drops.length > 10)
  assert.deepEqual(new Set(server.drops), new Set(['gossip-rate-limited']))
  assert.equal(author.state().gossips, true)
})

test('10,000 valid records under new keys leave room for those of others', async (t) => {
  const { server, clients, address } = await startStar(t, 1)
  const [reader] = clients
  assert(reader)
  const hostile = await connectRawGossip(t, address)
  for (let count = 0; count < 500; count += 1) {
    const records = Array.from({ length: 20 }, () => gossipedRecord(newAuthor(), 1))
    try {
      await hostile.send(rpc(RECORDS, ...records))
    } catch {
      // So many bytes at once are a flood, for which it was left.
      break
    }
  }
  const own = gossipedRecord(newAuthor(), 1)
  await reader.gossip('records', own)
  await untilReached([server], own)
  // With some for the time that it took.
  const { each, all } = INTAKE.records
  assert.ok(server.records.length < (each.burst + all.burst) / 2)
  assert.ok(server.drops.includes('gossip-rate-limited'))
  assert.equal(reader.state().gossips, true)
})

test('beyond its limit of authors a node leaves until the next day, and says so once', async (t) => {
  let unix = Date.UTC(2026, 0, 1, 12)
  const clock = () => ({ instant: asInstant(performance.now()), unix: asUnixTime(unix) })
  const said: string[] = []
  const log = { debug: () => {}, info: () => {}, warn: (_: object, text: string) => said.push(text) }
  const server = await startGossiping(t, { serves: true })
  const bootstrap = [addressOf(server)]
  const small = await startGossiping(t, { bootstrap, log, gossip: { limit: 3, clock } })
  await untilHeard([server, small])
  const published: Uint8Array[] = []
  const publish = async () => {
    const record = gossipedRecord(newAuthor(), 1)
    published.push(record)
    return server.gossip('records', record)
  }
  for (let author = 0; author < 4; author += 1) await publish()
  await until(() => !small.state().gossips && !server.state().gossips)
  assert.equal(said.filter((text) => text.includes('--gossip-limit')).length, 1)
  assert.equal(small.records.length, 4)
  assert.equal(await small.gossip('records', gossipedRecord(newAuthor(), 1)), 0)
  assert.equal(small.state().connections, 1)

  unix += 12 * HOUR
  await untilHeard([server, small])
  assert.equal(await publish(), 1)
  await until(() => small.records.length === 5)
  assert.equal(said.length, 1)
})

test('with a limit of zero a node takes no part', async (t) => {
  const server = await startGossiping(t, { serves: true })
  const bootstrap = [addressOf(server)]
  const [silent, other] = await Promise.all([
    startGossiping(t, { bootstrap, gossip: { limit: 0 } }),
    startGossiping(t, { bootstrap }),
  ])
  await untilHeard([server, other])
  assert.equal(await silent.gossip('records', gossipedRecord(newAuthor(), 1)), 0)
  assert.equal(silent.state().gossips, false)
  assert.equal(await server.gossip('records', gossipedRecord(newAuthor(), 1)), 1)
})

test('nothing is gossiped over a relayed connection', async (t) => {
  const relay = await startGossiping(t, { serves: true, gossip: { limit: 0 } })
  const bootstrap = [addressOf(relay)]
  const [from, to] = await Promise.all([startGossiping(t, { bootstrap }), startGossiping(t, { bootstrap })])
  await until(() => to.state().reservations > 0)
  await from.knock({ identity: to.identity, multiaddrs: to.state().addresses }, randomBytes(5), soon())
  assert.equal(from.state().connections, 2)
  assert.equal(await from.gossip('records', gossipedRecord(newAuthor(), 1)), 0)
  assert.equal(from.state().gossips, false)
})

test('when the connection that carries gossip closes, another one to the same node carries it', async (t) => {
  const [a, b] = [await startBareGossip(t), await startBareGossip(t)]
  const [address] = a.libp2p.getMultiaddrs()
  assert(address)
  const first = await b.libp2p.dial(address)
  await until(() => a.gossip.isHeard && b.gossip.isHeard)
  await b.libp2p.dial(address, { force: true })
  await until(() => a.libp2p.getConnections().length === 2)
  await first.close()
  await until(() => a.libp2p.getConnections().length === 1)
  await until(() => a.gossip.isHeard && b.gossip.isHeard)
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const record = gossipedRecord(newAuthor(), 1)
    await until(async () => (await from.gossip.publish('records', record)) > 0)
    await until(() => to.records.some((heard) => equal(heard, record)))
  }
})

test('records of tests are judged as they should be', () => {
  const author = newAuthor()
  assert.deepEqual(judgeGossipedRecord(gossipedRecord(author, 7)), {
    author: Buffer.from(author).toString('base64').replace(/=+$/, ''),
    sequence: 7,
  })
})
