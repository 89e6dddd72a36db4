/** Bootstrap nodes that are not there: at the start, or while tunnels run. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../until.js'
import { BootstrapNode, type UpNode } from './daemons.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'

let lab: Laboratory
let fleet: Fleet
let alice: Machine
let bob: Machine

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'port-restricted' })
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  for (const node of fleet.bootstrap) await node.stop()
})

after(() => lab.close())

describe('A fleet whose bootstrap nodes are all down', () => {
  test('starts nevertheless, and its status says of each why it is not connected', async () => {
    await Promise.all(fleet.machines.map((machine) => fleet.startMachine(machine)))
    for (const { daemon } of fleet.machines) {
      await untilBootstrap(
        daemon,
        'known to be down',
        ({ connected, lastError }) => !connected && lastError !== undefined,
      )
    }
  })

  test('says so in its log', async () => {
    for (const { daemon } of fleet.machines) {
      for (const multiaddr of fleet.known)
        await daemon.process.waitForOutput(new RegExp(`"level":40[^\\n]*${escaped(multiaddr)}`))
    }
  })

  test('connects when they come up', async () => {
    const restarted = await Promise.all(fleet.bootstrap.map(({ host }) => BootstrapNode.start(host)))
    assert.deepEqual(
      restarted.map(({ multiaddr }) => multiaddr),
      fleet.known,
    )
    for (const { daemon } of fleet.machines) {
      // The pauses between attempts grow to 15 s.
      await untilBootstrap(daemon, 'connected', ({ connected }) => connected, 30_000)
      await daemon.untilPublished()
    }
    assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
    for (const node of restarted) await node.process.stop('SIGKILL')
  })

  test('keeps its tunnels', async () => {
    for (const { daemon } of fleet.machines) {
      await untilBootstrap(
        daemon,
        'lost',
        ({ connected, lastError }) => !connected && lastError !== undefined,
      )
    }
    assert.equal((await alice.host.ping(bob.tunnelAddress, { count: 10, intervalMs: 50 })).received, 10)
    assert.equal((await bob.host.ping(alice.tunnelAddress, { count: 10, intervalMs: 50 })).received, 10)
    for (const { daemon } of fleet.machines) assert.equal(daemon.process.end, undefined)
  })
})

describe('A machine that starts again when the only bootstrap node is dead', () => {
  let second: Laboratory
  let mesh: Fleet

  before(async () => {
    second = await Laboratory.create()
    mesh = await Fleet.create(
      second,
      { carol: 'port-restricted', dave: 'port-restricted', server: 'open' },
      { bootstrapNodes: 1 },
    )
    await mesh.startMachine(mesh.machine('server'), { args: ['--reachable'] })
    const others = [mesh.machine('carol'), mesh.machine('dave')]
    await Promise.all(others.map((machine) => mesh.startMachine(machine)))
    for (const { daemon } of others) {
      const { peerId } = await mesh.machine('server').daemon.status()
      await daemon.untilPublished()
      await until(`${daemon.host.name} to have a second relay`, async () =>
        (await daemon.status()).addresses.some((address) => address.includes(`${peerId}/p2p-circuit`)),
      )
    }
  })

  after(() => second.close())

  test('finds its peers through another node that it remembers', async () => {
    const [carol, dave] = [mesh.machine('carol'), mesh.machine('dave')]
    await carol.daemon.stop()
    for (const node of mesh.bootstrap) await node.process.stop('SIGKILL')
    // Carol's WireGuard and Dave's forget each other, so that only the mesh can bring them together.
    await dave.wireguard.forgetSessions()
    await mesh.startMachine(carol)
    await carol.daemon.process.waitForOutput(/"acknowledgements":[1-9]/)
    assert.equal((await carol.host.ping(dave.tunnelAddress)).received, 1)
    assert.equal(
      (await carol.daemon.status()).bootstrap.some(({ connected }) => connected),
      false,
    )
  })

  test('and so does one that is given no bootstrap node at all', async () => {
    const [carol, dave] = [mesh.machine('carol'), mesh.machine('dave')]
    await dave.daemon.stop()
    await mesh.startMachine(dave, { bootstrap: [] })
    await dave.daemon.process.waitForOutput(/"acknowledgements":[1-9]/)
    assert.equal((await dave.host.ping(carol.tunnelAddress)).received, 1)
  })
})

type Known = Awaited<ReturnType<UpNode['status']>>['bootstrap'][number]

async function untilBootstrap(
  daemon: UpNode,
  what: string,
  isSo: (node: Known) => boolean,
  deadlineMs?: number,
): Promise<void> {
  await until(
    `every bootstrap node to be ${what}`,
    async () => (await daemon.status()).bootstrap.every(isSo),
    deadlineMs,
  )
}

function escaped(text: string): string {
  return text.replaceAll('.', '\\.')
}
