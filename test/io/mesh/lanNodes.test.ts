import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { generateKey } from '@libp2p/pnet'
import { multiaddr } from '@multiformats/multiaddr'
import { fromString, toString as toText } from 'uint8arrays'
import type { DropReason } from '../../../src/base/drops.js'
import { peerIdOfIdentity } from '../../../src/io/mesh/identity.js'
import {
  encodeLanAnswer,
  encodeLanQuery,
  lanLabel,
  readLanMessage,
} from '../../../src/io/mesh/lanMessages.js'
import { LanNodes, MAX_LAN_NODES } from '../../../src/io/mesh/lanNodes.js'
import type { LanPlace } from '../../../src/io/mesh/options.js'
import { LOOPBACK, loopbackLan } from './loopbackLan.js'
import { soon, startTestMesh, until } from './meshes.js'

const GROUP = '224.0.0.251'
const LABEL = lanLabel('test', undefined)
const LISTEN = [{ ip: '127.0.0.1', port: 0 }]

function idOf(number: number): string {
  const identity = new Uint8Array(32)
  new DataView(identity.buffer).setUint32(0, number)
  return peerIdOfIdentity(identity).toString()
}

describe('nodes on one LAN that know nobody', () => {
  test('find each other, and knock without any server', async (t) => {
    const lan = await loopbackLan()
    const first = await startTestMesh(t, { lan, listen: LISTEN })
    const second = await startTestMesh(t, { lan, listen: LISTEN })
    await until(() => first.state().connections > 0 && second.state().connections > 0)
    for (const [from, to] of [[first, second] as const, [second, first] as const]) {
      const answer = await from.knock({ identity: to.identity, multiaddrs: [] }, fromString('a'), soon())
      assert.equal(toText(answer), 'answer to a')
    }
  })

  test('find one that serves, and have it for a relay', async (t) => {
    const lan = await loopbackLan()
    const client = await startTestMesh(t, { lan, listen: LISTEN })
    const server = await startTestMesh(t, { lan, serves: true })
    await until(() => client.state().servers.length === 1 && client.state().reservations > 0)
    assert.equal(client.state().servers[0]?.peerId, server.peerId)
    assert.equal(client.state().remembered, 1)
  })

  test('are connected again after the one of them started anew elsewhere', async (t) => {
    const lan = await loopbackLan()
    const identitySeed = new Uint8Array(32).fill(7)
    const staying = await startTestMesh(t, { lan, listen: LISTEN })
    const going = await startTestMesh(t, { lan, identitySeed, serves: true })
    await until(() => staying.state().servers.length === 1)
    await going.stop()
    await until(() => staying.state().servers.length === 0)
    await startTestMesh(t, { lan, identitySeed, serves: true })
    await until(() => staying.state().servers.length === 1)
  })

  test('of different networks, or with different keys, do not hear each other', async (t) => {
    const lan = await loopbackLan()
    const key = new Uint8Array(95)
    generateKey(key)
    const two = await Promise.all([0, 1].map(() => startTestMesh(t, { lan, listen: LISTEN })))
    const strangers = await Promise.all([
      startTestMesh(t, { lan, listen: LISTEN, network: 'another' }),
      startTestMesh(t, { lan, listen: LISTEN, networkKey: key }),
      startTestMesh(t, { listen: LISTEN }),
    ])
    await until(() => two.every((mesh) => mesh.state().lan === 1 && mesh.state().connections > 0))
    for (const mesh of strangers) assert.equal(mesh.state().lan, 0)
  })

  test('without an address to dial say nothing of themselves', async (t) => {
    const lan = await loopbackLan()
    const silent = await startTestMesh(t, { lan, listen: [] })
    const heard = await startTestMesh(t, { lan, listen: LISTEN })
    await until(() => silent.state().lan === 1)
    assert.equal(heard.state().lan, 0)
  })
})

describe('what is heard on a LAN', () => {
  test('is counted and passed over where it is rubbish, and costs nothing more', async (t) => {
    const { say, nodes, drops, found } = await listener(t)
    say(fromString(`rubbish with ${LABEL}`))
    say(encodeLanAnswer(LABEL, 'a', { id: idOf(1), addresses: [] }))
    say(fromString('rubbish'))
    say(encodeLanAnswer(LABEL, 'a', { id: idOf(2), addresses: ['/ip4/127.0.0.1/tcp/2'] }))
    await until(() => found.length === 1)
    assert.deepEqual(found, [idOf(2)])
    assert.deepEqual(drops, ['lan-malformed', 'lan-malformed'])
    assert.deepEqual(
      nodes.nodes.map(({ id, addresses }) => ({ id, addresses })),
      [{ id: idOf(2), addresses: ['/ip4/127.0.0.1/tcp/2'] }],
    )
  })

  test('never leads elsewhere', async (t) => {
    const { say, nodes, drops, found } = await listener(t)
    say(
      encodeLanAnswer(LABEL, 'a', {
        id: idOf(3),
        addresses: ['/ip4/192.0.2.1/tcp/22', '/ip6/2001:db8::1/tcp/22'],
      }),
    )
    say(
      encodeLanAnswer(LABEL, 'a', {
        id: idOf(2),
        addresses: ['/ip4/192.0.2.1/tcp/22', '/ip4/127.0.0.2/tcp/2'],
      }),
    )
    await until(() => found.length === 1)
    assert.deepEqual(drops, ['lan-malformed'])
    assert.deepEqual(
      nodes.nodes.flatMap(({ addresses }) => addresses),
      ['/ip4/127.0.0.2/tcp/2'],
    )
  })

  test('is bounded under a flood, and who is connected stays', async (t) => {
    const { say, nodes, drops, found } = await listener(t, (id) => id === idOf(0))
    const addresses = ['/ip4/127.0.0.1/tcp/2']
    say(encodeLanAnswer(LABEL, 'a', { id: idOf(0), addresses }))
    await until(() => found.length === 1)
    let number = 1
    await until(() => {
      for (let times = 0; times < 50; times++)
        say(encodeLanAnswer(LABEL, 'a', { id: idOf(++number), addresses }))
      return drops.length > 500
    })
    assert.equal(nodes.nodes.length, MAX_LAN_NODES)
    assert(drops.every((reason) => reason === 'lan-rate-limited'))
    assert(nodes.nodes.some(({ id }) => id === idOf(0)))
  })
})

