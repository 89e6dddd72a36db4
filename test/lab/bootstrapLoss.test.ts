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
