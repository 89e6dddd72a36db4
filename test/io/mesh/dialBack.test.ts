/** What the dial-back protocols refuse, asked by nodes that are none of ours. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { isDropped } from '../../../src/base/drops.js'
import { ask } from '../../../src/io/mesh/exchange.js'
import {
  decodeReachAnswer,
  encodeDialBackRequest,
  encodeReachRequest,
  MAX_REACH_LENGTH,
  type ReachAnswer,
} from '../../../src/wire/reach.js'
import { addressOf, soon, startTestMesh, type TestMesh, until } from './meshes.js'
import { connectRaw } from './rawNode.js'

const REACH = '/tunnelbore/test/reach/1'
const DIAL_BACK = '/tunnelbore/test/dial-back/1'

/** A machine that nobody has asked to be dialled, and how often it was. */
async function bystander(t: TestContext, ip: string) {
  const heard = { ip, port: 0, connections: 0 }
  const server = createServer((socket) => {
    heard.connections += 1
    socket.on('error', () => {})
    socket.destroy()
  })
  t.after(() => server.close())
  server.listen(0, ip)
  await once(server, 'listening')
  const address = server.address()
  heard.port = typeof address === 'object' && address !== null ? address.port : 0
  return heard
}

async function asked(
  t: TestContext,
  server: TestMesh,
  protocol: string,
  bytes: Uint8Array,
): Promise<ReachAnswer> {
  const connection = await connectRaw(t, addressOf(server))
  const answer = decodeReachAnswer(
    await ask(connection, protocol, bytes, MAX_REACH_LENGTH, { signal: soon() }),
  )
  if (isDropped(answer)) throw new Error(answer.dropped)
  return answer
}

describe('a server that is asked to dial back', () => {
  test('dials no other address than the one from which it is asked', async (t) => {
    const server = await startTestMesh(t, { serves: true, listen: [{ ip: '127.0.1.1', port: 0 }] })
    const victim = await bystander(t, '127.0.7.1')
    // The only field that an asker has is a port; a request that is handed on has an address.
    const identity = new Uint8Array(32).fill(1)
    const forged = encodeDialBackRequest({ address: victim, identity })
    const answer = await asked(t, server, DIAL_BACK, forged)
    assert.equal(answer.verdict, 'not-tried')
    const confused = await asked(t, server, REACH, forged)
    assert.equal(confused.verdict, 'not-tried')
    assert.equal((await asked(t, server, REACH, encodeReachRequest({ port: victim.port }))).ip, '127.0.0.1')
    assert.equal(victim.connections, 0)
    assert.equal(server.drops.filter((reason) => reason === 'reach-malformed').length, 2)
  })

  test('has another server do it, at another address and without a connection to the asker; else does it itself', async (t) => {
    const helper = await startTestMesh(t, { serves: true, listen: [{ ip: '127.0.2.1', port: 0 }] })
    const server = await startTestMesh(t, {
      serves: true,
      listen: [{ ip: '127.0.1.1', port: 0 }],
      bootstrap: [addressOf(helper)],
    })
    await until(() => helper.state().servers.length === 1 && server.state().servers.length === 1)
    const nobody = await bystander(t, '127.0.0.1')
    const connection = await connectRaw(t, addressOf(server))
    const request = encodeReachRequest({ port: nobody.port })
    const by = async () => {
      const answer = decodeReachAnswer(
        await ask(connection, REACH, request, MAX_REACH_LENGTH, { signal: soon() }),
      )
      return isDropped(answer) ? answer.dropped : `${answer.verdict} by ${answer.by}`
    }
    assert.equal(await by(), 'unreachable by another')
    assert.equal(nobody.connections, 1)
    await connection.close()
    await helper.stop()
    await until(() => server.state().servers.length === 0)
    const again = await connectRaw(t, addressOf(server))
    const bytes = await ask(again, REACH, request, MAX_REACH_LENGTH, { signal: soon() })
    assert.deepEqual(decodeReachAnswer(bytes), { verdict: 'unreachable', by: 'same', ip: '127.0.0.1' })
  })

  test('refuses a flood: of one asker, and of many from one address', async (t) => {
    const server = await startTestMesh(t, { serves: true, listen: [{ ip: '127.0.1.1', port: 0 }] })
    const victim = await bystander(t, '127.0.0.1')
    const request = encodeReachRequest({ port: victim.port })
    const connections = await Promise.all(Array.from({ length: 4 }, () => connectRaw(t, addressOf(server))))
    const answers: string[] = []
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        connections.map(async (connection) => {
          const bytes = await ask(connection, REACH, request, MAX_REACH_LENGTH, { signal: soon() })
          const answer = decodeReachAnswer(bytes)
          answers.push(isDropped(answer) ? answer.dropped : answer.verdict)
        }),
      )
    }
    assert.equal(answers.length, 40)
    assert.ok(victim.connections <= 12, `${victim.connections} connections`)
    assert.equal(answers.filter((verdict) => verdict === 'unreachable').length, victim.connections)
    assert.ok(server.drops.filter((reason) => reason === 'reach-rate-limited').length >= 28)
  })

  test('does so no more when it does not serve', async (t) => {
    const server = await startTestMesh(t, { serves: true, listen: [{ ip: '127.0.1.1', port: 0 }] })
    const address = addressOf(server)
    const connection = await connectRaw(t, address)
    await server.setServing(false)
    await assert.rejects(
      ask(connection, REACH, encodeReachRequest({ port: 1 }), MAX_REACH_LENGTH, { signal: soon() }),
    )
    await until(() => !server.state().serves)
  })
})
