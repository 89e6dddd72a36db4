import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { concat } from 'uint8arrays'
import type { Mesh } from '../../../src/io/mesh/mesh.js'
import { firstAnswer } from '../../../src/io/mesh/passing.js'
import { SEALED_KNOCK_LENGTH } from '../../../src/wire/sealedKnock.js'
import { addressOf, soon, startServers, startTestMesh, until } from './meshes.js'
import { connectRaw, rawNode } from './rawNode.js'

const SEALED = new Uint8Array(SEALED_KNOCK_LENGTH).fill(7)
const ANSWER = new Uint8Array(SEALED_KNOCK_LENGTH).fill(8)
const PASS = '/tunnelbore/test/pass/1'

const NEVER = () => new Promise<never>(() => {})
const hidden = ({ identity, state }: Mesh) => ({ identity, multiaddrs: state().addresses })

test('a relay passes a sealed knock and its answer on, and no connection is opened for it', async (t) => {
  const bootstrap = (await startServers(t, 1)).map(addressOf)
  const heard: Uint8Array[] = []
  const ben = await startTestMesh(t, {
    bootstrap,
    onSealedKnock: async (sealedKnock) => {
      heard.push(sealedKnock)
      return ANSWER
    },
  })
  const ana = await startTestMesh(t, { bootstrap })
  await until(() => ben.state().reservations === 1 && ana.state().servers.length === 1)
  for (const multiaddrs of [hidden(ben).multiaddrs, []]) {
    const answer = await ana.passKnock({ identity: ben.identity, multiaddrs }, SEALED, soon())
    assert.deepEqual(answer, ANSWER)
  }
  assert.deepEqual(heard, [SEALED, SEALED])
  assert.deepEqual([ana.state().connections, ben.state().connections], [1, 1])
})

test('nothing is passed on to who is not there, takes none, or gives no answer', async (t) => {
  const bootstrap = (await startServers(t, 1)).map(addressOf)
  const mute = await startTestMesh(t, { bootstrap })
  const closed = await startTestMesh(t, { bootstrap, onSealedKnock: async () => undefined })
  const away = await startTestMesh(t)
  const ana = await startTestMesh(t, { bootstrap })
  await until(() => [mute, closed, ana].every((each) => each.state().servers.length === 1))
  for (const to of [mute, closed, away])
    await assert.rejects(ana.passKnock({ identity: to.identity, multiaddrs: [] }, SEALED, soon()))
  await assert.rejects(away.passKnock({ identity: ana.identity, multiaddrs: [] }, SEALED, soon()))
})

test('where no relay of the peer is connected, those that it names are dialled, and knocks share the connection', async (t) => {
  const bootstrap = (await startServers(t, 1)).map(addressOf)
  const ben = await startTestMesh(t, { bootstrap, onSealedKnock: async () => ANSWER })
  const ana = await startTestMesh(t)
  await until(() => ben.state().reservations === 1)
  const knock = () => ana.passKnock(hidden(ben), SEALED, soon())
  assert.deepEqual(await Promise.all([knock(), knock()]), [ANSWER, ANSWER])
  assert.equal(ana.state().connections, 1)
})

test('a knock gets over a new connection of the knocked node where the one that it had is silent', async (t) => {
  const [server] = await startServers(t, 1)
  const ana = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  await until(() => ana.state().servers.length === 1)
  const node = await rawNode(t)
  const dial = () => node.dial(multiaddr(addressOf(server)), { force: true })
  let silent = 0
  const first = await dial()
  await node.handle('/tunnelbore/test/passed/1', async (stream, connection) => {
    if (connection.id === first.id) silent += 1
    else await lpStream(stream).write(ANSWER)
  })
  const { publicKey } = node.peerId
  assert.ok(publicKey?.type === 'Ed25519')
  // Who dials has the connection a moment before the other end.
  await until(() => server?.state().connections === 2)
  const answer = ana.passKnock({ identity: publicKey.raw, multiaddrs: [] }, SEALED, soon())
  await until(() => silent === 1)
  await dial()
  assert.deepEqual(await answer, ANSWER)
})

test('what is not of the length of a sealed knock is a counted drop', async (t) => {
  const [server] = await startServers(t, 1)
  const connection = await connectRaw(t, addressOf(server))
  const stream = await connection.newStream(PASS)
  stream.send(concat([Uint8Array.of(3), Uint8Array.of(1, 2, 3)]))
  await until(() => server.drops.includes('knock-malformed'))
})

test('the second way begins when the first has failed, or takes long, and either answer counts', async () => {
  const second = async () => 'second'
  assert.equal(await firstAnswer(async () => 'first', NEVER, 0), 'first')
  assert.equal(await firstAnswer(NEVER, second, 0), 'second')
  assert.equal(await firstAnswer(() => Promise.reject(new Error('no')), second, 1_000_000), 'second')
  await assert.rejects(
    firstAnswer(
      () => Promise.reject(new Error('no')),
      () => Promise.reject(new Error('neither')),
      0,
    ),
    /neither/,
  )
})
