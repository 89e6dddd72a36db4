import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_FLOORS, MemoryFloors } from '../../../src/io/mesh/memoryFloors.js'

test('a floor only rises', () => {
  const floors = new MemoryFloors()
  assert.equal(floors.get('a'), undefined)
  floors.raise('a', 5)
  floors.raise('a', 3)
  assert.equal(floors.get('a'), 5)
})

test('beyond the bound, the author raised longest ago is forgotten', () => {
  const floors = new MemoryFloors()
  for (let author = 0; author < MAX_FLOORS; author += 1) floors.raise(String(author), 1)
  floors.raise('0', 2)
  floors.raise('new', 1)
  assert.equal(floors.get('0'), 2)
  assert.equal(floors.get('1'), undefined)
  assert.equal(floors.get('2'), 1)
})
