/** What the nodes have on disk: it outlives them, and no damage to it keeps them from their work. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { BOOTSTRAP_NAME } from '../../src/daemon/nodeName.js'
import { BootstrapNode } from './daemons.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'

const DAMAGED = '"msg":"the datastore is damaged; it was moved aside, beginning a new one"'

let lab: Laboratory
let fleet: Fleet
let alice: Machine
let storer: BootstrapNode

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(lab, { alice: 'open' }, { bootstrapNodes: 1 })
  storer = fleet.bootstrap[0] ?? assert.fail()
  alice = fleet.machine('alice')
  await fleet.startMachine(alice)
  await alice.daemon.process.waitForOutput(/"acknowledgements":1/)
})

after(() => lab.close())

async function damage(directory: string, how: (path: string) => Promise<unknown>): Promise<void> {
  for (const name of await readdir(directory)) await how(join(directory, name))
}
const truncated = async (path: string) => truncate(path, Math.floor((await stat(path)).size / 2))
const rubbish = async (path: string) => writeFile(path, randomBytes(1_000))

describe('A node that stores records', () => {
  for (const [how, signal] of [
    ['was stopped', 'SIGTERM'],
    ['was killed', 'SIGKILL'],
  ] as const)
    test(`has them when it ${how} and starts again, while all others are gone`, async () => {
      if (how === 'was stopped') await alice.daemon.stop()
      await storer.process.stop(signal)
      storer = await BootstrapNode.start(storer.host)
      const { stdout } = await storer.cli('resolve', [alice.wireguard.keys.publicKey, '--json'])
      assert.equal(JSON.parse(stdout).publicKey, alice.wireguard.keys.publicKey)
      assert.ok(!storer.process.stderr.includes(DAMAGED))
    })

  for (const [what, how] of [
    ['truncated', truncated],
    ['filled with rubbish', rubbish],
  ] as const)
    test(`says so when its datastore is ${what}, moves it aside and goes on`, async () => {
      await storer.stop()
      const directory = join(storer.stateDirectory, `${BOOTSTRAP_NAME}.datastore`)
      assert.equal((await stat(directory)).mode & 0o777, 0o700)
      await damage(directory, how)
      storer = await BootstrapNode.start(storer.host)
      assert.equal(storer.process.stderr.split(DAMAGED).length, 2)
      assert.ok((await stat(`${directory}.corrupt`)).isDirectory())
    })
})

test('a node beside an interface says so too, and is up', async () => {
  const directory = join(alice.daemon.stateDirectory, `${alice.wireguard.name}.datastore`)
  await damage(directory, rubbish)
  await fleet.startMachine(alice)
  assert.equal(alice.daemon.process.stderr.split(DAMAGED).length, 2)
  await alice.daemon.process.waitForOutput(/"acknowledgements":1/)
})
