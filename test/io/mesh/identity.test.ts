import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { identityOfSeed, peerIdOfIdentity } from '../../../src/io/mesh/identity.js'
import { startTestMesh } from './meshes.js'

test('the identity that a seed gives is known before there is a node', async (t) => {
  const identitySeed = randomBytes(32)
  const identity = await identityOfSeed(identitySeed)
  const mesh = await startTestMesh(t, { identitySeed })
  assert.deepEqual(mesh.identity, identity)
  assert.equal(mesh.peerId, peerIdOfIdentity(identity).toString())
})
