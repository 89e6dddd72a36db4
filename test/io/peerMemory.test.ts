import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PeerMemory } from '../../src/io/peerMemory.js'
import { PersistentMap } from '../../src/io/persistentMap.js'
import { sampleKey } from '../cli/sampleStatus.js'

test('the newest record of each peer is there in the next run, and only those of the peers', () => {
  const map = new PersistentMap()
  const first = new PeerMemory(map)
  for (let n = 0; n < 3; n++) first.put(sampleKey(n), Uint8Array.of(n))
  first.put(sampleKey(0), Uint8Array.of(7))
  const second = new PeerMemory(map)
  assert.deepEqual(second.all(), [Uint8Array.of(7), Uint8Array.of(1), Uint8Array.of(2)])
  second.keepOnly([sampleKey(1), sampleKey(5)])
  assert.deepEqual(second.all(), [Uint8Array.of(1)])
  assert.deepEqual(new PeerMemory(map).all(), [Uint8Array.of(1)])
  assert.equal(map.size, 1)
})
