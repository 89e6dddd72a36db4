/** A disk that is full or read-only costs a node its memory, and nothing else; and gets all of it when it can. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Diagnosis } from '../../src/daemon/finding.js'
import { until } from '../until.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'
import { SmallDisk } from './smallDisk.js'
import { generateWireGuardKeys } from './wireguard.js'

const NO_STATE = 'cannot write the state file; going on without it, nothing new is remembered'
const NO_DATASTORE = 'cannot write the datastore; going on in memory, nothing new is remembered'
const NOT_OPENED = 'cannot open the datastore; going on in memory, nothing new is remembered'
const WRITTEN = ['the state file can be written again', 'the datastore can be written again']
const FULL = /no space left/i
const READ_ONLY = /read-only file system/i
/** A write is tried again after ten seconds. */
const AGAIN_MS = 60_000
const EXTRA = generateWireGuardKeys().publicKey

let lab: Laboratory
let fleet: Fleet
let alice: Machine
let bob: Machine
let disk: SmallDisk

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(lab, { alice: 'open', bob: 'open' }, { bootstrapNodes: 1 })
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  disk = new SmallDisk(alice.host.namespace.scope)
  await fleet.startMachine(bob)
  await fleet.startMachine(alice, { disk })
  await untilPinged()
  await until('what is known of bob to be remembered', async () => (await state()).sequence > 0)
})

after(() => lab.close())

test('a disk that fills up while a node runs is said once, the tunnel goes on, and all is written when there is room again', async () => {
  await disk.fill()
  await restartBob()
  await untilPinged()
  const before = await state()
  await changeState()
  await untilWarned(FULL)
  assert.equal(said(NO_STATE), 1)
  assert.deepEqual(await state(), before, 'what was there is still there')
  const { stdout } = await alice.daemon.cli('doctor', ['--json'], { exitCodes: [0, 1] })
  const { nodes }: Diagnosis = JSON.parse(stdout)
  const findings = nodes.flatMap((node) => node.findings)
  assert.ok(findings.some(({ severity, says }) => severity === 'warning' && FULL.test(says)))
  await disk.free()
  await untilWell()
  assert.equal(said(NO_STATE), 1)
  assert.ok(said(NO_DATASTORE) <= 1)
})

for (const [how, spoil, mend, pattern] of [
  ['full', () => disk.fill(), () => disk.free(), FULL],
  ['read-only', () => disk.remount('ro'), () => disk.remount('rw'), READ_ONLY],
] as const)
  test(`a node that starts while its disk is ${how} knows what it knew, says so, and writes when it can`, async () => {
    await alice.daemon.process.stop('SIGKILL')
    const before = await state()
    await spoil()
    await fleet.startMachine(alice, { disk })
    await untilPinged()
    await changeState()
    await untilWarned(pattern)
    assert.equal(said(NO_STATE), 1)
    if (how === 'read-only') assert.equal(said(NOT_OPENED), 1)
    const { listenPort, formerEndpoints } = await state()
    assert.deepEqual(
      { listenPort, formerEndpoints },
      {
        listenPort: before.listenPort,
        formerEndpoints: before.formerEndpoints,
      },
    )
    await mend()
    await untilWell()
    assert.doesNotMatch(alice.daemon.process.stderr, /the datastore is damaged/)
  })

test('after all of it, the datastore is whole', async () => {
  await alice.daemon.process.stop('SIGKILL')
  await fleet.startMachine(alice, { disk })
  assert.doesNotMatch(alice.daemon.process.stderr, /the datastore|the state file/)
  await untilPinged()
})

async function untilPinged(): Promise<void> {
  await until('an answer through the tunnel', async () => {
    return (await alice.host.ping(bob.tunnelAddress, { timeoutMs: 1_000 })).received === 1
  })
}

/** A record that is newer than what is remembered. */
async function restartBob(): Promise<void> {
  // Killed: an end would take WireGuard's session along, and half a minute.
  await bob.daemon.process.stop('SIGKILL')
  await fleet.startMachine(bob)
}

/** A peer that comes or goes is noted down. */
async function changeState(): Promise<void> {
  const { peers } = await alice.daemon.status()
  const known = peers.length
  if (peers.some((peer) => peer.publicKey === EXTRA)) await alice.wireguard.removePeer(EXTRA)
  else await alice.wireguard.setPeer({ publicKey: EXTRA, allowedIps: ['10.9.0.77/32'] })
  await until('it to be noticed', async () => (await alice.daemon.status()).peers.length !== known)
}

async function state() {
  return JSON.parse(await disk.read(`${alice.wireguard.name}.json`))
}

function said(message: string): number {
  return alice.daemon.process.stderr.split(`"msg":"${message}"`).length - 1
}

async function untilWarned(pattern: RegExp): Promise<void> {
  await until('a warning in the status', async () =>
    (await alice.daemon.status()).warnings.some((warning) => pattern.test(warning)),
  )
}

async function untilWell(): Promise<void> {
  await until(
    'no warning in the status',
    async () => (await alice.daemon.status()).warnings.length === 0,
    AGAIN_MS,
  )
  assert.ok(WRITTEN.some((message) => said(message) > 0))
}
