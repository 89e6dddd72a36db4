/** Machines that share a gateway, or stand one gateway behind another. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseSocketAddress } from '../../src/base/address.js'
import { Fleet } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'
import type { CapturedPacket } from './pcap.js'

let lab: Laboratory
let outer: Gateway
let inner: Gateway
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  outer = await lab.gateway('port-restricted')
  inner = await lab.gateway('port-restricted', { behind: outer })
  const [alice, bob, nested] = await Promise.all([
    lab.host({ name: 'alice', behind: outer }),
    lab.host({ name: 'bob', behind: outer }),
    lab.host({ name: 'nested', behind: inner }),
  ])
  fleet = await Fleet.create(lab, { alice, bob, nested, open: 'open', cone: 'full-cone' })
  await fleet.start()
})

after(() => lab.close())

describe('Two machines behind the same gateway', () => {
  test('use their LAN addresses', async () => {
    await assertFirstPing('alice', 'bob')
    assert.equal(await remoteIp('alice', 'bob'), fleet.machine('bob').host.address)
    assert.equal(await remoteIp('bob', 'alice'), fleet.machine('alice').host.address)
  })
})

describe('A machine behind a gateway that is behind another one', () => {
  test('reaches one in the open directly', async () => {
    await assertFirstPing('nested', 'open')
    assert.equal(await remoteIp('nested', 'open'), fleet.machine('open').host.address)
    assert.equal(await remoteIp('open', 'nested'), outer.address)
  })

  test('reaches one behind a full cone directly', async () => {
    await assertFirstPing('cone', 'nested')
    assert.equal(await remoteIp('cone', 'nested'), outer.address)
  })

  test('reaches one between the two gateways over the LAN between them', async () => {
    await assertFirstPing('nested', 'alice')
    assert.equal(await remoteIp('nested', 'alice'), fleet.machine('alice').host.address)
    assert.equal(await remoteIp('alice', 'nested'), inner.address)
  })
})

describe('Machines on one LAN with no bootstrap node anywhere', () => {
  let second: Laboratory
  let home: Fleet

  before(async () => {
    second = await Laboratory.create()
    const gateway = await second.gateway('port-restricted')
    const [desk, laptop, recluse] = await Promise.all([
      second.host({ name: 'desk', behind: gateway }),
      second.host({ name: 'laptop', behind: gateway }),
      second.host({ name: 'recluse', behind: gateway }),
    ])
    home = await Fleet.create(
      second,
      { desk, laptop, recluse },
      {
        bootstrapNodes: 0,
        // Everything of the laptop goes through the tunnel, as far as its routes say.
        peer: (of, peer, usual) => {
          if (of === 'recluse' || peer === 'recluse') return undefined
          return of === 'laptop' ? { ...usual, allowedIps: ['0.0.0.0/0'] } : usual
        },
      },
    )
  })

  after(() => second.close())

  test('say that they wait, find each other by mDNS where one of them serves, and their tunnel is up', async () => {
    const [desk, laptop] = [home.machine('desk'), home.machine('laptop')]
    const captures = await Promise.all([
      laptop.host.capture(laptop.wireguard.name),
      laptop.host.capture('eth0'),
      laptop.host.capture('lo'),
    ])
    await home.startMachine(laptop, { lan: true })
    await laptop.daemon.process.waitForOutput(/"level":40[^\n]*waiting for nodes on the LAN/)
    await home.startMachine(desk, { lan: true, args: ['--reachable'] })
    await laptop.daemon.process.waitForOutput(/"acknowledgements":[1-9]/)
    assert.equal((await laptop.host.ping(desk.tunnelAddress)).received, 1)
    const sent = await Promise.all(
      captures.map(async (capture) => (await capture.stop()).filter(isMdns).length),
    )
    assert.equal(sent[0], 0, 'mDNS went into the tunnel')
    assert.notEqual(sent[1], 0)
    assert.equal(sent[2], 0)
  })

  test('neither ask nor answer with --no-lan', async () => {
    const recluse = home.machine('recluse')
    const capture = await recluse.host.capture('eth0')
    await home.startMachine(recluse)
    await recluse.daemon.process.waitForOutput(/"level":40[^\n]*waiting for one that connects to us/)
    const { peerId } = await recluse.daemon.status()
    assert.equal((await home.machine('laptop').host.ping(recluse.host.address)).received, 1)
    const own = (await capture.stop()).filter(
      (packet) => isMdns(packet) && packet.transport?.source.ip === recluse.host.address,
    )
    assert.deepEqual(own, [])
    for (const name of ['desk', 'laptop']) {
      assert(!home.machine(name).daemon.process.stdout.includes(peerId))
      assert(!home.machine(name).daemon.process.stderr.includes(peerId))
    }
  })
})

function isMdns({ transport }: CapturedPacket): boolean {
  return transport?.protocol === 'udp' && transport.destination.port === 5353
}

async function assertFirstPing(from: string, to: string): Promise<void> {
  const { received } = await fleet.machine(from).host.ping(fleet.machine(to).tunnelAddress)
  assert.equal(received, 1, 'the first echo request was not answered')
}

/** Where the path in use leads to. */
async function remoteIp(from: string, to: string): Promise<string | undefined> {
  const { path } = await fleet.machine(from).daemon.untilDirect(fleet.machine(to).wireguard.keys.publicKey)
  return parseSocketAddress(path?.remote ?? '')?.ip
}
