/** Gateways that are given other public addresses while tunnels run: the one of one side, and those of both at once. */

import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { Fleet, type Machine, untilDirectAt } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'
import { PingStream } from './pingStream.js'

let lab: Laboratory
let fleet: Fleet
let alice: Machine
let bob: Machine
let home: Gateway
let office: Gateway

before(async () => {
  lab = await Laboratory.create()
  home = await lab.gateway('port-restricted')
  office = await lab.gateway('port-restricted')
  fleet = await Fleet.create(lab, {
    alice: await lab.host({ name: 'alice', behind: home }),
    bob: await lab.host({ name: 'bob', behind: office }),
  })
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  await fleet.start()
  assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
})

after(() => lab.close())

describe('A gateway that is given another public address', () => {
  test('does not part the machine behind it from whom it talks to', async (t) => {
    await pingThrough(t, () => home.renumber())
    await untilDirectAt(bob, alice, home)
  })

  test('does not part it from one that talks to it', async (t) => {
    await pingThrough(t, () => office.renumber())
    await untilDirectAt(alice, bob, office)
  })
})

describe('Two gateways that are given other public addresses at once', () => {
  const both = () => Promise.all([home.renumber(), office.renumber()])

  test('do not part the machines behind them', async (t) => {
    await pingThrough(t, both)
    await untilDirectAt(bob, alice, home)
    await untilDirectAt(alice, bob, office)
  })

  test('do not part them while they are silent: whoever speaks first is heard', async (t) => {
    await both()
    const stream = PingStream.start(bob.host, alice.tunnelAddress)
    const sound = await stream.untilSound()
    await stream.stop()
    t.diagnostic(
      `the first answer came to the request of ${(sound - 1) * PingStream.INTERVAL_MS} ms after the first`,
    )
  })
})

/** Alice pings Bob while something happens, until every request is answered again. */
async function pingThrough(t: TestContext, happens: () => Promise<unknown>): Promise<void> {
  const { lost } = await PingStream.through(alice.host, bob.tunnelAddress, happens)
  t.diagnostic(`${lost} echo requests, ${PingStream.INTERVAL_MS} ms apart, were not answered`)
}
