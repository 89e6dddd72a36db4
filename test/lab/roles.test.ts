/** Machines that find out by themselves whether others reach them, and what they are to the mesh then. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { until } from '../until.js'
import { Fleet } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'

/** Two probes a second or two apart, the DHT's query for itself each minute, and the time of a machine that is busy. */
const FOUND_OUT_MS = 90_000
/** What serves asks every 5 min; other addresses make it ask at once, as here. */
const CLOSED_MS = 120_000
/** A node that looks for relays tries one at a time; where several tries fail, the next ones are a minute apart. */
const RESERVED_MS = 240_000

let lab: Laboratory
let cloudGateway: Gateway
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  cloudGateway = await lab.gateway('port-restricted')
  const cloud = await lab.host({ name: 'cloud', behind: cloudGateway })
  // One-to-one NAT, as clouds have it: what comes for the public address is the machine's.
  await cloudGateway.namespace.nft(`
table ip cloud {
  chain inward {
    type nat hook prerouting priority dstnat - 1
    iifname wan tcp dport 1024-65535 dnat to ${cloud.address}
  }
}
`)
  fleet = await Fleet.create(lab, { open: 'open', home: 'port-restricted', late: 'symmetric', cloud })
  await fleet.start()
})

after(() => lab.close())

async function untilReachable(name: string, reachable: boolean, deadlineMs = FOUND_OUT_MS): Promise<void> {
  const { daemon } = fleet.machine(name)
  await until(
    `${name} to be ${reachable ? '' : 'un'}reachable`,
    async () => (await daemon.status()).reachable === reachable,
    deadlineMs,
  )
}

async function circuitsOf(name: string): Promise<readonly string[]> {
  const { addresses } = await fleet.machine(name).daemon.status()
  return addresses.filter((address) => address.includes('/p2p-circuit'))
}

test('a machine with a public address finds out that it serves, and one behind NAT that it does not', async () => {
  await untilReachable('open', true)
  await untilReachable('home', false)
  await untilReachable('late', false)
  assert.deepEqual(await circuitsOf('open'), [])
  assert.ok((await circuitsOf('home')).length > 0)
})

test('a machine behind one-to-one NAT finds its public address, and tells others of it in its record', async () => {
  await untilReachable('cloud', true)
  const { daemon } = fleet.machine('cloud')
  const isPublic = (address: string) => address.startsWith(`/ip4/${cloudGateway.address}/tcp/`)
  assert.equal((await daemon.status()).addresses.filter(isPublic).length, 1)
  const { publicKey } = fleet.machine('cloud').wireguard.keys
  await until(
    'the record to name it first',
    async () => {
      const { stdout } = await fleet.machine('home').daemon.cli('resolve', [publicKey, '--json'])
      const { addresses } = JSON.parse(stdout) as { readonly addresses: readonly string[] }
      return isPublic(addresses[0] ?? '')
    },
    FOUND_OUT_MS,
  )
})

test('when a bootstrap node is gone, others reserve at a machine that serves', async () => {
  const serving = [fleet.machine('open'), fleet.machine('cloud')]
  const ids = await Promise.all(serving.map(async ({ daemon }) => (await daemon.status()).peerId))
  await fleet.bootstrap[0]?.stop()
  for (const name of ['home', 'late']) {
    await until(
      `${name} to reserve at one of them`,
      async () => {
        const circuits = await circuitsOf(name)
        return circuits.some((address) => ids.some((id) => address.includes(`/p2p/${id}/p2p-circuit`)))
      },
      RESERVED_MS,
    )
  }
  assert.equal((await fleet.machine('home').host.ping(fleet.machine('open').tunnelAddress)).received, 1)
})

test('a machine whose firewall closes is a client again', async () => {
  const { host } = fleet.machine('open')
  await host.namespace.nft(`
table inet firewall {
  chain input {
    type filter hook input priority filter; policy accept
    ct state established,related accept
    iifname eth0 tcp flags syn drop
  }
}
`)
  // A new address has it ask at once.
  await host.run('ip', ['address', 'add', '203.0.113.200/24', 'dev', 'eth0'])
  await untilReachable('open', false, CLOSED_MS)
})
