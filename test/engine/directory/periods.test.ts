import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { after, asUnixTime, HOUR, MINUTE } from '../../../src/base/time.js'
import { periodsChangeIn, periodsToPublish, periodsToRead } from '../../../src/engine/directory/periods.js'
import { PERIOD, periodOf, RECORD_SKEW } from '../../../src/wire/period.js'

const moments = fc.integer({ min: 10 * PERIOD, max: 30_000 * PERIOD }).map(asUnixTime)
const skews = fc.integer({ min: -RECORD_SKEW, max: RECORD_SKEW })
/** 20,000 days after 1970, at midnight. */
const MIDNIGHT = asUnixTime(20_000 * PERIOD)

describe('the periods that are read', () => {
  it('are today, and around midnight the neighbour too, the present one first', () => {
    const at = (ms: number) => periodsToRead(after(MIDNIGHT, ms))
    assert.deepEqual(at(12 * HOUR), [20_000])
    assert.deepEqual(at(-2 * HOUR - 1), [19_999])
    assert.deepEqual(at(-2 * HOUR), [19_999, 20_000])
    assert.deepEqual(at(-1), [19_999, 20_000])
    assert.deepEqual(at(0), [20_000, 19_999])
    assert.deepEqual(at(2 * HOUR - 1), [20_000, 19_999])
    assert.deepEqual(at(2 * HOUR), [20_000])
  })

  it('are among those in which an author publishes, however wrong the clocks of both are', () => {
    fc.assert(
      fc.property(moments, skews, skews, (now, authors, readers) => {
        const published = periodsToPublish(after(now, authors))
        const read = periodsToRead(after(now, readers))
        assert.ok(published.includes(periodOf(now)) && read.includes(periodOf(now)))
      }),
    )
  })
})

describe('the periods that are published', () => {
  it('are those that are read, in the same order, and the next one', () => {
    fc.assert(
      fc.property(moments, (now) => {
        const read = periodsToRead(now)
        assert.deepEqual(periodsToPublish(now), [...read, Math.max(...read) + 1])
      }),
    )
  })

  it('are what storers take whose clock is no more than an hour off', () => {
    // Storers judge by their own clock; of two hours they take all but the next day's, for a while.
    fc.assert(
      fc.property(moments, fc.integer({ min: -HOUR, max: HOUR }), (now, skew) => {
        const taken = periodsToPublish(after(now, skew))
        for (const period of periodsToRead(now)) assert.ok(Math.abs(period - periodOf(after(now, skew))) <= 1)
        assert.ok(taken.includes(periodOf(now)))
      }),
    )
  })
})

describe('the moment at which they change', () => {
  it('is not before they do, nor after', () => {
    fc.assert(
      fc.property(moments, fc.nat({ max: 1_000 }), (now, thousandth) => {
        const wait = periodsChangeIn(now)
        assert.ok(wait > 0 && wait <= 20 * HOUR)
        const meanwhile = after(now, Math.floor(((wait - 1) * thousandth) / 1_000))
        assert.deepEqual(periodsToPublish(meanwhile), periodsToPublish(now))
        assert.notDeepEqual(periodsToPublish(after(now, wait)), periodsToPublish(now))
      }),
    )
  })

  it('comes three times a day: two hours before midnight, at midnight, and two hours after', () => {
    const times: number[] = []
    for (let now = after(MIDNIGHT, 12 * HOUR); now < MIDNIGHT + 36 * HOUR; ) {
      now = after(now, periodsChangeIn(now))
      times.push((now - MIDNIGHT) / MINUTE)
    }
    assert.deepEqual(times.slice(0, 3), [22 * 60, 24 * 60, 26 * 60])
  })
})
