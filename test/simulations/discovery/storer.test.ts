import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { realCryptography } from '../../../simulations/crypto/cryptography.js'
import {
  FORGERIES,
  forged,
  strangersRecords,
  withOneBitChanged,
} from '../../../simulations/discovery/forgery.js'
import { recordName } from '../../../simulations/discovery/recordNames.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { verifySealedRecord } from '../../../src/crypto/sealedRecord.js'
import { nth, TestWorld } from './members.js'

describe('a storer', () => {
  it('keeps the highest sequence number, in whatever order records come', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana')
    const records = Array.from({ length: 6 }, (_, sequence) => ana.record(sequence))
    fc.assert(
      fc.property(fc.array(fc.nat(records.length - 1), { minLength: 1, maxLength: 12 }), (order) => {
        const { storer } = nth(new TestWorld({ servers: 1 }).servers, 0)
        let highest = -1
        for (const sequence of order) {
          const acknowledged = storer.put(ana.recordName, nth(records, sequence))?.answer
          assert.equal(acknowledged, sequence >= highest)
          highest = Math.max(highest, sequence)
          assert.equal(storer.kept(ana.recordName), nth(records, highest))
        }
      }),
    )
  })

  it('takes another record under the same sequence number for a rollback', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana')
    const { storer } = nth(world.servers, 0)
    const [one, other] = [ana.record(1), ana.record(1)]
    assert.notDeepEqual(one, other)
    assert.deepEqual(
      [one, other, one].map((record) => storer.put(ana.recordName, record)?.answer),
      [true, false, true],
    )
  })

  it('stores nothing but what its key has signed', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana, ben] = [world.member('ana'), world.member('ben')]
    const { storer } = nth(world.servers, 0)
    const [own, random] = [ana.record(1), seededRandom(5)]
    assert.equal(storer.put(ana.recordName, ben.record(1))?.answer, false)
    for (let count = 0; count < 300; count++) {
      assert.equal(storer.put(ana.recordName, withOneBitChanged(own, random))?.answer, false)
      assert.equal(storer.put(ana.recordName, random.bytes(count))?.answer, false)
    }
    assert.equal(storer.size, 0)
  })

  it('has of a stale one the oldest record that it ever had', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana')
    const { storer } = nth(world.servers, 0)
    const records = [ana.record(1), ana.record(2), ana.record(3)]
    for (const record of records) storer.put(ana.recordName, record)
    storer.behave({ type: 'stale' })
    assert.equal(storer.get(ana.recordName)?.answer, records[0])
  })
})

describe('a forgery', () => {
  it('is never a record of the key that was asked for', () => {
    const world = new TestWorld({ servers: 1 })
    const [ana, ben] = [world.member('ana'), world.member('ben')]
    const strangersRecord = strangersRecords(world.queue, realCryptography)
    const random = seededRandom(9)
    for (const forgery of [...FORGERIES, undefined]) {
      for (const real of [ana.record(1), undefined]) {
        for (let count = 0; count < 20; count++) {
          const another = count % 2 === 0 ? ben.record(1) : undefined
          const bytes = forged({ forgery, real, another, strangersRecord, random })
          const opened = verifySealedRecord(bytes)
          assert.ok(isDropped(opened) || recordName(opened.blindedKey) !== ana.recordName, forgery)
        }
      }
    }
  })

  it('of a stranger is a valid record', () => {
    const world = new TestWorld()
    const bytes = strangersRecords(world.queue, realCryptography)(seededRandom(1))
    assert.equal(isDropped(verifySealedRecord(bytes)), false)
  })
})
