import '../../../src/io/nodeCompatibility.js'

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import { fromString } from 'uint8arrays'
import type { DropReason } from '../../../src/base/drops.js'
import { MAX_STORED_RECORDS, RecordStore } from '../../../src/io/mesh/recordStore.js'
import { judgeTestRecord, newKey, testRecord } from './meshes.js'

test('whatever is stored in whatever order, the highest sequence number stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 20 }), { minLength: 1 }), async (sequences) => {
      const drops: DropReason[] = []
      const store = new RecordStore(judgeTestRecord, (reason) => drops.push(reason))
      const key = newKey()
      for (const sequence of sequences) {
        try {
          store.keep(key, testRecord(sequence))
        } catch {
          assert.equal(drops.at(-1), 'record-rollback')
        }
      }
      assert.deepEqual(await store.kept(key), testRecord(Math.max(...sequences)))
    }),
  )
})

test('the table is bounded: the record stored longest ago goes first', async () => {
  const store = new RecordStore(judgeTestRecord, () => {})
  const keys = Array.from({ length: MAX_STORED_RECORDS + 1 }, (_, n) => fromString(`/record/${n}`))
  const [first = assert.fail(), second = assert.fail()] = keys
  for (const key of keys.slice(0, -1)) store.keep(key, testRecord(1))
  store.keep(first, testRecord(1))
  store.keep(keys.at(-1) ?? assert.fail(), testRecord(1))
  assert.equal(store.recordCount, MAX_STORED_RECORDS)
  assert.notEqual(await store.kept(first), undefined)
  assert.equal(await store.kept(second), undefined)
})

test('no bytes under a record key are stored but those of a valid record', () => {
  const store = new RecordStore(judgeTestRecord, () => {})
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.throws(() => store.put(new Key('/dht/record/abc'), bytes))
      assert.equal(store.recordCount, 0)
    }),
  )
})

test('what libp2p stores of its own is stored, and providers are not', async () => {
  const store = new RecordStore(judgeTestRecord, () => {})
  const key = new Key('/peers/abc')
  store.put(key, Uint8Array.of(1))
  assert.deepEqual(await store.get(key), Uint8Array.of(1))
  assert(await store.has(key))
  await store.delete(key)
  assert(!(await store.has(key)))
  assert.throws(() => store.put(new Key('/dht/provider/abc/def'), Uint8Array.of(1)))
})
