/** Peers at names that the user gave, with and without a mesh; most of them run WireGuard alone. */

import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { until } from '../until.js'
import { UpNode } from './daemons.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'
import { NameServer } from './nameServer.js'

const NAME = 'server.lab'
const TTL_S = 5
/** Addresses of the internet that nobody has until a test gives them away. */
const [NOBODY, MOVED_TO] = ['203.0.113.250', '203.0.113.200']
/** WireGuard begins anew when nothing came back for 15 s; the machine may be busy. */
const FOUND_AGAIN_MS = 60_000

let lab: Laboratory
let names: NameServer
let fleet: Fleet
/** Runs WireGuard alone, in the open. */
let server: Machine
/** Runs Tunnelbore behind a NAT, without a mesh, and knows the server's name. */
let home: Machine
/** Runs Tunnelbore behind a NAT, in the mesh, and knows the server's name as well. */
let office: Machine
/** Is in the mesh. */
let colleague: Machine

before(async () => {
  lab = await Laboratory.create()
  names = await NameServer.start(lab)
  const pairs = ['home server', 'office server', 'office colleague']
  fleet = await Fleet.create(
    lab,
    { server: 'open', home: 'port-restricted', office: 'port-restricted', colleague: 'port-restricted' },
    {
      peer: (of, peer, usual) =>
        pairs.includes(`${of} ${peer}`) || pairs.includes(`${peer} ${of}`) ? usual : undefined,
    },
  )
  ;[server, home, office, colleague] = ['server', 'home', 'office', 'colleague'].map((name) =>
    fleet.machine(name),
  ) as [Machine, Machine, Machine, Machine]
  await setAddresses(server.host.address)
})

after(() => lab.close())

describe('Without a mesh', () => {
  test('nothing listens on TCP, nobody is missing, and doctor agrees', async () => {
    home.node = await UpNode.start(home.wireguard, {
      args: ['--no-mesh', '--peer', await namedServer()],
      resolvConf: names.resolvConf,
    })
    const status = await home.daemon.status()
    assert.equal(status.mesh.enabled, false)
    assert.deepEqual(status.addresses, [])
    assert.equal((await home.host.run('ss', ['-ntlH'])).stdout, '')
    const { stdout } = await home.daemon.cli('doctor', [], { exitCodes: [0, 1] })
    assert.match(stdout, /mesh.*--no-mesh/)
  })

  test('no record is looked up, and resolve says what to do about it', async () => {
    const { publicKey } = server.wireguard.keys
    const { stderr } = await home.daemon.cli('resolve', [publicKey], { exitCodes: [1] })
    assert.match(stderr, /^tunnelbore: [^\n]*--no-mesh[^\n]*--peer [^\n]*=<host>:<port>\n$/)
  })

  test('a plain peer is reached at its name, and the handshake proves the path', async () => {
    assert.equal((await home.host.ping(server.tunnelAddress)).received, 1)
    const { path, name } = await home.daemon.untilDirect(server.wireguard.keys.publicKey)
    assert.equal(path?.type, 'configured')
    assert.deepEqual(name?.addresses, [path?.remote])
    const { stdout } = await home.daemon.cli('why', [server.wireguard.keys.publicKey])
    assert.match(stdout, /name server\.lab:\d+: 203\.0\.113\.\d+:\d+, resolved/)
  })

  test('a plain peer that moved is found where its name leads then', async (t) => {
    const former = server.host.address
    // In this order: an address that is another one's second goes with it.
    await server.host.run('ip', ['address', 'del', `${former}/24`, 'dev', 'eth0'])
    await server.host.run('ip', ['address', 'add', `${MOVED_TO}/24`, 'dev', 'eth0'])
    await setAddresses(MOVED_TO)
    await untilPing(t)
    const { path } = await home.daemon.untilDirect(server.wireguard.keys.publicKey)
    assert.equal(path?.remote.split(':')[0], MOVED_TO)
  })

  test('a plain peer of whose two addresses only the second works is reached', async () => {
    await home.daemon.stop()
    await Promise.all([home, server].map(({ wireguard }) => wireguard.forgetSessions()))
    await setAddresses(MOVED_TO, NOBODY)
    home.node = await UpNode.start(home.wireguard, {
      args: ['--no-mesh', '--peer', await namedServer()],
      resolvConf: names.resolvConf,
    })
    assert.equal((await home.host.ping(server.tunnelAddress)).received, 1)
    const { name } = await home.daemon.untilDirect(server.wireguard.keys.publicKey)
    assert.equal(name?.addresses.length, 2)
  })

  test('name servers that hang keep nothing from working, and are said', async () => {
    await names.fallSilent()
    await until(
      'the failure to be told',
      async () => {
        assert.equal((await home.host.ping(server.tunnelAddress)).received, 1)
        const { name } = await home.daemon.peer(server.wireguard.keys.publicKey)
        return name?.failure ?? undefined
      },
      FOUND_AGAIN_MS,
    )
    // In good order, and at once: no question holds up the end.
    await home.daemon.stop()
    assert.equal(home.daemon.process.end, 'exit code 0')
  })
})

describe('Beside a mesh', () => {
  test('a plain peer at its name, and a peer of the mesh, are both reached', async () => {
    await setAddresses(MOVED_TO)
    await fleet.startMachine(colleague)
    await fleet.startMachine(office, {
      args: ['--peer', await namedServer()],
      resolvConf: names.resolvConf,
    })
    await colleague.daemon.untilPublished()
    assert.equal((await office.host.ping(server.tunnelAddress)).received, 1)
    assert.equal((await office.host.ping(colleague.tunnelAddress)).received, 1)
    assert.match((await office.daemon.untilDirect(server.wireguard.keys.publicKey)).reason ?? '', /handshake/)
    assert.match((await office.daemon.untilDirect(colleague.wireguard.keys.publicKey)).reason ?? '', /check/)
  })
})

async function namedServer(): Promise<string> {
  return `${server.wireguard.keys.publicKey}=${NAME}:${await server.wireguard.listenPort()}`
}

function setAddresses(...ips: readonly string[]): Promise<void> {
  return names.set({ [NAME]: { ips, ttlS: TTL_S } })
}

async function untilPing(t: TestContext): Promise<void> {
  const began = performance.now()
  const ping = async () => (await home.host.ping(server.tunnelAddress, { timeoutMs: 500 })).received > 0
  await until('a ping', ping, FOUND_AGAIN_MS)
  t.diagnostic(`answered ${Math.round(performance.now() - began)} ms after the move`)
}
