import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { generateKey } from '@libp2p/pnet'
import { fromString, toString as toText } from 'uint8arrays'
import { CLOSED_NETWORK, OPEN_NETWORK, WRONG_NETWORK_KEY } from '../../../src/io/mesh/networkGate.js'
import { addressOf, soon, startTestMesh, until } from './meshes.js'

function networkKey(): Uint8Array {
  const key = new Uint8Array(95)
  generateKey(key)
  return key
}

function keyed(key: Uint8Array | undefined): { networkKey?: Uint8Array } {
  return key === undefined ? {} : { networkKey: key }
}

/** A server and one that dials it, each with its key or none. */
async function meet(t: TestContext, serverKey: Uint8Array | undefined, key: Uint8Array | undefined) {
  const lines: { level: string; fields: object; message: string }[] = []
  const say = (level: string) => (fields: object, message: string) => lines.push({ level, fields, message })
  const log = { debug: say('debug'), info: say('info'), warn: say('warn') }
  const server = await startTestMesh(t, { serves: true, ...keyed(serverKey), log })
  const dialler = await startTestMesh(t, { bootstrap: [addressOf(server)], ...keyed(key) })
  await until(() => {
    const [node] = dialler.state().bootstrap
    return node?.connected === true || node?.lastError !== undefined
  })
  return { server, dialler, lines, error: dialler.state().bootstrap[0]?.lastError }
}

describe('a node that dials one', () => {
  test('with another network key says that the key is wrong', async (t) => {
    const { server, error } = await meet(t, networkKey(), networkKey())
    assert.equal(error, WRONG_NETWORK_KEY)
    assert.equal(server.drops[0], 'mesh-wrong-network-key')
    assert.equal(server.state().connections, 0)
  })

  test('with a network key, having none, says that the network is closed', async (t) => {
    const { server, error } = await meet(t, networkKey(), undefined)
    assert.equal(error, CLOSED_NETWORK)
    assert.equal(server.drops[0], 'mesh-no-network-key')
    assert.equal(server.state().connections, 0)
  })

  test('without a network key, having one, says that the network is open', async (t) => {
    const { server, error } = await meet(t, undefined, networkKey())
    assert.equal(error, OPEN_NETWORK)
    assert.equal(server.drops[0], 'mesh-not-ours')
    assert.equal(server.state().connections, 0)
  })

  test('with the same key, or as well without one, says nothing and is let in', async (t) => {
    const key = networkKey()
    for (const both of [key, undefined]) {
      const { server, dialler, error } = await meet(t, both, both)
      assert.equal(error, undefined)
      const to = { identity: server.identity, multiaddrs: [addressOf(server)] }
      assert.equal(toText(await dialler.knock(to, fromString('a'), soon())), 'answer to a')
      assert.deepEqual(server.drops, [])
    }
  })
})

test('the log tells of those refused once, without where they came from', async (t) => {
  const { server, lines } = await meet(t, networkKey(), networkKey())
  await until(() => server.drops.length >= 3)
  const said = lines.filter(({ level, message }) => level !== 'debug' && message.includes('key'))
  assert.deepEqual(said, [
    {
      level: 'info',
      fields: {},
      message: 'a node with another network key tried to connect, and was refused',
    },
  ])
})
