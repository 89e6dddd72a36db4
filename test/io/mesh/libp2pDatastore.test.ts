import '../../../src/io/nodeCompatibility.js'

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Record } from '@libp2p/kad-dht'
import { Key } from 'interface-datastore'
import { fromString, toString as toText } from 'uint8arrays'
import { Floors } from '../../../src/io/mesh/floors.js'
import {
  Libp2pDatastore,
  MAX_ENTRIES,
  MAX_ENTRY_LENGTH,
  MAX_TOTAL_LENGTH,
} from '../../../src/io/mesh/libp2pDatastore.js'
import { OWN, RecordStore } from '../../../src/io/mesh/recordStore.js'
import { PersistentMap } from '../../../src/io/persistentMap.js'
import { judgeTestRecord, testRecord } from './meshes.js'

function newDatastore() {
  const map = new PersistentMap()
  const records = new RecordStore(judgeTestRecord, new Floors(map), map)
  return { datastore: new Libp2pDatastore(records), records }
}

const peer = (n: number | string) => new Key(`/peers/${n}`)

test('what libp2p stores of its own is stored, and nothing of the DHT is', async () => {
  const { datastore } = newDatastore()
  datastore.put(peer('a'), Uint8Array.of(1))
  datastore.put(new Key('/other'), Uint8Array.of(2))
  assert.deepEqual(datastore.get(peer('a')), Uint8Array.of(1))
  assert.ok(datastore.has(peer('a')))
  const peers = []
  for await (const { key } of datastore.query({ prefix: '/peers' })) peers.push(key.toString())
  assert.deepEqual(peers, ['/peers/a'])
  datastore.delete(peer('a'))
  assert.ok(!datastore.has(peer('a')))
  assert.throws(() => datastore.get(peer('a')), { name: 'NotFoundError' })
  assert.throws(() => datastore.put(new Key('/dht/provider/abc/def'), Uint8Array.of(1)))
  assert.throws(() => datastore.put(new Key('/dht/record/abc'), testRecord(1)))
})

test('a record is read as kad-dht wrote it', () => {
  const { datastore, records } = newDatastore()
  const key = fromString('/record/abc')
  const name = new Key(`/dht/record/${toText(key, 'base32')}`, false)
  assert.throws(() => datastore.get(name), { name: 'NotFoundError' })
  records.deliver(key, testRecord(3), OWN)
  const record = Record.deserialize(datastore.get(name))
  assert.deepEqual(new Uint8Array(record.value), testRecord(3))
  assert.deepEqual(new Uint8Array(record.key), key)
})

test('made-up peers do not fill the memory, and those that are used stay', () => {
  const { datastore } = newDatastore()
  datastore.put(peer('used'), Uint8Array.of(1))
  for (let n = 0; n < 3 * MAX_ENTRIES; n++) {
    datastore.put(peer(n), new Uint8Array(100))
    if (n % 1_000 === 0) datastore.get(peer('used'))
  }
  assert.equal(datastore.size, MAX_ENTRIES)
  assert.ok(datastore.has(peer('used')))
  assert.ok(!datastore.has(peer(0)))
  for (let n = 0; n < 3_000; n++) datastore.put(peer(`large ${n}`), new Uint8Array(MAX_ENTRY_LENGTH))
  assert.equal(datastore.size, MAX_TOTAL_LENGTH / MAX_ENTRY_LENGTH)
})

test('an entry that is too large leaves the one that is there', () => {
  const { datastore } = newDatastore()
  datastore.put(peer('a'), Uint8Array.of(1))
  datastore.put(peer('a'), new Uint8Array(MAX_ENTRY_LENGTH + 1))
  assert.deepEqual(datastore.get(peer('a')), Uint8Array.of(1))
})
