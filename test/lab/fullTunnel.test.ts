/**
 * A machine that sends everything through its peer, as `AllowedIPs = 0.0.0.0/0` and wg-quick's rules have it. What the
 * daemon itself sends must stay outside, or nothing would get anywhere.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../until.js'
import { Fleet, type Machine } from './fleet.js'
import type { Host } from './host.js'
import { Laboratory } from './laboratory.js'
import { UdpProbe } from './udpProbe.js'

let lab: Laboratory
let fleet: Fleet
let website: Host
/** Sends everything through `exit`. */
let traveller: Machine
let exit: Machine

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(
    lab,
    { traveller: 'port-restricted', exit: 'open' },
    { peer: (of, _peer, usual) => (of === 'traveller' ? { ...usual, allowedIps: ['0.0.0.0/0'] } : usual) },
  )
  website = await lab.host({ name: 'website' })
  traveller = fleet.machine('traveller')
  exit = fleet.machine('exit')
  await exit.host.namespace.configure({ 'net/ipv4/ip_forward': 1 }, [])
  await exit.host.namespace.nft(
    'table ip exit { chain outward { type nat hook postrouting priority srcnat; oifname eth0 masquerade; }; }',
  )
  await fleet.start()
})

after(() => lab.close())

describe('A full tunnel', () => {
  test('carries the traffic of the host to the internet', async () => {
    assert.equal((await traveller.host.ping(exit.tunnelAddress)).received, 1)
    const [visitor, visited] = await Promise.all([UdpProbe.open(traveller.host), UdpProbe.open(website)])
    await visitor.send({ ip: website.address, port: visited.port }, 'hello')
    assert.equal((await visited.receive()).from.ip, exit.host.address)
    await Promise.all([visitor.close(), visited.close()])
  })

  test('does not carry what the daemon sends', async () => {
    const capture = await traveller.host.capture(traveller.wireguard.name)
    await traveller.daemon.cli('resolve', [exit.wireguard.keys.publicKey])
    await traveller.wireguard.forgetSessions()
    assert.equal((await traveller.host.ping(exit.tunnelAddress)).received, 1)
    assert.deepEqual(
      (await capture.stop()).flatMap(({ transport }) => transport ?? []),
      [],
    )
  })

  test('leaves the node connected to the mesh', async () => {
    await assertConnected()
  })

  test('is no obstacle to a start of the daemon', async () => {
    await traveller.daemon.stop()
    await fleet.startMachine(traveller)
    await assertConnected()
    assert.equal((await traveller.host.ping(exit.tunnelAddress)).received, 1)
    const { path } = await traveller.daemon.untilDirect(exit.wireguard.keys.publicKey)
    assert.equal(path?.remote.split(':')[0], exit.host.address)
  })
})

async function assertConnected(): Promise<void> {
  const { length } = fleet.known
  await until('the node to be connected to every bootstrap node', async () => {
    const { bootstrap } = await traveller.daemon.status()
    return bootstrap.length === length && bootstrap.every(({ connected }) => connected)
  })
}
