/**
 * Runs in the emulated machine: first ping, roaming, a restart and an end beside the kernel's WireGuard, over a way that
 * netem makes slow and lossy. One fleet for all of it, of as few daemons as will do: an emulated processor takes about
 * fifteen seconds to start one.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { formatSocketAddress } from '../../src/base/address.js'
import { askStatus } from '../../src/daemon/controlClient.js'
import { controlSocketPath } from '../../src/daemon/runDirectory.js'
import { Fleet, type Machine, untilDirectAt } from '../lab/fleet.js'
import type { Gateway } from '../lab/gateway.js'
import { Laboratory } from '../lab/laboratory.js'
import { PingStream } from '../lab/pingStream.js'
import { until } from '../until.js'

/** Of each gateway, for what it sends to the internet: a round trip takes 80 ms between the two, 40 ms to the relay. */
const DELAY_MS = 40
const LOSS_PERCENT = 1
const RENAMED = 'renamed0'
const PRESHARED_KEY = randomBytes(32).toString('base64')

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
  await Promise.all([home, office].map(delay))
  fleet = await Fleet.create(
    lab,
    {
      alice: await lab.host({ name: 'alice', behind: home }),
      bob: await lab.host({ name: 'bob', behind: office }),
    },
    {
      bootstrapNodes: 1,
      // So that it relays.
      isClosed: true,
      // One bootstrap node does not show how a gateway maps: nobody waits to know it.
      hasUdp: () => false,
      // A peer with all that it can have: at the end it is removed and added again, with its key.
      peer: (_of, _peer, usual) => ({ ...usual, presharedKey: PRESHARED_KEY, keepaliveS: 25 }),
    },
  )
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  await fleet.start()
})

after(() => lab.close())

test("WireGuard is the kernel's, and netem holds packets back", async () => {
  assert.deepEqual(
    fleet.machines.map(({ wireguard }) => wireguard.implementation),
    ['kernel', 'kernel'],
  )
  const { rttsMs } = await alice.host.ping('203.0.113.1', { count: 5 })
  assert.ok(rttsMs.length > 0 && rttsMs.every((rttMs) => rttMs >= DELAY_MS), `round trips: ${rttsMs} ms`)
})

test('the first ping opens a direct path', async (t) => {
  const stream = PingStream.start(alice.host, bob.tunnelAddress)
  await stream.untilSound()
  await stream.stop()
  t.diagnostic(`the first answer came after ${stream.firstAnswerMs} ms`)
  await alice.daemon.untilDirect(bob.wireguard.keys.publicKey)
  await bob.daemon.untilDirect(alice.wireguard.keys.publicKey)
  await assertOursIn(alice, bob)
  await assertOursIn(bob, alice)
})

test('one that is given another public address goes on talking', async (t) => {
  await pingThrough(t, () => home.renumber())
  await untilBothDirect()
})

test('one that is given another public address is found by who talks to it', async (t) => {
  await pingThrough(t, () => office.renumber())
  await untilBothDirect()
})

test('both are given other public addresses at once, and find each other', async (t) => {
  await pingThrough(t, () => Promise.all([home.renumber(), office.renumber()]))
  await untilBothDirect()
})

test('a daemon that is killed and started again takes over the tunnel that runs', async (t) => {
  const endpoint = await endpointIn(bob, alice)
  const handshakes = await handshakeIn(bob, alice)
  await pingThrough(t, async () => {
    await bob.daemon.process.stop('SIGKILL')
    assert.equal(await endpointIn(bob, alice), endpoint, 'WireGuard goes on sending where it did')
    await fleet.startMachine(bob)
  })
  assert.equal(await endpointIn(bob, alice), endpoint)
  assert.ok((await handshakeIn(bob, alice)) >= handshakes)
  await bob.daemon.untilDirect(alice.wireguard.keys.publicKey)
})

test('an interface that is renamed is followed, and so it is when it gets its name back', async () => {
  const { host, wireguard, daemon } = bob
  const rename = async (from: string, to: string): Promise<void> => {
    // Linux 6.1 renames no interface that is up. The routes go with the link.
    await host.namespace.configure({}, [
      `link set ${from} down`,
      `link set ${from} name ${to}`,
      `link set ${to} up`,
      `route replace ${alice.tunnelAddress} dev ${to}`,
    ])
    await until(`the node to be that of ${to}`, async () => {
      try {
        return (await askStatus(controlSocketPath(daemon.runDirectory, to))).interface === to
      } catch {
        // Between the two there is nobody to ask.
        return false
      }
    })
  }
  await rename(wireguard.name, RENAMED)
  const stream = PingStream.start(host, alice.tunnelAddress)
  await stream.untilSound()
  await stream.stop()
  await rename(RENAMED, wireguard.name)
  await assertOursIn(bob, alice)
})

test('a daemon that ends leaves no endpoint of its own, and the peer with its preshared key', async () => {
  await bob.daemon.stop()
  assert.equal(bob.daemon.process.exitCode, 0)
  assert.equal(await endpointIn(bob, alice), undefined)
  const { host, wireguard } = bob
  const { stdout } = await host.run('wg', ['show', wireguard.name, 'preshared-keys'])
  assert.equal(stdout.trim(), `${alice.wireguard.keys.publicKey}\t${PRESHARED_KEY}`)
})

async function delay({ namespace }: Gateway): Promise<void> {
  const loss = ['loss', `${LOSS_PERCENT}%`]
  await namespace.run('tc', [
    'qdisc',
    'add',
    'dev',
    'wan',
    'root',
    'netem',
    'delay',
    `${DELAY_MS}ms`,
    ...loss,
  ])
}

/**
 * Alice pings Bob while something happens, until so many requests in a row are answered that the way is sound again. What
 * is lost on the way makes a silence of two intervals or three at any time.
 */
async function pingThrough(
  t: { diagnostic(message: string): void },
  happens: () => Promise<unknown>,
): Promise<void> {
  const { stream, lost } = await PingStream.through(alice.host, bob.tunnelAddress, happens)
  t.diagnostic(`longest silence ${stream.longestSilenceMs.toFixed(0)} ms; ${lost} requests were not answered`)
}

/** Waits until each talks to the other one at the public address of its gateway. */
async function untilBothDirect(): Promise<void> {
  await Promise.all([untilDirectAt(bob, alice, home), untilDirectAt(alice, bob, office)])
}

/** A machine's WireGuard sends for the other one to the loopback endpoint that its daemon has for it. */
async function assertOursIn(machine: Machine, other: Machine): Promise<void> {
  const { loopback } = await machine.daemon.peer(other.wireguard.keys.publicKey)
  assert.match(loopback ?? '', /^127\./)
  assert.equal(await endpointIn(machine, other), loopback)
}

async function endpointIn(machine: Machine, other: Machine): Promise<string | undefined> {
  const { endpoint } = await peerIn(machine, other)
  return endpoint === undefined ? undefined : formatSocketAddress(endpoint)
}

async function handshakeIn(machine: Machine, other: Machine): Promise<number> {
  return (await peerIn(machine, other)).latestHandshakeS
}

async function peerIn({ wireguard }: Machine, other: Machine) {
  const peer = (await wireguard.peers()).find((each) => each.publicKey === other.wireguard.keys.publicKey)
  assert.ok(peer)
  return peer
}
