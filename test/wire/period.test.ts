import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { after, asUnixTime, HOUR } from '../../src/base/time.js'
import {
  isPublishedPeriod,
  PERIOD,
  periodOf,
  periodStart,
  periodsToPublish,
  periodsToRead,
  RECORD_SKEW,
} from '../../src/wire/period.js'

const moments = fc.integer({ min: PERIOD, max: 4_000_000_000_000 }).map(asUnixTime)

test('periods are days of UTC, and begin at midnight', () => {
  assert.equal(periodOf(asUnixTime(Date.UTC(2027, 0, 15, 23, 59, 59, 999))), 20_833)
  assert.equal(periodOf(asUnixTime(Date.UTC(2027, 0, 16))), 20_834)
  assert.equal(periodStart(20_834), Date.UTC(2027, 0, 16))
})

test('one period is read and two are published, near midnight one more of each', () => {
  const midnight = periodStart(100)
  assert.deepEqual(periodsToRead(after(midnight, 12 * HOUR)), [100])
  assert.deepEqual(periodsToPublish(after(midnight, 12 * HOUR)), [100, 101])
  assert.deepEqual(periodsToRead(after(midnight, -2 * HOUR)), [99, 100])
  assert.deepEqual(periodsToRead(after(midnight, -2 * HOUR - 1)), [99])
  assert.deepEqual(periodsToPublish(after(midnight, -1)), [99, 100, 101])
  assert.deepEqual(periodsToRead(after(midnight, 2 * HOUR - 1)), [99, 100])
  assert.deepEqual(periodsToRead(after(midnight, 2 * HOUR)), [100])
})

test('a storer accepts just what an author publishes by the same clock', () => {
  fc.assert(
    fc.property(moments, fc.integer({ min: -4, max: 4 }), (now, offset) => {
      const period = periodOf(now) + offset
      assert.equal(isPublishedPeriod(period, now), periodsToPublish(now).includes(period))
    }),
  )
})

test('whoever reads by a clock that differs by up to two hours looks where the author published', () => {
  fc.assert(
    fc.property(moments, fc.integer({ min: -RECORD_SKEW, max: RECORD_SKEW }), (now, skew) => {
      const published = periodsToPublish(after(now, skew))
      assert.ok(published.includes(periodOf(now)))
      assert.ok(periodsToRead(now).includes(periodOf(after(now, skew))))
    }),
  )
})
