import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndpointWriter } from '../../src/daemon/endpointWriter.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { FakeWg } from './fakeWg.js'
import { recordingLogger } from './recordingLogger.js'

const PEERS = [{ publicKey: sampleKey(2) }, { publicKey: sampleKey(3) }]
const noted = async () => undefined

function loopback(last: number) {
  return { ip: `127.1.2.${last}`, port: 51_822 }
}

test('what is asked for in one go is one call of wg, the newest of each peer, and no peer that is gone', async (t) => {
  const wg = await FakeWg.install(t)
  await wg.dump(sampleKey(1), 51_820, PEERS)
  const writer = new EndpointWriter('wg0', noted, recordingLogger().log)
  writer.set(sampleKey(2), loopback(1))
  writer.set(sampleKey(3), loopback(3))
  writer.set(sampleKey(2), loopback(2))
  writer.set(sampleKey(4), loopback(4))
  await writer.written()
  assert.deepEqual(wg.changes, [
    `set wg0 peer ${sampleKey(2)} endpoint 127.1.2.2:51822 peer ${sampleKey(3)} endpoint 127.1.2.3:51822`,
  ])
})

test('no endpoint is overwritten before it is noted down on disk', async (t) => {
  const wg = await FakeWg.install(t)
  await wg.dump(sampleKey(1), 51_820, PEERS)
  let onDisk: () => void = () => undefined
  const flushed = new Promise<void>((resolve) => {
    onDisk = resolve
  })
  const writer = new EndpointWriter('wg0', () => flushed, recordingLogger().log)
  writer.set(sampleKey(2), loopback(1))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(wg.changes, [])
  onDisk()
  await writer.written()
  assert.equal(wg.changes.length, 1)
})

test('a failure is said, and the next endpoint is written', async (t) => {
  const wg = await FakeWg.install(t)
  await wg.dump(sampleKey(1), 51_820, PEERS)
  await wg.listInterfaces('wg0')
  await wg.fail('Unable to access interface: Device or resource busy')
  const { log, lines } = recordingLogger()
  const writer = new EndpointWriter('wg0', noted, log)
  writer.set(sampleKey(2), loopback(1))
  await writer.written()
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['warn'],
  )
  await wg.fail('')
  writer.set(sampleKey(2), loopback(1))
  await writer.written()
  assert.equal(wg.changes.length, 1)
})

test('after the stop nothing is written, neither what waits nor what is asked for later', async (t) => {
  const wg = await FakeWg.install(t)
  await wg.dump(sampleKey(1), 51_820, PEERS)
  const writer = new EndpointWriter('wg0', noted, recordingLogger().log)
  writer.set(sampleKey(2), loopback(1))
  const stopping = writer.stop()
  writer.set(sampleKey(3), loopback(1))
  await stopping
  writer.set(sampleKey(3), loopback(1))
  await writer.written()
  assert.deepEqual(wg.changes, [])
})
