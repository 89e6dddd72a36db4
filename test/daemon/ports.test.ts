import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { chooseListenPort, loopbackPort } from '../../src/daemon/ports.js'

async function bound(t: TestContext, ip: string): Promise<Socket> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  t.after(() => socket.close())
  socket.bind(0, ip)
  await once(socket, 'listening')
  return socket
}

test('the port of the loopback endpoints is the next one, or the one before the last', () => {
  assert.equal(loopbackPort(51_821), 51_822)
  assert.equal(loopbackPort(65_535), 65_534)
})

test('a port that is asked for and taken is named, on the address where it is', async (t) => {
  const { port } = (await bound(t, '127.0.0.1')).address()
  await assert.rejects(
    chooseListenPort(port, undefined, ['127.0.0.1'], '127.0.0.1'),
    new RegExp(
      `^UserError: UDP port ${port} on 127\\.0\\.0\\.1 is in use: choose another with --listen-port$`,
    ),
  )
})

for (const [loopbackIp, other] of [
  ['127.0.0.1', '::1'],
  ['::1', '127.0.0.1'],
] as const) {
  test(`the port beside it is to be free on ${loopbackIp}, where the catch-all endpoint is`, async (t) => {
    const { port } = (await bound(t, loopbackIp)).address()
    const beside = port - 1
    await assert.rejects(chooseListenPort(beside, undefined, [], loopbackIp), {
      message: `UDP port ${port} on ${loopbackIp} is in use: choose another with --listen-port`,
    })
    assert.equal(await chooseListenPort(beside, undefined, [], other), beside)
  })
}

test('a remembered port that is taken gives way to a free one', async (t) => {
  const { port } = (await bound(t, '127.0.0.1')).address()
  const chosen = await chooseListenPort(undefined, port, ['127.0.0.1'], '127.0.0.1')
  assert.notEqual(chosen, port)
  assert.equal(await chooseListenPort(undefined, chosen, ['127.0.0.1'], '127.0.0.1'), chosen)
})
