import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { InterfaceWatch } from '../../src/daemon/interfaceWatch.js'
import { SucceededError } from '../../src/daemon/successors.js'
import type { InterfaceDump } from '../../src/io/wireguard/interfaceDump.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { recordingLogger } from './recordingLogger.js'
import { settled } from './settled.js'

const DUMP: InterfaceDump = {
  name: 'wg0',
  privateKey: new Uint8Array(32),
  publicKey: sampleKey(1),
  listenPort: 51_820,
  fwmark: 0,
  peers: [],
}

/** A watch in virtual time over an interface that `read` reads. */
function watching(t: TestContext, read: () => Promise<InterfaceDump>, nameNow = () => DUMP.name) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const startedAt: number[] = []
  const handed: InterfaceDump[] = []
  const { log, lines } = recordingLogger()
  const reader = {
    read: () => {
      startedAt.push(now)
      return read()
    },
  }
  const watch = new InterfaceWatch(reader, DUMP, nameNow, (dump) => handed.push(dump), log)
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 100) {
      now += 100
      t.mock.timers.tick(100)
      await settled()
    }
  }
  return { watch, startedAt, handed, lines, pass }
}

test('the interface is read each second, and what was read is handed on', async (t) => {
  const { watch, startedAt, handed, pass } = watching(t, async () => DUMP)
  await pass(3_000)
  assert.deepEqual(startedAt, [1_000, 2_000, 3_000])
  assert.deepEqual(handed, [DUMP, DUMP, DUMP])
  watch.stop()
  await pass(3_000)
  assert.equal(startedAt.length, 3)
})

test('a slow read does not put the next one off, and they never overlap', async (t) => {
  const ends: (() => void)[] = []
  const { watch, startedAt, pass } = watching(
    t,
    () => new Promise((resolve) => ends.push(() => resolve(DUMP))),
  )
  await pass(1_000)
  await pass(600)
  ends[0]?.()
  await pass(400)
  assert.deepEqual(startedAt, [1_000, 2_000])
  await pass(2_500)
  assert.deepEqual(startedAt, [1_000, 2_000])
  ends[1]?.()
  await pass(200)
  assert.equal(startedAt.length, 3)
  watch.stop()
})

test('an interface that cannot be read is said once, tried on, and said to be back', async (t) => {
  let there = false
  const { watch, handed, lines, pass } = watching(t, async () => {
    if (!there) throw new Error('gone')
    return DUMP
  })
  await pass(3_000)
  there = true
  await pass(2_000)
  assert.equal(handed.length, 2)
  assert.deepEqual(
    lines.map(({ level, fields: { cause } }) => [level, cause]),
    [
      ['warn', 'gone'],
      ['info', undefined],
    ],
  )
  watch.stop()
})

test('an interface with another private key is another node: the watch fails, and hands nothing on', async (t) => {
  const { watch, handed, pass } = watching(t, async () => ({ ...DUMP, publicKey: sampleKey(2) }))
  await pass(1_000)
  const reason = await watch.failed
  assert(reason instanceof SucceededError)
  assert.equal(reason.message, 'wg0 has another private key now: followed')
  assert.equal(reason.interface, 'wg0')
  assert.deepEqual(handed, [])
  watch.stop()
})

test('an interface that is renamed is another node too, which has its new name', async (t) => {
  let name = 'wg0'
  const read = async () => {
    if (name !== 'wg0') throw new Error('no wg0')
    return DUMP
  }
  const { watch, pass } = watching(t, read, () => name)
  await pass(1_000)
  name = 'wg1'
  await pass(1_000)
  const reason = await watch.failed
  assert(reason instanceof SucceededError)
  assert.deepEqual([reason.message, reason.interface], ['wg0 is called wg1 now: followed', 'wg1'])
})
