import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { FormerEndpoints } from '../../src/daemon/formerEndpoints.js'
import { StateFile } from '../../src/daemon/state.js'
import { readInterface } from '../../src/io/wireguard/interfaceReader.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { FakeWg } from './fakeWg.js'
import { recordingLogger } from './recordingLogger.js'
import { temporaryDirectory } from './temporaryDirectory.js'

const [GLOBAL, NONE, ZONED] = [sampleKey(2), sampleKey(3), sampleKey(4)]
const ADDRESS = { ip: '203.0.113.1', port: 51_820 }
const ZONED_TEXT = '[fe80::1%eth0]:51820'
/** What the engine makes of it: it knows no zones. */
const FORMER = new Map([
  [GLOBAL, ADDRESS],
  [NONE, undefined],
  [ZONED, undefined],
])
const NOTED = { [GLOBAL]: '203.0.113.1:51820', [NONE]: null, [ZONED]: ZONED_TEXT }

async function prepared(t: TestContext) {
  const wg = await FakeWg.install(t)
  const directory = await temporaryDirectory(t)
  const openState = () => StateFile.open(directory, 'wg0', recordingLogger().log)
  await wg.dump(sampleKey(1), 51_820, [
    { publicKey: GLOBAL, endpoint: '203.0.113.1:51820' },
    { publicKey: NONE },
    { publicKey: ZONED, endpoint: ZONED_TEXT },
  ])
  return { wg, openState }
}

/** Every peer has a loopback endpoint now. */
async function takeOver(wg: FakeWg): Promise<void> {
  const peers = [GLOBAL, NONE, ZONED].map((publicKey, index) => ({
    publicKey,
    endpoint: `127.1.2.${index + 1}:51822`,
  }))
  await wg.dump(sampleKey(1), 51_820, peers)
}

test('what peers had is noted on disk, with its zone, and what they are given is not', async (t) => {
  const { wg, openState } = await prepared(t)
  const state = await openState()
  const former = new FormerEndpoints('wg0', state)
  former.note((await readInterface('wg0')).peers, FORMER)
  await takeOver(wg)
  former.note((await readInterface('wg0')).peers, FORMER)
  await state.flush()
  assert.deepEqual((await openState()).state.formerEndpoints, NOTED)
})

test('a later run recalls what a killed one noted, and puts it back', async (t) => {
  const { wg, openState } = await prepared(t)
  const killed = await openState()
  new FormerEndpoints('wg0', killed).note((await readInterface('wg0')).peers, FORMER)
  await killed.flush()
  await takeOver(wg)

  const state = await openState()
  const former = new FormerEndpoints('wg0', state)
  assert.deepEqual(former.recall(), FORMER)
  former.note((await readInterface('wg0')).peers, FORMER)
  await former.restore(FORMER)
  assert.deepEqual(wg.changes, [
    `set wg0 peer ${GLOBAL} endpoint 203.0.113.1:51820 peer ${ZONED} endpoint ${ZONED_TEXT}`,
    `set wg0 peer ${NONE} remove peer ${NONE} allowed-ips 10.0.0.0/24 persistent-keepalive off`,
  ])
  await state.flush()
  assert.deepEqual((await openState()).state.formerEndpoints, {})
})

test('a peer that got an endpoint without a zone loses the one with a zone', async (t) => {
  const { wg, openState } = await prepared(t)
  const state = await openState()
  const former = new FormerEndpoints('wg0', state)
  former.note((await readInterface('wg0')).peers, FORMER)
  await wg.dump(sampleKey(1), 51_820, [{ publicKey: ZONED, endpoint: '203.0.113.9:1' }])
  const now = new Map([[ZONED, { ip: '203.0.113.9', port: 1 }]])
  former.note((await readInterface('wg0')).peers, now)
  assert.deepEqual(state.state.formerEndpoints, { [ZONED]: '203.0.113.9:1' })
  await state.flush()
})
