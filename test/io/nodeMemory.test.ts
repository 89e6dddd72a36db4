import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NodeMemory } from '../../src/io/nodeMemory.js'
import { MAX_VALUE_LENGTH, PersistentMap } from '../../src/io/persistentMap.js'

test('what was saved last is loaded, also in the next run', async () => {
  const map = new PersistentMap()
  assert.equal(await new NodeMemory(map).load(), undefined)
  const memory = new NodeMemory(map)
  for (let n = 0; n < 3; n++) assert.ok(await memory.save(Uint8Array.of(n)))
  assert.ok(!(await memory.save(new Uint8Array(MAX_VALUE_LENGTH + 1))))
  assert.deepEqual(await new NodeMemory(map).load(), Uint8Array.of(2))
})
