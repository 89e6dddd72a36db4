/** A stranger who has recorded everything that crossed the internet, but knows no key, changes nothing. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseSocketAddress } from '../../src/base/address.js'
import type { PathStatus } from '../../src/daemon/status.js'
import { classify } from '../../src/wire/classify.js'
import { wireguardType } from '../../src/wire/wireguard.js'
import { until } from '../until.js'
import { Fleet, type Machine } from './fleet.js'
import type { Host } from './host.js'
import { Laboratory } from './laboratory.js'

const STRAY_DATAGRAMS = fileURLToPath(new URL('./programs/strayDatagrams.js', import.meta.url))

const FLOOD = 100_000
/** What the garbage collector leaves lying about is less; a leak of 300 bytes for each datagram would be as much. */
const MEMORY_BYTES = 30 * 1024 * 1024

let lab: Laboratory
let fleet: Fleet
let alice: Machine
/** In the open, where everybody can send to it. */
let bob: Machine
let stranger: Host
/** What the stranger recorded of what was sent to Bob's daemon. */
let recorded: Uint8Array[]
let bobsPath: PathStatus | null

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'open' })
  stranger = await lab.host({ name: 'stranger' })
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  await fleet.start()
  const capture = await lab.capture()
  assert.equal((await alice.host.ping(bob.tunnelAddress, { count: 3 })).received, 3)
  bobsPath = (await bob.daemon.untilDirect(alice.wireguard.keys.publicKey)).path
  const local = parseSocketAddress(bobsPath?.local ?? '')
  recorded = (await capture.stop()).flatMap(({ transport }) =>
    transport?.protocol === 'udp' &&
    transport.destination.ip === local?.ip &&
    transport.destination.port === local.port
      ? [transport.payload]
      : [],
  )
})

after(() => lab.close())

describe('A stranger', () => {
  test('who replays first messages, checks and data gets none of the traffic', async () => {
    assert.ok(
      recorded.some((payload) => wireguardType(payload) === 1),
      'a first message was recorded',
    )
    assert.ok(
      recorded.some((payload) => wireguardType(payload) === 4),
      'data was recorded',
    )
    assert.ok(
      recorded.some((payload) => classify(payload) === 'stun'),
      'a check was recorded',
    )
    const capture = await stranger.capture()
    const before = await drops()
    await sendStray(0)
    await until('the last replay to be dropped', async () => (await drops()) > before)
    await assertUnchanged()
    const sentToStranger = (await capture.stop()).flatMap(({ transport }) =>
      transport?.destination.ip === stranger.address ? [transport.payload] : [],
    )
    assert.ok(!sentToStranger.some((payload) => wireguardType(payload) === 4), 'data went to the stranger')
  })

  test(`who sends ${FLOOD} random and mutated datagrams leaves state and memory where they were`, async (context) => {
    const memoryBefore = residentBytes(bob)
    const before = await drops()
    await sendStray(FLOOD)
    const grown = residentBytes(bob) - memoryBefore
    const dropped = (await drops()) - before
    context.diagnostic(`${dropped} dropped, ${Math.round(grown / 1024)} KiB more resident`)
    // The kernel throws away what comes while the daemon has no time; that is no drop of ours.
    assert.ok(dropped > FLOOD / 2, `only ${dropped} were dropped with a counted reason`)
    assert.ok(grown < MEMORY_BYTES, `grown by ${grown} bytes`)
    await assertUnchanged()
    assert.equal(bob.daemon.process.end, undefined)
    assert.doesNotMatch(bob.daemon.process.stderr, /unexpected|"level":(50|60)/)
  })
})

async function assertUnchanged(): Promise<void> {
  const { state, path } = await bob.daemon.peer(alice.wireguard.keys.publicKey)
  assert.equal(state, 'direct')
  assert.deepEqual(
    [path?.type, path?.local, path?.remote],
    [bobsPath?.type, bobsPath?.local, bobsPath?.remote],
  )
  assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
  assert.equal((await bob.host.ping(alice.tunnelAddress)).received, 1)
}

/** Has the stranger send all that was recorded, and then so many datagrams of its own making. */
async function sendStray(count: number): Promise<void> {
  const file = join(lab.directory, 'recorded')
  await writeFile(file, recorded.map((payload) => `${Buffer.from(payload).toString('hex')}\n`).join(''))
  const to = parseSocketAddress(bobsPath?.local ?? '')
  const args = [STRAY_DATAGRAMS, to?.ip ?? '', String(to?.port), String(count), '1', file]
  const { stdout } = await stranger.run(process.execPath, args)
  assert.equal(stdout, 'sent\n')
}

/** How many Bob's daemon has dropped in all. */
async function drops(): Promise<number> {
  const counts = Object.values((await bob.daemon.status()).drops)
  return counts.reduce((sum, count) => sum + count, 0)
}

function residentBytes({ daemon }: Machine): number {
  const status = readFileSync(`/proc/${daemon.process.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
