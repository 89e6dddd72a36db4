import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { generateKey } from '@libp2p/pnet'
import { fromString, toString as toText } from 'uint8arrays'
import { makeMesh } from '../../../src/io/mesh/mesh.js'
import { markedTcpSocket } from '../../../src/io/socketOptions.js'
import { addressOf, judgeTestRecord, soon, startServers, startTestMesh, until } from './meshes.js'

function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)/.exec(address)?.[1])
}

test('a bootstrap node that is down when we start is found when it is up', async (t) => {
  const identitySeed = randomBytes(32)
  const first = await startTestMesh(t, { serves: true, identitySeed })
  const address = addressOf(first)
  await first.stop()

  const client = await startTestMesh(t, { bootstrap: [address] })
  await until(() => client.state().bootstrap[0]?.lastError !== undefined)
  assert.equal(client.state().bootstrap[0]?.connected, false)
  assert(typeof client.state().bootstrap[0]?.nextTryInS === 'number')
  await startTestMesh(t, { serves: true, identitySeed, listen: [{ ip: '127.0.0.1', port: portOf(address) }] })
  await until(() => client.state().bootstrap[0]?.connected === true)
  assert.deepEqual(client.state().bootstrap[0], { multiaddr: address, connected: true })
})

test('a node among its own bootstrap nodes leaves itself out', async (t) => {
  const identitySeed = randomBytes(32)
  const first = await startTestMesh(t, { serves: true, identitySeed })
  const own = addressOf(first)
  await first.stop()
  const other = await startTestMesh(t, { serves: true })
  const bootstrap = [own, addressOf(other)]
  const again = await startTestMesh(t, { serves: true, identitySeed, bootstrap })
  await until(() => again.state().bootstrap.every(({ connected }) => connected))
  assert.deepEqual(again.state().bootstrap, [{ multiaddr: addressOf(other), connected: true }])
})

test('a relay that restarts gets its reservations back, and knocks pass again', async (t) => {
  const identitySeed = randomBytes(32)
  const relay = await startTestMesh(t, { serves: true, identitySeed })
  const other = await startTestMesh(t, { serves: true, bootstrap: [addressOf(relay)] })
  // Knows only the other at first: the relay that restarts is none of its bootstrap nodes.
  const hidden = await startTestMesh(t, { bootstrap: [addressOf(other)] })
  await until(() => hidden.state().reservations === 2)
  const through = hidden.state().addresses.filter((address) => address.includes(relay.peerId))
  assert(through.length > 0)
  const port = portOf(addressOf(relay))
  await relay.stop()
  await until(() => hidden.state().reservations === 1)
  await startTestMesh(t, { serves: true, identitySeed, listen: [{ ip: '127.0.0.1', port }] })
  await until(() => hidden.state().reservations === 2)
  const knocker = await startTestMesh(t)
  const to = { identity: hidden.identity, multiaddrs: through }
  assert.equal(toText(await knocker.knock(to, fromString('a'), soon())), 'answer to a')
})

test('the services of each connected server are known, and forgotten when it goes', async (t) => {
  let changes = 0
  const [first, second] = await startServers(t, 2)
  assert(second)
  const onChange = () => {
    changes += 1
  }
  const client = await startTestMesh(t, { bootstrap: [addressOf(first), addressOf(second)], onChange })
  await until(() => client.state().servers.length === 2)
  for (const { peerId, services } of client.state().servers) {
    assert([first.peerId, second.peerId].includes(peerId))
    assert.equal(toText(services), 'services')
  }
  const before = changes
  assert(before > 0)
  await second.stop()
  await until(() => client.state().servers.length === 1)
  assert(changes > before)
})

test('networks of different names do not mix', async (t) => {
  const [server] = await startServers(t, 1)
  const foreign = await startTestMesh(t, { network: 'another', bootstrap: [addressOf(server)] })
  await until(() => foreign.state().bootstrap[0]?.lastError !== undefined)
  assert.equal(foreign.state().bootstrap[0]?.lastError, 'it does not serve our network')
  assert.deepEqual(foreign.state().servers, [])
  assert.equal(foreign.state().reservations, 0)
  const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
  await assert.rejects(foreign.knock(to, fromString('a'), soon()), Error)
  assert.deepEqual(server.state().servers, [])
})

function networkKey(): Uint8Array {
  const key = new Uint8Array(95)
  generateKey(key)
  return key
}

