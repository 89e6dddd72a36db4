import '../../../src/io/nodeCompatibility.js'

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { drop } from '../../../src/base/drops.js'
import { Floors, MAX_FLOORS } from '../../../src/io/mesh/floors.js'
import { MAX_STORED_RECORDS, type RecordJudge, RecordStore } from '../../../src/io/mesh/recordStore.js'
import { PersistentMap } from '../../../src/io/persistentMap.js'
import { judgeTestRecord, newKey, testRecord } from './meshes.js'

const ALICE = '192.0.2.1'
const MALLORY = '198.51.100.1'
/** Sequence numbers of tests are small. */
const NOW = 1_000

async function open(map = new PersistentMap(), judge: RecordJudge = judgeTestRecord): Promise<RecordStore> {
  const store = new RecordStore(judge, new Floors(map, () => NOW), map)
  await store.load()
  return store
}

const key = (name: string | number) => fromString(`/record/${name}`)

test('whatever is stored in whatever order, the highest sequence number stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 20 }), { minLength: 1 }), async (sequences) => {
      const store = await open()
      const key = newKey()
      let highest = -1
      for (const sequence of sequences) {
        const isOlder = sequence < highest
        assert.deepEqual(
          store.deliver(key, testRecord(sequence), ALICE),
          isOlder ? drop('record-rollback') : undefined,
        )
        highest = Math.max(highest, sequence)
      }
      assert.deepEqual(store.get(key), testRecord(highest))
    }),
  )
})

test('another record of the same number does not replace, and the same one is taken again', async () => {
  const store = await open()
  assert.equal(store.deliver(key('a'), testRecord(5), ALICE), undefined)
  assert.deepEqual(store.deliver(key('a'), testRecord(5, 'other'), ALICE), drop('record-rollback'))
  assert.equal(store.deliver(key('a'), testRecord(5), ALICE), undefined)
})

test('who delivers records under any number of keys displaces only his own', async () => {
  const map = new PersistentMap()
  const store = await open(map)
  for (let n = 0; n < 100; n++) store.deliver(key(`alice ${n}`), testRecord(1), ALICE)
  for (let n = 0; n < 10_000; n++) assert.equal(store.deliver(key(n), testRecord(1), MALLORY), undefined)
  assert.equal(store.size, MAX_STORED_RECORDS)
  assert.equal(map.under('/records/').length, MAX_STORED_RECORDS)
  // Nor does it help to deliver what is Alice's, or to begin anew with the next run.
  for (let n = 0; n < 100; n++) store.deliver(key(`alice ${n}`), testRecord(1), MALLORY)
  const next = await open(map)
  assert.equal(next.size, MAX_STORED_RECORDS)
  for (let n = 0; n < 10_000; n++) next.deliver(key(`more ${n}`), testRecord(1), MALLORY)
  for (const run of [store, next])
    for (let n = 0; n < 100; n++) assert.deepEqual(run.get(key(`alice ${n}`)), testRecord(1))
})

test('a record that was displaced cannot be rolled back either, nor in the next run', async () => {
  const map = new PersistentMap()
  const store = await open(map)
  store.deliver(key('a'), testRecord(5), ALICE)
  for (let n = 0; n < MAX_STORED_RECORDS; n++) store.deliver(key(n), testRecord(1), ALICE)
  assert.equal(store.get(key('a')), undefined)
  for (const run of [store, await open(map)]) {
    assert.deepEqual(run.deliver(key('a'), testRecord(4), ALICE), drop('record-rollback'))
    assert.equal(run.deliver(key('a'), testRecord(5), ALICE), undefined)
  }
  assert.ok(MAX_FLOORS > MAX_STORED_RECORDS)
})

test('what is stored is there in the next run, and what is no longer valid is removed', async () => {
  const map = new PersistentMap()
  const store = await open(map)
  for (let n = 0; n < 40; n++) store.deliver(key(n), testRecord(n), ALICE)
  const judge: RecordJudge = (key, value) => {
    const verdict = judgeTestRecord(key, value)
    return 'sequence' in verdict && verdict.sequence < 10 ? drop('record-expired') : verdict
  }
  const next = await open(map, judge)
  assert.equal(next.size, 30)
  assert.equal(next.get(key(9)), undefined)
  assert.deepEqual(next.get(key(10)), testRecord(10))
  assert.equal(map.under('/records/').length, 30)
})

test('no bytes on the disk make it fail', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.uint8Array({ maxLength: 40 }), async (name, bytes) => {
      const map = new PersistentMap()
      map.set(`/records/${name}`, bytes)
      const store = await open(map, () => drop('record-malformed'))
      assert.equal(store.size, 0)
      assert.equal(map.size, 0)
    }),
  )
})

test('a record that came before what is on the disk was read is not overwritten by an older one', async () => {
  const map = new PersistentMap()
  ;(await open(map)).deliver(key('a'), testRecord(1), ALICE)
  const store = new RecordStore(judgeTestRecord, new Floors(map, () => NOW), map)
  const loading = store.load()
  store.deliver(key('a'), testRecord(2), ALICE)
  await loading
  assert.deepEqual(store.get(key('a')), testRecord(2))
})

test('what is stored does not keep the message alive in which it came', async () => {
  const store = await open()
  const message = new Uint8Array(60_000)
  message.set(testRecord(1), 30_000)
  store.deliver(key('a'), message.subarray(30_000, 30_005), ALICE)
  assert.ok((store.get(key('a'))?.buffer.byteLength ?? Number.POSITIVE_INFINITY) < 1_000)
})
