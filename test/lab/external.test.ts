/** Peers that don't run Tunnelbore: plain WireGuard, of which one side knows where the other is. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { formatSocketAddress } from '../../src/base/address.js'
import { until } from '../until.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'

let lab: Laboratory
let fleet: Fleet
/** Runs Tunnelbore, behind a NAT, and knows where the server's WireGuard is. */
let home: Machine
/** A plain peer that has no idea where home is. */
let server: Machine
/** Runs Tunnelbore; its WireGuard's port can be reached from everywhere. */
let office: Machine
/** A plain peer, behind a NAT, that knows where the office's WireGuard is. */
let phone: Machine

before(async () => {
  lab = await Laboratory.create()
  const pairs = ['home server', 'server home', 'office phone', 'phone office']
  fleet = await Fleet.create(
    lab,
    { home: 'port-restricted', server: 'open', office: 'open', phone: 'port-restricted' },
    { peer: (of, peer, usual) => (pairs.includes(`${of} ${peer}`) ? usual : undefined) },
  )
  ;[home, server, office, phone] = ['home', 'server', 'office', 'phone'].map((name) =>
    fleet.machine(name),
  ) as [Machine, Machine, Machine, Machine]
  await Promise.all([tellEndpoint(home, server), tellEndpoint(phone, office)])
  await Promise.all([home, office].map((machine) => fleet.startMachine(machine)))
})

after(() => lab.close())

describe('A plain peer at an endpoint that the user configured', () => {
  test('is reached there, over a path that its handshake proves', async () => {
    assert.equal((await home.host.ping(server.tunnelAddress)).received, 1)
    const { path, reason } = await home.daemon.untilDirect(server.wireguard.keys.publicKey)
    assert.equal(path?.type, 'configured')
    assert.equal(path?.remote, await wireguardEndpoint(server))
    assert.match(reason ?? '', /handshake/)
  })

  test('reaches us over that path, and still does after both have forgotten their session', async () => {
    assert.equal((await server.host.ping(home.tunnelAddress)).received, 1)
    await Promise.all([home, server].map(({ wireguard }) => wireguard.forgetSessions()))
    assert.equal((await server.host.ping(home.tunnelAddress)).received, 1)
  })
})

describe("A plain peer that speaks to WireGuard's own port", () => {
  test('keeps the endpoint that WireGuard learned, and is shown as external', async () => {
    assert.equal((await phone.host.ping(office.tunnelAddress)).received, 1)
    const learned = await endpointOf(office, phone)
    const peer = await office.daemon.untilPeer(
      phone.wireguard.keys.publicKey,
      'external',
      ({ state }) => state === 'external',
    )
    assert.equal(peer.loopback, null)
    assert.equal(peer.path, null)
    assert.match(learned ?? '', /^203\.0\.113\./)
    assert.equal(await endpointOf(office, phone), learned)
  })

  test('is reached by us', async () => {
    assert.equal((await office.host.ping(phone.tunnelAddress)).received, 1)
  })

  test('is managed once it runs Tunnelbore', async () => {
    await fleet.startMachine(phone)
    const officeKey = office.wireguard.keys.publicKey
    await until("the phone's WireGuard to send to its daemon", async () => {
      const { loopback } = await phone.daemon.peer(officeKey)
      return loopback !== null && (await endpointOf(phone, office)) === loopback
    })
    // Its WireGuard's packets need a path now, and those that come before there is one are lost.
    await until(
      'a ping',
      async () => (await phone.host.ping(office.tunnelAddress, { timeoutMs: 200 })).received > 0,
    )
    const { loopback } = await office.daemon.untilDirect(phone.wireguard.keys.publicKey)
    assert.equal(await endpointOf(office, phone), loopback)
    await phone.daemon.untilDirect(officeKey)
  })
})

/** Where a machine's WireGuard itself listens. */
async function wireguardEndpoint({ host, wireguard }: Machine): Promise<string> {
  return formatSocketAddress({ ip: host.address, port: await wireguard.listenPort() })
}

/** Has one machine's WireGuard know where another one's is. */
async function tellEndpoint(of: Machine, peer: Machine): Promise<void> {
  await of.wireguard.setPeer({
    publicKey: peer.wireguard.keys.publicKey,
    allowedIps: [`${peer.tunnelAddress}/32`],
    endpoint: { ip: peer.host.address, port: await peer.wireguard.listenPort() },
  })
}

/** Where a machine's WireGuard sends for a peer. */
async function endpointOf(of: Machine, peer: Machine): Promise<string | undefined> {
  const peers = await of.wireguard.peers()
  const endpoint = peers.find(({ publicKey }) => publicKey === peer.wireguard.keys.publicKey)?.endpoint
  return endpoint === undefined ? undefined : formatSocketAddress(endpoint)
}
