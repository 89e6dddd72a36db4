import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { type Answer, decode, encode } from 'dns-packet'
import { peerIdOfIdentity } from '../../../src/io/mesh/identity.js'
import { type NameResolver, resolveNames, systemNames } from '../../../src/io/mesh/names.js'
import { addressOf, soon, startTestMesh, until } from './meshes.js'

const ID = peerIdOfIdentity(new Uint8Array(32).fill(1)).toString()
const OTHER_ID = peerIdOfIdentity(new Uint8Array(32).fill(2)).toString()

/** A name server on loopback: what it answers by type and name, and what it was asked. */
class NameServer {
  readonly asked: string[] = []
  readonly zone = new Map<string, readonly string[]>()
  readonly names: NameResolver

  private constructor(socket: Socket) {
    const resolver = new Resolver({ timeout: 500, tries: 2 })
    resolver.setServers([`127.0.0.1:${socket.address().port}`])
    this.names = {
      addresses: (name, family) => (family === 6 ? resolver.resolve6(name) : resolver.resolve4(name)),
      texts: async (name) => (await resolver.resolveTxt(name)).map((chunks) => chunks.join('')),
    }
    socket.on('message', (bytes, { port, address }) => {
      const { id, questions } = decode(bytes)
      const answers = (questions ?? []).flatMap(({ type, name }): Answer[] => {
        this.asked.push(`${type} ${name}`)
        const found = this.zone.get(`${type} ${name}`) ?? []
        return type === 'A' || type === 'AAAA' || type === 'TXT'
          ? found.map((data): Answer => ({ type, name, data }))
          : []
      })
      const rcode = answers.length === 0 ? 3 : 0
      const packet = {
        type: 'response',
        id: id ?? 0,
        flags: 0x0180 | rcode,
        questions: questions ?? [],
        answers,
      } as const
      socket.send(encode(packet), port, address)
    })
  }

  static async start(t: TestContext): Promise<NameServer> {
    const socket = createSocket('udp4')
    t.after(() => socket.close())
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new NameServer(socket)
  }

  async resolve(text: string): Promise<readonly string[]> {
    return (await resolveNames(multiaddr(text), this.names, soon())).map(String)
  }
}

describe('a name in a multiaddr', () => {
  test('leads to all its addresses of the family it asks for', async (t) => {
    const server = await NameServer.start(t)
    server.zone.set('A node.example', ['203.0.113.1', '203.0.113.2'])
    server.zone.set('AAAA node.example', ['2001:db8::1'])
    assert.deepEqual(await server.resolve(`/dns4/node.example/tcp/1/p2p/${ID}`), [
      `/ip4/203.0.113.1/tcp/1/p2p/${ID}`,
      `/ip4/203.0.113.2/tcp/1/p2p/${ID}`,
    ])
    assert.deepEqual(await server.resolve(`/dns6/node.example/tcp/1/p2p/${ID}`), [
      `/ip6/2001:db8::1/tcp/1/p2p/${ID}`,
    ])
  })

  test('of dnsaddr leads to the multiaddrs of that node over TCP, through further names as well', async (t) => {
    const server = await NameServer.start(t)
    server.zone.set('TXT _dnsaddr.example', [
      `dnsaddr=/ip4/203.0.113.1/tcp/1/p2p/${ID}`,
      `dnsaddr=/dns4/node.example/tcp/2/p2p/${ID}`,
      `dnsaddr=/dnsaddr/further.example/p2p/${ID}`,
      `dnsaddr=/ip4/203.0.113.9/tcp/1/p2p/${OTHER_ID}`,
      `dnsaddr=/ip4/203.0.113.9/udp/1/quic-v1/p2p/${ID}`,
      `dnsaddr=/dns4/gone.example/tcp/2/p2p/${ID}`,
      'dnsaddr=nonsense',
      'v=spf1 -all',
    ])
    server.zone.set('A node.example', ['203.0.113.2'])
    server.zone.set('TXT _dnsaddr.further.example', [`dnsaddr=/ip4/203.0.113.3/tcp/3/p2p/${ID}`])
    assert.deepEqual(
      await server.resolve(`/dnsaddr/example/p2p/${ID}`),
      [1, 2, 3].map((number) => `/ip4/203.0.113.${number}/tcp/${number}/p2p/${ID}`),
    )
  })

  test('that leads to itself ends', async (t) => {
    const server = await NameServer.start(t)
    server.zone.set('TXT _dnsaddr.example', [`dnsaddr=/dnsaddr/example/p2p/${ID}`])
    await assert.rejects(server.resolve(`/dnsaddr/example/p2p/${ID}`), {
      message: 'the name example leads to no address of that node',
    })
    assert(server.asked.length < 10)
  })

  test('that does not exist is named', async (t) => {
    const server = await NameServer.start(t)
    await assert.rejects(server.resolve(`/dns4/gone.example/tcp/1/p2p/${ID}`), {
      message: 'the name gone.example could not be resolved: ENOTFOUND',
    })
    await assert.rejects(server.resolve(`/dnsaddr/gone.example/p2p/${ID}`), {
      message: 'the name gone.example could not be resolved: ENOTFOUND',
    })
  })

  test('is not waited for beyond the deadline', async () => {
    const never: NameResolver = {
      addresses: () => new Promise(() => {}),
      texts: () => new Promise(() => {}),
    }
    for (const text of ['/dns4/slow.example/tcp/1', '/dnsaddr/slow.example']) {
      const deadline = new AbortController()
      const resolving = resolveNames(multiaddr(`${text}/p2p/${ID}`), never, deadline.signal)
      deadline.abort(new Error('it took too long'))
      await assert.rejects(resolving, {
        message: 'the name slow.example could not be resolved: it took too long',
      })
    }
  })

  test('is resolved by the system, its hosts file too', async () => {
    const found = await resolveNames(multiaddr(`/dns4/localhost/tcp/1/p2p/${ID}`), systemNames, soon())
    assert.deepEqual(found.map(String), [`/ip4/127.0.0.1/tcp/1/p2p/${ID}`])
  })
})

