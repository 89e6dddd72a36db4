/** Paths that carry less than the interface's MTU needs, between real daemons: found out, told, and named the right one. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { PeerStatus } from '../../src/daemon/status.js'
import { until } from '../until.js'
import { Fleet, type Machine } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'

/** A link's, on the way to bob. */
const LINK_MTU = 1_400
/** Less the headers of IPv4 and UDP, and what WireGuard adds: 20 + 8 + 32 bytes. */
const RIGHT_MTU = 1_340
const INTERFACE_MTU = 1_420
/** Of an echo request that makes a packet of the interface's MTU: less the headers of IPv4 and ICMP. */
const FULL_PING = INTERFACE_MTU - 28
/** A search takes some seconds: every size that does not pass is tried three times. */
const DEADLINE_MS = 60_000

/** Fragments are dropped before conntrack puts them together, and no router says that a packet was too large. */
const NO_FRAGMENTS = `
table ip mute {
  chain fragments {
    type filter hook prerouting priority -450
    ip frag-off & 0x3fff != 0 drop
  }
  chain silence {
    type filter hook output priority filter
    icmp type destination-unreachable drop
  }
}
`

let lab: Laboratory
let gateway: Gateway
let fleet: Fleet
let alice: Machine
let bob: Machine
let carol: Machine

before(async () => {
  lab = await Laboratory.create()
  gateway = await lab.gateway('port-restricted')
  const host = await lab.host({ name: 'bob', behind: gateway })
  await narrow()
  await host.run('ip', ['link', 'set', 'eth0', 'mtu', String(LINK_MTU)])
  fleet = await Fleet.create(lab, { alice: 'open', bob: host, carol: 'open' })
  await fleet.start()
  ;[alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => fleet.machine(name)) as [
    Machine,
    Machine,
    Machine,
  ]
})

after(() => lab.close())

describe('A path that carries 1500 bytes', () => {
  test('suits the interface, and nothing is said', async () => {
    assert.equal((await alice.host.ping(carol.tunnelAddress)).received, 1)
    for (const [of, peer] of [
      [alice, carol],
      [carol, alice],
    ] as const) {
      assert.equal((await untilMtu(of, peer, INTERFACE_MTU)).path?.mtu, INTERFACE_MTU)
      assert.deepEqual((await of.daemon.status()).warnings, [])
    }
  })
})

describe('A path with a link of 1400 bytes', () => {
  test('is found out from both ends, and the right MTU is named', async () => {
    assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
    for (const [of, peer] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      await untilMtu(of, peer, RIGHT_MTU)
      const { mtu, warnings } = await of.daemon.status()
      assert.equal(mtu, INTERFACE_MTU)
      assert.match(warnings.join('\n'), mendOf(of))
      assert.match((await of.daemon.cli('status')).stdout, mendOf(of))
    }
  })

  test('is told of once in the log', () => {
    const lines = alice.daemon.process.stdout + alice.daemon.process.stderr
    assert.equal(lines.split('\n').filter((line) => mendOf(alice).test(line)).length, 1)
  })

  test('carries full packets of the interface nevertheless, in fragments', async () => {
    assert.equal(await fullPing(alice, bob, FULL_PING), true)
    assert.equal(await fullPing(bob, alice, FULL_PING), true)
  })
})

describe('Where fragments and ICMP are dropped as well', () => {
  before(async () => {
    await gateway.namespace.nft(NO_FRAGMENTS)
    await bob.host.namespace.nft(NO_FRAGMENTS)
  })

  test('small packets pass and full ones do not, of which the status warns', async () => {
    assert.equal(await fullPing(alice, bob, FULL_PING), false)
    assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
    assert.match((await alice.daemon.status()).warnings.join('\n'), mendOf(alice))
  })

  test('the MTU that was named is right, and nothing is said any longer', async () => {
    for (const { host, wireguard } of [alice, bob])
      await host.run('ip', ['link', 'set', wireguard.name, 'mtu', String(RIGHT_MTU)])
    assert.equal(await fullPing(alice, bob, RIGHT_MTU - 28), true)
    for (const { daemon } of [alice, bob])
      await until('no warning', async () => (await daemon.status()).warnings.length === 0)
  })
})

/** A link's MTU is that of all who are on it. */
async function narrow(): Promise<void> {
  const { namespace } = gateway.lan
  const { stdout } = await namespace.run('ip', ['-o', 'link', 'show', 'master', gateway.lan.bridge])
  const ports = [...stdout.matchAll(/^\d+: ([^:@]+)/gm)].map((match) => match[1])
  await namespace.configure(
    {},
    [...ports, gateway.lan.bridge].map((device) => `link set ${device} mtu ${LINK_MTU}`),
  )
}

function untilMtu(of: Machine, peer: Machine, mtu: number): Promise<PeerStatus> {
  const key = peer.wireguard.keys.publicKey
  return of.daemon.untilPeer(
    key,
    `known to be reached with an MTU of ${mtu}`,
    ({ path }) => path?.mtu === mtu,
    DEADLINE_MS,
  )
}

function mendOf({ wireguard }: Machine): RegExp {
  return new RegExp(`ip link set ${wireguard.name} mtu ${RIGHT_MTU}\\b`)
}

/** True where an echo request with so many bytes of content is answered. */
async function fullPing(from: Machine, to: Machine, bytes: number): Promise<boolean> {
  const { stdout } = await from.host.run(
    'ping',
    ['-n', '-c', '2', '-i', '0.2', '-W', '2', '-M', 'do', '-s', String(bytes), to.tunnelAddress],
    { exitCodes: [0, 1] },
  )
  return !/ 0 received/.test(stdout)
}
