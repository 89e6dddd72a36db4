import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noMesh } from '../../../src/io/mesh/noMesh.js'

test('without a mesh nobody is there, everything ends, and nothing is found', async () => {
  const mesh = noMesh(new Uint8Array(32), 'nobody')
  const { signal } = new AbortController()
  await mesh.start()
  const { servers, serves, gossips, addresses } = mesh.state()
  assert.deepEqual(
    { servers, serves, gossips, addresses },
    {
      servers: [],
      serves: false,
      gossips: false,
      addresses: [],
    },
  )
  assert.equal(await mesh.publish(new Uint8Array(1), new Uint8Array(1), signal), 0)
  for await (const _ of mesh.lookUp(new Uint8Array(1), signal)) assert.fail('a record')
  const refused = { message: 'this node has no mesh' }
  await assert.rejects(mesh.openRelayStream(new Uint8Array(32)), refused)
  await assert.rejects(
    mesh.knock({ identity: new Uint8Array(32), multiaddrs: [] }, new Uint8Array(1), signal),
    refused,
  )
  assert.equal((await mesh.probeReachability(signal)).reachable, undefined)
  await mesh.stop()
})