test('a node is asked by many and answers once a second at most, with what it has on that device', async (t) => {
  const lan = await loopbackLan()
  const own = [
    '/ip4/127.0.0.1/tcp/1',
    '/ip4/127.0.0.2/tcp/1',
    `/ip4/127.0.0.1/tcp/2/p2p/${idOf(9)}/p2p-circuit`,
  ]
  const { heard, say } = await listener(
    t,
    () => false,
    lan,
    own.map((text) => multiaddr(`${text}/p2p/${idOf(1)}`)),
  )
  for (let times = 0; times < 50; times++) say(encodeLanQuery(LABEL))
  await until(() => heard.length > 0)
  assert.deepEqual(heard[0], { id: idOf(1), addresses: ['/ip4/127.0.0.1/tcp/1'] })
  assert.equal(heard.length, 1)
})

test('a LAN on which mDNS cannot be spoken is said once, and the others are used', async (t) => {
  const place = await loopbackLan()
  const said: object[] = []
  const log = { debug: () => {}, warn: () => {}, info: (fields: object) => said.push(fields) }
  const gone = { ...LOOPBACK, device: 'gone0', ip: '192.0.2.1' }
  const { nodes, found, say } = await listener(
    t,
    undefined,
    { ...place, interfaces: () => [gone, LOOPBACK] },
    [],
    log,
  )
  await until(() => said.length === 1)
  nodes.networkChanged()
  nodes.networkChanged()
  say(encodeLanAnswer(LABEL, 'a', { id: idOf(2), addresses: ['/ip4/127.0.0.1/tcp/2'] }))
  await until(() => {
    say(encodeLanAnswer(LABEL, 'a', { id: idOf(2), addresses: ['/ip4/127.0.0.1/tcp/2'] }))
    return found.length > 0
  })
  assert.equal(said.length, 1)
})

test('a LAN that comes later is used, and one that goes is left', async (t) => {
  const lan = await loopbackLan()
  let interfaces: readonly (typeof LOOPBACK)[] = [LOOPBACK]
  const { nodes, found, say } = await listener(t, undefined, { ...lan, interfaces: () => interfaces })
  const told = (number: number) =>
    say(encodeLanAnswer(LABEL, 'a', { id: idOf(number), addresses: ['/ip4/127.0.0.1/tcp/2'] }))
  interfaces = []
  nodes.networkChanged()
  told(2)
  interfaces = [LOOPBACK]
  nodes.networkChanged()
  await until(() => {
    told(3)
    return found.length > 0
  })
  assert.deepEqual(found, [idOf(3)])
})

/** One that listens on loopback as idOf(1), somebody who speaks there, and the answers that he hears. */
async function listener(
  t: TestContext,
  isConnected: (id: string) => boolean = () => false,
  place?: LanPlace,
  own: readonly ReturnType<typeof multiaddr>[] = [],
  log = { debug: () => {}, info: (_: object) => {}, warn: () => {} },
) {
  const lan = place ?? (await loopbackLan())
  const [drops, found, heard]: [DropReason[], string[], object[]] = [[], [], []]
  const socket = await joined(t, lan.port)
  let asked = 0
  socket.on('message', (bytes) => {
    const message = readLanMessage(bytes, LABEL)
    if (message === 'query') asked += 1
    else if (typeof message === 'object') heard.push(message)
  })
  const nodes = new LanNodes({
    network: 'test',
    networkKey: undefined,
    self: idOf(1),
    ...lan,
    ownAddresses: () => own,
    isConnected,
    onFound: (id) => found.push(id),
    onDrop: (reason) => drops.push(reason),
    log,
  })
  nodes.start()
  t.after(() => nodes.stop())
  // Its first query says that it listens.
  await until(() => asked > 0)
  const say = (bytes: Uint8Array) => socket.send(bytes, lan.port, GROUP)
  return { nodes, drops, found, heard, say }
}

async function joined(t: TestContext, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => socket.close())
  socket.bind(port, GROUP)
  await once(socket, 'listening')
  socket.addMembership(GROUP, LOOPBACK.ip)
  socket.setMulticastInterface(LOOPBACK.ip)
  return socket
}