describe('a bootstrap node that is given by name', () => {
  test('is found at one of the addresses, and again at another one when the name has changed', async (t) => {
    const server = await NameServer.start(t)
    const identitySeed = randomBytes(32)
    const node = await startTestMesh(t, { serves: true, identitySeed })
    const [, port, id] = /\/tcp\/(\d+)\/p2p\/(.+)$/.exec(addressOf(node)) ?? []
    server.zone.set('A node.example', ['127.0.0.7', '127.0.0.1'])
    const bootstrap = [`/dns4/node.example/tcp/${port}/p2p/${id}`]
    const client = await startTestMesh(t, { bootstrap, names: server.names })
    await until(() => client.state().bootstrap[0]?.connected === true)
    await node.stop()
    await until(() => client.state().bootstrap[0]?.lastError?.includes('ECONNREFUSED') === true)
    server.zone.set('A node.example', ['127.0.0.8'])
    await startTestMesh(t, { serves: true, identitySeed, listen: [{ ip: '127.0.0.8', port: Number(port) }] })
    await until(() => client.state().bootstrap[0]?.connected === true)
    assert.deepEqual(client.state().bootstrap[0], { multiaddr: bootstrap[0], connected: true })
  })

  test('by dnsaddr is found when the name appears', async (t) => {
    const server = await NameServer.start(t)
    const node = await startTestMesh(t, { serves: true })
    const bootstrap = [`/dnsaddr/example/p2p/${node.peerId}`]
    const client = await startTestMesh(t, { bootstrap, names: server.names })
    await until(() => client.state().bootstrap[0]?.lastError !== undefined)
    assert.equal(client.state().bootstrap[0]?.lastError, 'the name example could not be resolved: ENOTFOUND')
    server.zone.set('TXT _dnsaddr.example', [`dnsaddr=${addressOf(node)}`])
    await until(() => client.state().servers.length === 1)
  })
})

test('a name that somebody else gave is never resolved', async (t) => {
  const server = await NameServer.start(t)
  const node = await startTestMesh(t, { serves: true })
  server.zone.set('A node.example', ['127.0.0.1'])
  const client = await startTestMesh(t, { names: server.names })
  const byName = addressOf(node).replace('/ip4/127.0.0.1/', '/dns4/localhost/')
  const to = { identity: node.identity, multiaddrs: [byName] }
  await assert.rejects(client.knock(to, new Uint8Array([1]), soon()), /not to be dialled/)
  assert.deepEqual(server.asked, [])
})
