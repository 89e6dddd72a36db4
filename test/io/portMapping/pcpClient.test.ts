import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DropReason } from '../../../src/base/drops.js'
import { PcpClient } from '../../../src/io/portMapping/pcpClient.js'
import { LIFETIME_MS, portToMap, RUBBISH, SITE, udpGateway } from './fakeGateway.js'

const signal = new AbortController().signal
const OUTER = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 10)

function granted(request: Uint8Array, { result = 0, port = 40_000 } = {}): Uint8Array {
  const response = new Uint8Array(request)
  const view = new DataView(response.buffer)
  view.setUint8(1, view.getUint8(1) | 0x80)
  view.setUint8(3, result)
  if (response.length < 60) return response
  view.setUint16(42, port)
  response.set(OUTER, 44)
  return response
}

test('a gateway that answers is found, and opens a port', async (t) => {
  const drops: DropReason[] = []
  const { port, heard } = await udpGateway(t, (request) => [granted(request)])
  const client = new PcpClient((reason) => drops.push(reason), port)
  assert.equal(await client.probe(SITE, signal), true)
  assert.deepEqual(await client.map(portToMap('pcp'), LIFETIME_MS, signal), {
    type: 'mapped',
    external: { ip: '203.0.113.10', port: 40_000 },
    lifetimeMs: LIFETIME_MS,
  })
  await client.unmap(portToMap('pcp'), signal)
  assert.deepEqual(
    heard.map((request) => [request[1], new DataView(request.buffer).getUint32(4)]),
    [
      [0, 0],
      [1, 1_200],
      [1, 0],
    ],
  )
  assert.deepEqual(drops, [])
})

test('a firewall of IPv6 is asked for a pinhole, from our address', async (t) => {
  const site = { gateway: '::1', device: 'lo', local: '::1' }
  const outer = new Uint8Array(16)
  outer[15] = 1
  const answer = (request: Uint8Array) => {
    const response = granted(request, { port: 51_821 })
    if (response.length === 60) response.set(outer, 44)
    return [response]
  }
  const { port, heard } = await udpGateway(t, answer, site)
  const outcome = await new PcpClient(() => {}, port).map({ ...portToMap('pcp'), site }, LIFETIME_MS, signal)
  assert.deepEqual(outcome, {
    type: 'mapped',
    external: { ip: '::1', port: 51_821 },
    lifetimeMs: LIFETIME_MS,
  })
  // The client's address, and that any outer one will do.
  assert.deepEqual(heard[0]?.slice(8, 24), outer)
  assert.deepEqual(heard[0]?.slice(44), new Uint8Array(16))
})

test('a lost request is sent again', async (t) => {
  let lost = 0
  const { port } = await udpGateway(t, (request) => (lost++ < 1 ? [] : [granted(request)]))
  assert.equal(await new PcpClient(() => {}, port).probe(SITE, signal), true)
})

test('a gateway that speaks NAT-PMP only, or is not there, is none', async (t) => {
  const { port } = await udpGateway(t, () => [Uint8Array.of(0, 128, 0, 1, 0, 0, 0, 0)])
  const drops: DropReason[] = []
  assert.equal(await new PcpClient((reason) => drops.push(reason), port).probe(SITE, signal), false)
  assert.deepEqual(drops, [])
})

test('rubbish is counted and passed over, and the answer after it taken', async (t) => {
  const drops: DropReason[] = []
  const other = (request: Uint8Array, at: number) =>
    granted(request).map((byte, index) => (index === at ? byte ^ 1 : byte))
  const { port } = await udpGateway(t, (request) => [
    ...RUBBISH,
    // Of somebody else's nonce, and somebody else's port.
    other(request, 24),
    other(request, 41),
    granted(request),
  ])
  const client = new PcpClient((reason) => drops.push(reason), port)
  const outcome = await client.map(portToMap('pcp'), LIFETIME_MS, signal)
  assert.equal(outcome.type, 'mapped')
  assert.deepEqual(drops, new Array(RUBBISH.length + 2).fill('gateway-malformed'))
})

test('nothing but rubbish ends as silence', async (t) => {
  const { port } = await udpGateway(t, () => Array.from({ length: 100 }, () => new Uint8Array(60)))
  const outcome = await new PcpClient(() => {}, port).map(portToMap('pcp'), LIFETIME_MS, signal)
  assert.ok(outcome.type === 'failed' && outcome.reason === 'silent')
})

test('a refusal is one, and a port that is taken is a conflict', async (t) => {
  let result = 2
  const { port } = await udpGateway(t, (request) => [granted(request, { result })])
  const client = new PcpClient(() => {}, port)
  const map = () => client.map(portToMap('pcp'), LIFETIME_MS, signal)
  assert.deepEqual(await map(), { type: 'failed', reason: 'refused', detail: 'PCP result 2' })
  result = 11
  assert.deepEqual(await map(), { type: 'failed', reason: 'conflict', detail: 'the outer port is taken' })
})

test('an abort ends it at once', async (t) => {
  const { port } = await udpGateway(t, () => [])
  assert.equal(await new PcpClient(() => {}, port).probe(SITE, AbortSignal.abort()), false)
})

test('an address that is not ours ends as silence', async () => {
  const site = { ...SITE, local: '192.0.2.1' }
  const outcome = await new PcpClient(() => {}, 1).map({ ...portToMap('pcp'), site }, LIFETIME_MS, signal)
  assert.ok(outcome.type === 'failed' && outcome.reason === 'silent')
})
