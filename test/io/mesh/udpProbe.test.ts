/** UDP probes of a real node, asked for by nodes that are none of ours. */

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { isDropped } from '../../../src/base/drops.js'
import { udpProbeSockets } from '../../../src/daemon/udpProbes.js'
import { ask } from '../../../src/io/mesh/exchange.js'
import { SharedSockets } from '../../../src/io/sharedSockets.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import {
  decodeUdpProbeAnswer,
  encodeUdpProbeRequest,
  MAX_UDP_PROBE_LENGTH,
  type UdpProbeAnswer,
  type UdpProbeRequest,
} from '../../../src/wire/udpProbe.js'
import { addressOf, soon, startTestMesh, type TestMesh, until } from './meshes.js'
import { connectRaw } from './rawNode.js'

const PROTOCOL = '/tunnelbore/test/udp-probe/1'
const SERVER = '127.0.1.1'
const NONCE = new Uint8Array(12).fill(7)

async function serving(t: TestContext) {
  const shared = new SharedSockets({ port: 0, mark: 0 }, { onDatagram: () => {}, onSendError: () => {} })
  t.after(() => shared.close())
  shared.setAddresses([SERVER])
  const server = await startTestMesh(t, {
    serves: true,
    listen: [{ ip: SERVER, port: 0 }],
    udpProbes: udpProbeSockets(shared),
  })
  return { server, port: shared.port }
}

async function listening(t: TestContext, ip: string) {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, ip)
  await once(socket, 'listening')
  const heard: { readonly ip: string; readonly port: number; readonly bytes: Uint8Array }[] = []
  socket.on('message', (bytes, { address, port }) => heard.push({ ip: address, port, bytes }))
  return { socket, heard, port: socket.address().port }
}

type Asker = (request: Partial<UdpProbeRequest>) => Promise<UdpProbeAnswer>

async function asking(t: TestContext, server: TestMesh): Promise<Asker> {
  const connection = await connectRaw(t, addressOf(server))
  return async (request) => {
    const bytes = encodeUdpProbeRequest({ port: 1, nonce: NONCE, from: 'usual-port', at: SERVER, ...request })
    const answer = await ask(connection, PROTOCOL, bytes, MAX_UDP_PROBE_LENGTH, { signal: soon() })
    const decoded = decodeUdpProbeAnswer(answer)
    assert.ok(!isDropped(decoded))
    return decoded
  }
}

describe('a server that is asked for a UDP probe', () => {
  test('sends it to the address at which it sees the asker, from its shared socket', async (t) => {
    const { server, port } = await serving(t)
    const asker = await listening(t, '127.0.0.1')
    const answer = await (await asking(t, server))({ port: asker.port })
    assert.deepEqual(answer, { ip: '127.0.0.1', otherPort: undefined })
    await until(() => asker.heard.length === 1)
    const [probe] = asker.heard
    assert.deepEqual([probe?.ip, probe?.port], [SERVER, port])
    const message = decodeStun(probe?.bytes ?? new Uint8Array())
    assert.ok(!isDropped(message))
    assert.deepEqual([message.messageClass, message.method], ['indication', BINDING])
    assert.deepEqual([...message.transactionId], [...NONCE])
  })

  test('or from another port, which then reflects for that address, a few times', async (t) => {
    const { server, port } = await serving(t)
    const asker = await listening(t, '127.0.0.1')
    const stranger = await listening(t, '127.0.9.1')
    const { otherPort } = await (await asking(t, server))({ port: asker.port, from: 'other-port' })
    await until(() => asker.heard.length === 1)
    assert.equal(asker.heard[0]?.port, otherPort)
    assert.notEqual(otherPort, port)
    const request = encodeStun({ messageClass: 'request', method: BINDING, transactionId: NONCE })
    for (let count = 0; count < 10; count++) {
      stranger.socket.send(request, otherPort, SERVER)
      asker.socket.send(request, otherPort, SERVER)
    }
    await until(() => asker.heard.length === 7)
    const reflection = decodeStun(asker.heard[6]?.bytes ?? new Uint8Array())
    assert.ok(!isDropped(reflection))
    assert.deepEqual(reflection.mappedAddress, { ip: '127.0.0.1', port: asker.port })
    assert.equal(stranger.heard.length, 0)
  })

  test('refuses a flood: of one asker, and of many from one address', async (t) => {
    const { server } = await serving(t)
    const victim = await listening(t, '127.0.0.1')
    const askers = await Promise.all(Array.from({ length: 4 }, () => asking(t, server)))
    let sent = 0
    for (let round = 0; round < 25; round++) {
      const answers = await Promise.all(askers.map((asker) => asker({ port: victim.port })))
      sent += answers.filter(({ ip }) => ip !== undefined).length
    }
    assert.ok(sent <= 35, `${sent} of 100 were sent`)
    await until(() => victim.heard.length === sent)
    assert.equal(server.drops.filter((reason) => reason === 'udp-probe-rate-limited').length, 100 - sent)
  })

  test('drops what is no request', async (t) => {
    const { server } = await serving(t)
    const connection = await connectRaw(t, addressOf(server))
    const rubbish = new Uint8Array([1, 2, 3])
    const bytes = await ask(connection, PROTOCOL, rubbish, MAX_UDP_PROBE_LENGTH, { signal: soon() })
    assert.deepEqual(decodeUdpProbeAnswer(bytes), { ip: undefined, otherPort: undefined })
    assert.deepEqual(server.drops, ['udp-probe-malformed'])
  })

  test('is asked by another node, over its direct connection only', async (t) => {
    const { server } = await serving(t)
    const asker = await listening(t, '127.0.0.1')
    const node = await startTestMesh(t, { bootstrap: [addressOf(server)] })
    await until(() => node.state().servers.length === 1)
    const request = { port: asker.port, nonce: NONCE, from: 'usual-port', at: SERVER } as const
    const answer = await node.askUdpProbe(server.peerId, request, soon())
    assert.equal(answer.ip, '127.0.0.1')
    await until(() => asker.heard.length === 1)
    await assert.rejects(node.askUdpProbe(server.peerId, { ...request, at: '127.0.3.1' }, soon()))
  })

  test('does so no more when it does not serve', async (t) => {
    const { server } = await serving(t)
    const asker = await asking(t, server)
    await server.setServing(false)
    await assert.rejects(asker({ port: 1 }))
  })
})
