/**
 * Machines that move, gateways that forget, paths that swallow packets, and a daemon that is killed, while one machine
 * pings another: it goes on before WireGuard itself would try again.
 */

import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { Fleet, type Machine } from './fleet.js'
import type { BlockedWays, Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'
import { PingStream } from './pingStream.js'

/** WireGuard's own answer to silence, a first message, comes after 5 s of it. On an idle machine it takes less than one. */
const BEFORE_RETRY_MS = 5_000

/** Looking for something better is done ever more rarely. */
const HEALING_DEADLINE_MS = 240_000

let lab: Laboratory
let fleet: Fleet
let mover: Machine
let other: Machine
/** The one in use, and the one to move to. */
let movers: [Gateway, Gateway]
let others: [Gateway, Gateway]

before(async () => {
  lab = await Laboratory.create()
  const gateway = (name: string) => lab.gateway('port-restricted', { name })
  movers = [await gateway('home'), await gateway('cafe')]
  others = [await gateway('office'), await gateway('hotel')]
  fleet = await Fleet.create(
    lab,
    {
      mover: await lab.host({ name: 'mover', behind: movers[0] }),
      other: await lab.host({ name: 'other', behind: others[0] }),
    },
    { isClosed: true },
  )
  ;[mover, other] = [fleet.machine('mover'), fleet.machine('other')]
  await fleet.start()
})

after(() => lab.close())

describe('A machine that is plugged in elsewhere', () => {
  test('goes on talking', async (t) => {
    await pingThrough(t, mover, other, moveMover)
  })

  test('is found by who talks to it', async (t) => {
    await pingThrough(t, other, mover, moveMover)
  })

  test('is found by another one that moves at the same moment', async (t) => {
    await pingThrough(t, mover, other, async () =>
      Math.max(...(await Promise.all([moveMover(), move(other, others)]))),
    )
  })
})

test('A gateway that forgets all mappings does not part the machine behind it from who talks to it', async (t) => {
  await pingThrough(t, other, mover, () => movers[0].forgetMappings())
})

describe('A path that swallows packets, and says nothing,', () => {
  const ways: readonly (readonly [BlockedWays, string])[] = [
    ['outward', 'on the way out'],
    ['inward', 'on the way in'],
    ['both', 'both ways'],
  ]
  for (const [way, name] of ways)
    test(`${name}, is replaced`, async (t) => {
      await pingThrough(t, mover, other, () => movers[0].blockUdpWith(others[0].address, way))
      await movers[0].blockUdpWith(undefined)
    })
})

test('A daemon that is killed and started again takes the tunnel over', async (t) => {
  const { loopback } = await mover.daemon.peer(other.wireguard.keys.publicKey)
  const shakenHands = await latestHandshake()
  await pingThrough(t, mover, other, async () => {
    await mover.daemon.process.stop('SIGKILL')
    const gone = performance.now()
    await fleet.startMachine(mover)
    return performance.now() - gone
  })
  assert.equal((await mover.daemon.peer(other.wireguard.keys.publicKey)).loopback, loopback)
  t.diagnostic(
    `WireGuard ${(await latestHandshake()) === shakenHands ? 'noticed nothing' : 'shook hands anew'}`,
  )
})

test("A tunnel goes on when WireGuard's listen port is changed", async (t) => {
  const port = (await mover.wireguard.listenPort()) === 52_000 ? 52_001 : 52_000
  await pingThrough(t, mover, other, async () => {
    await mover.host.run('wg', ['set', mover.wireguard.name, 'listen-port', String(port)])
  })
})

function moveMover(): Promise<number> {
  return move(mover, movers)
}

function move({ host }: Machine, gateways: [Gateway, Gateway]): Promise<number> {
  gateways.reverse()
  return lab.move(host, { behind: gateways[0] })
}

/**
 * One machine pings the other over a direct path while something happens, until every request is answered again. What
 * happens says for how long nobody could have answered, in ms.
 */
async function pingThrough(
  t: TestContext,
  from: Machine,
  to: Machine,
  happens: () => Promise<unknown>,
): Promise<void> {
  const stream = PingStream.start(from.host, to.tunnelAddress)
  await untilDirect(from, to)
  await untilDirect(to, from)
  await stream.untilSound(stream.answered.at(-1))
  const lastBefore = stream.answered.at(-1) ?? 0
  const excused = await happens()
  await stream.untilSound(lastBefore)
  const silenceMs = stream.longestSilenceMs - (typeof excused === 'number' ? excused : 0)
  const { signs } = await from.daemon.peer(to.wireguard.keys.publicKey)
  const lost = await stream.stop()
  const noticed = signs.map(({ sign, decision }) => `${sign} (${decision})`).join(', ')
  t.diagnostic(`silent for ${Math.round(silenceMs)} ms, ${lost} pings lost; signs: ${noticed}`)
  assert.ok(silenceMs < BEFORE_RETRY_MS, `silent for ${Math.round(silenceMs)} ms`)
}

async function untilDirect(from: Machine, to: Machine): Promise<void> {
  await from.daemon.untilPeer(
    to.wireguard.keys.publicKey,
    'direct',
    ({ state }) => state === 'direct',
    HEALING_DEADLINE_MS,
  )
}

async function latestHandshake(): Promise<number> {
  return Math.max(...(await mover.wireguard.peers()).map(({ latestHandshakeS }) => latestHandshakeS))
}