test('a network with a key is closed to those without it, or with another', async (t) => {
  const key = networkKey()
  const server = await startTestMesh(t, { serves: true, networkKey: key })
  const bootstrap = [addressOf(server)]
  const member = await startTestMesh(t, { bootstrap, networkKey: key })
  const other = await startTestMesh(t, { bootstrap, networkKey: networkKey() })
  const none = await startTestMesh(t, { bootstrap })
  const hidden = await startTestMesh(t, { bootstrap, networkKey: key })
  await until(() => member.state().servers.length === 1 && hidden.state().reservations === 1)
  const to = { identity: hidden.identity, multiaddrs: hidden.state().addresses }
  assert.equal(toText(await member.knock(to, fromString('a'), soon())), 'answer to a')
  for (const stranger of [other, none]) {
    await until(() => stranger.state().bootstrap[0]?.lastError !== undefined)
    assert.deepEqual(stranger.state().servers, [])
  }
})

test('a malformed bootstrap address is named, and nothing is started', async () => {
  const options = {
    network: 'test',
    identitySeed: randomBytes(32),
    listen: [],
    serves: false,
    judge: judgeTestRecord,
    services: () => new Uint8Array(),
    onKnock: async () => undefined,
    onDrop: () => {},
    onChange: () => {},
    log: { debug: () => {}, info: () => {}, warn: () => {} },
  }
  await assert.rejects(makeMesh({ ...options, bootstrap: ['nonsense'] }), /not a multiaddr: nonsense/)
  await assert.rejects(makeMesh({ ...options, bootstrap: ['/ip4/127.0.0.1/tcp/1'] }), /\/p2p\//)
})

test('a port in use is an error', async (t) => {
  const [server] = await startServers(t, 1)
  const listen = [{ ip: '127.0.0.1', port: portOf(addressOf(server)) }]
  await assert.rejects(startTestMesh(t, { serves: true, listen }), /EADDRINUSE/)
  await assert.rejects(startTestMesh(t, { serves: false, listen }), /EADDRINUSE/)
})

test('the same seed gives the same identity', async (t) => {
  const identitySeed = randomBytes(32)
  const [a, b] = await Promise.all([startTestMesh(t, { identitySeed }), startTestMesh(t, { identitySeed })])
  assert.equal(a.peerId, b.peerId)
  assert.deepEqual(a.identity, b.identity)
})

test('connections carry the firewall mark where it can be set, and are made all the same where not', async (t) => {
  const warnings: string[] = []
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_: object, message: string) => warnings.push(message),
  }
  const socketMark = 0x2a
  const probe = markedTcpSocket(4, socketMark)
  if (probe !== undefined) closeSync(probe)
  const server = await startTestMesh(t, { serves: true, socketMark, log })
  const byName = addressOf(server).replace('/ip4/127.0.0.1/', '/dns4/localhost/')
  const client = await startTestMesh(t, { bootstrap: [byName], socketMark, log })
  await until(() => client.state().servers.length === 1)
  assert.equal(warnings.length === 0, probe !== undefined)
})

test('a process whose node has stopped ends by itself', async () => {
  const meshes = new URL('./meshes.js', import.meta.url).href
  const script = `
    const { startServers, startTestMesh, addressOf, newKey, testRecord, soon, until } = await import('${meshes}')
    const ends = []
    const t = { after: (end) => ends.push(end) }
    const servers = await startServers(t, 2)
    const gone = '/ip4/127.0.0.1/tcp/1/p2p/' + servers[0].peerId
    const client = await startTestMesh(t, { bootstrap: [...servers.map(addressOf), gone] })
    await until(() => client.state().reservations === 2)
    await client.publish(newKey(), testRecord(1), soon())
    await Promise.all(ends.map((end) => end()))
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const [code] = await once(child, 'exit')
  clearTimeout(timer)
  assert.equal(code, 0)
})

test('sockets that cannot be marked are warned of once, and where they lead is for the debug log', async (t) => {
  const servers = await startServers(t, 2)
  const addresses = servers.map(addressOf)
  const script = fileURLToPath(new URL('./unmarkedProcess.js', import.meta.url))
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
  const child = spawn('setpriv', [...nobody, process.execPath, script, ...addresses], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const lines = (await text(child.stdout))
    .trimEnd()
    .split('\n')
    .map((line): { level: string; what?: string; message: string } => JSON.parse(line))
    .filter(({ message }) => message.includes('mark'))
  const warnings = lines.filter(({ level }) => level === 'warn')
  assert.equal(warnings.length, 1)
  assert.equal(warnings[0]?.what, undefined)
  const debugged = lines.filter(({ level }) => level === 'debug').map(({ what }) => what)
  for (const address of addresses) assert(debugged.some((what) => what?.includes(address)))
})
