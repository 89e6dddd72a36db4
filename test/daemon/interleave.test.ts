import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interleave } from '../../src/daemon/interleave.js'

test('lists take turns until the longest has ended', () => {
  assert.deepEqual(interleave([['a1', 'a2', 'a3'], [], ['b1'], ['c1', 'c2']]), [
    ...['a1', 'b1', 'c1', 'a2', 'c2', 'a3'],
  ])
  assert.deepEqual(interleave([]), [])
})
