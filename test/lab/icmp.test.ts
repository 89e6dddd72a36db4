/** What ICMP says of a peer, over real sockets: it is a sign, told in the status, and nobody else loses a packet by it. */

import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { Fleet, type Machine } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'
import { PingStream } from './pingStream.js'

let lab: Laboratory
let fleet: Fleet
let router: Gateway
let alice: Machine
let bob: Machine
let carol: Machine

before(async () => {
  lab = await Laboratory.create()
  router = await lab.gateway('port-restricted')
  fleet = await Fleet.create(lab, {
    alice: 'open',
    bob: 'open',
    carol: await lab.host({ name: 'carol', behind: router }),
  })
  ;[alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => fleet.machine(name)) as [
    Machine,
    Machine,
    Machine,
  ]
  await fleet.start()
})

after(() => lab.close())

test('A peer whose daemon was killed is asked at once, as its machine says that nobody has the port open', async (t) => {
  const toBob = PingStream.start(alice.host, bob.tunnelAddress)
  const toCarol = PingStream.start(alice.host, carol.tunnelAddress)
  await alice.daemon.untilDirect(bob.wireguard.keys.publicKey)
  await alice.daemon.untilDirect(carol.wireguard.keys.publicKey)
  await toBob.untilSound()
  const lastBefore = await toCarol.untilSound()
  await bob.daemon.process.stop('SIGKILL')
  await untilUnreachable(t, bob)

  // Errors about one go on while the other is talked to.
  await toCarol.untilSound(lastBefore + 100)
  assert.equal(await toCarol.stop(), 0)
  assert.equal(await isUnreachable(carol), false)

  await fleet.startMachine(bob)
  await toBob.untilSound(toBob.answered.at(-1))
  await toBob.stop()
})

test('A peer whose address is gone from behind a router is asked at once, as the router says so', async (t) => {
  const toCarol = PingStream.start(alice.host, carol.tunnelAddress)
  await alice.daemon.untilDirect(carol.wireguard.keys.publicKey)
  await toCarol.untilSound()
  const route = ['unreachable', `${carol.host.address}/32`]
  // Routers limit how often they say it; a path that is given up before it was said is nobody's concern.
  for (let isSaid = false; !isSaid; ) {
    await router.namespace.run('ip', ['route', 'add', ...route])
    const { signs } = await alice.daemon.untilPeer(
      carol.wireguard.keys.publicKey,
      'said to be unreachable, or without its path',
      ({ signs, path }) => path === null || signs.some(({ sign }) => sign === 'unreachable'),
    )
    isSaid = signs.some(({ sign }) => sign === 'unreachable')
    t.diagnostic(`signs: ${signs.map(({ sign, decision }) => `${sign} (${decision})`).join(', ')}`)
    await router.namespace.run('ip', ['route', 'delete', ...route])
    await alice.daemon.untilDirect(carol.wireguard.keys.publicKey)
    await toCarol.untilSound(toCarol.answered.at(-1))
  }
  await toCarol.stop()
})

async function untilUnreachable(t: TestContext, peer: Machine): Promise<void> {
  const { signs } = await alice.daemon.untilPeer(
    peer.wireguard.keys.publicKey,
    'said to be unreachable',
    ({ signs }) => signs.some(({ sign }) => sign === 'unreachable'),
  )
  t.diagnostic(`signs: ${signs.map(({ sign, decision }) => `${sign} (${decision})`).join(', ')}`)
}

async function isUnreachable(peer: Machine): Promise<boolean> {
  const { signs } = await alice.daemon.peer(peer.wireguard.keys.publicKey)
  return signs.some(({ sign }) => sign === 'unreachable')
}
