import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DropReason } from '../../../src/base/drops.js'
import { NatPmpClient } from '../../../src/io/portMapping/natPmpClient.js'
import { LIFETIME_MS, portToMap, RUBBISH, SITE, udpGateway } from './fakeGateway.js'

const signal = new AbortController().signal
const ADDRESS = Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 10)

/** What a gateway answers, with the port after the one that is wished for. */
function answer(request: Uint8Array): Uint8Array {
  if (request.length === 2) return ADDRESS
  const view = new DataView(request.buffer, request.byteOffset)
  const response = Uint8Array.of(0, 128 + view.getUint8(1), 0, 0, 0, 0, 0, 9, ...request.subarray(4))
  new DataView(response.buffer).setUint16(10, view.getUint16(6) + 1)
  return response
}

test('a gateway that answers is found, and opens a port at its address', async (t) => {
  const { port, heard } = await udpGateway(t, (request) => [answer(request)])
  const client = new NatPmpClient(() => {}, port)
  assert.equal(await client.probe(SITE, signal), true)
  assert.deepEqual(await client.map(portToMap('nat-pmp', 'tcp'), LIFETIME_MS, signal), {
    type: 'mapped',
    external: { ip: '203.0.113.10', port: 51_822 },
    lifetimeMs: LIFETIME_MS,
  })
  await client.unmap(portToMap('nat-pmp', 'tcp'), signal)
  const last = heard.at(-1)
  assert.deepEqual(last, Uint8Array.of(0, 2, 0, 0, 0xca, 0x6d, 0, 0, 0, 0, 0, 0))
})

test('rubbish is counted and passed over, and the answer after it taken', async (t) => {
  const drops: DropReason[] = []
  const { port } = await udpGateway(t, (request) => [...RUBBISH, answer(request)])
  const client = new NatPmpClient((reason) => drops.push(reason), port)
  assert.equal((await client.map(portToMap('nat-pmp'), LIFETIME_MS, signal)).type, 'mapped')
  assert.equal(drops.length, 2 * RUBBISH.length)
})

test('a refusal is one, and silence silence', async (t) => {
  const refusing = await udpGateway(t, (request) => [Uint8Array.of(0, 128 + (request[1] ?? 0), 0, 4)])
  assert.deepEqual(
    await new NatPmpClient(() => {}, refusing.port).map(portToMap('nat-pmp'), LIFETIME_MS, signal),
    { type: 'failed', reason: 'refused', detail: 'NAT-PMP result 4' },
  )
  const silent = await udpGateway(t, () => [])
  const client = new NatPmpClient(() => {}, silent.port)
  const [outcome, speaks] = await Promise.all([
    client.map(portToMap('nat-pmp'), LIFETIME_MS, signal),
    client.probe(SITE, signal),
  ])
  assert.ok(outcome.type === 'failed' && outcome.reason === 'silent')
  assert.equal(speaks, false)
})
