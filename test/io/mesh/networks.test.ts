import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { fromString } from 'uint8arrays'
import { gossipedRecord, newAuthor, startGossiping, untilHeard } from './gossiping.js'
import { addressOf, collect, newKey, soon, type TestMesh, testRecord, until } from './meshes.js'

/** A server and a client of each of two networks, at one IP address; all are told of both servers. */
async function startNeighbours(t: TestContext) {
  const servers = await Promise.all(
    ['one', 'two'].map((network) => startGossiping(t, { network, serves: true })),
  )
  const bootstrap = servers.map(addressOf)
  const [one, two] = await Promise.all(
    ['one', 'two'].map((network) => startGossiping(t, { network, bootstrap })),
  )
  assert(one && two && servers[0] && servers[1])
  await until(() => [one, two].every(isSettled))
  await untilHeard([...servers, one, two])
  return { servers: { one: servers[0], two: servers[1] }, one, two, bootstrap }
}

/** True where it is connected to one of the servers, and knows what the other one is. */
function isSettled(client: TestMesh): boolean {
  const { servers, bootstrap } = client.state()
  return servers.length === 1 && bootstrap.some(({ lastError }) => lastError === ANOTHER)
}

const ANOTHER = 'it does not serve our network'

test('two networks at one address, each told of the other, share no record, no gossip, no knock and no relay', async (t) => {
  const { servers, one, two } = await startNeighbours(t)
  const key = newKey()
  assert.equal(await one.publish(key, testRecord(1), soon()), 1)
  assert.deepEqual(await collect(two.lookUp(key, soon())), [])
  assert.equal(servers.one.state().storedRecords, 1)
  assert.equal(servers.two.state().storedRecords, 0)

  const record = gossipedRecord(newAuthor(), 1)
  assert.equal(await one.gossip('records', record), 1)
  await until(() => servers.one.records.length === 1)
  assert.deepEqual([servers.two.records, two.records], [[], []])

  const to = { identity: one.identity, multiaddrs: one.state().addresses }
  await assert.rejects(two.knock(to, fromString('a'), soon()), Error)
  for (const [client, own] of [
    [one, servers.one],
    [two, servers.two],
  ] as const) {
    assert.deepEqual(
      client.state().addresses.map((address) => address.includes(own.peerId)),
      client.state().addresses.map(() => true),
    )
    assert.equal(client.state().servers[0]?.peerId, own.peerId)
  }
})

test('a node of another network at the address and port of a server that has gone is not taken for it', async (t) => {
  const { servers, one, bootstrap } = await startNeighbours(t)
  const port = Number(/tcp\/(\d+)/.exec(bootstrap[0] ?? '')?.[1])
  await servers.one.stop()
  await until(() => one.state().servers.length === 0)
  const squatter = await startGossiping(t, {
    network: 'two',
    serves: true,
    listen: [{ ip: '127.0.0.1', port }],
  })
  // Noise shows that somebody else is there.
  await until(() => {
    return one.state().bootstrap[0]?.lastError?.includes('identity') === true
  })
  assert.deepEqual(one.state().servers, [])
  assert.equal(one.state().gossips, false)
  assert.deepEqual(squatter.state().servers, [])
})
