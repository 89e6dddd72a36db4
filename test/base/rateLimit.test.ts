import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SourceLimiter, TokenBucket } from '../../src/base/rateLimit.js'
import { after, asInstant, elapsed, SECOND } from '../../src/base/time.js'

const start = asInstant(1_000_000)

describe('a token bucket', () => {
  it('gives its burst at once, then its rate', () => {
    const bucket = new TokenBucket(10, 3, start)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => bucket.take(start)),
      [true, true, true, false],
    )
    assert.equal(bucket.take(after(start, 99)), false)
    assert.equal(bucket.take(after(start, 100)), true)
    assert.equal(bucket.take(after(start, 100)), false)
  })

  it('takes several tokens or none', () => {
    const bucket = new TokenBucket(1, 3, start)
    assert.equal(bucket.take(start, 4), false)
    assert.equal(bucket.take(start, 3), true)
    assert.equal(bucket.take(start), false)
  })

  it('holds no more than its burst, however long it rests', () => {
    const bucket = new TokenBucket(10, 2, start)
    assert.equal(bucket.take(start, 2), true)
    const later = after(start, 3_600 * SECOND)
    assert.equal(bucket.take(later, 3), false)
    assert.equal(bucket.take(later, 2), true)
  })

  it('gives nothing for time that runs backwards', () => {
    const bucket = new TokenBucket(10, 1, start)
    assert.equal(bucket.take(start), true)
    assert.equal(bucket.take(after(start, -1_000)), false)
    assert.equal(bucket.take(start), false)
  })

  it('never gives more than its burst and what its rate adds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat({ max: 300 }), { maxLength: 200 }),
        (perSecond, burst, gaps) => {
          const bucket = new TokenBucket(perSecond, burst, start)
          let now = start
          let taken = 0
          for (const gap of gaps) {
            now = after(now, gap)
            if (bucket.take(now)) taken++
          }
          assert.ok(taken <= burst + (elapsed(start, now) * perSecond) / SECOND)
        },
      ),
    )
  })

  it('says when the next token is there', () => {
    const bucket = new TokenBucket(3, 1, start)
    assert.equal(bucket.availableAt(start), start)
    assert.equal(bucket.take(start), true)
    const next = bucket.availableAt(start)
    assert.equal(elapsed(start, next), 334)
    assert.equal(bucket.take(after(next, -1)), false)
    assert.equal(bucket.take(next), true)
  })
})

describe('a limiter of sources', () => {
  const limits = {
    each: { perSecond: 1, burst: 2 },
    all: { perSecond: 1, burst: 5 },
    maxSources: 3,
  }

  it('limits each source on its own', () => {
    const limiter = new SourceLimiter(limits, start)
    assert.deepEqual(
      ['a', 'a', 'a', 'b'].map((source) => limiter.admit(source, start)),
      [true, true, false, true],
    )
  })

  it('limits all sources together', () => {
    const limiter = new SourceLimiter(limits, start)
    const sources = ['a', 'b', 'c', 'd', 'e', 'f']
    assert.deepEqual(
      sources.map((source) => limiter.admit(source, start)),
      [true, true, true, true, true, false],
    )
  })

  it('admits again when time has passed', () => {
    const limiter = new SourceLimiter(limits, start)
    for (let count = 0; count < 3; count++) limiter.admit('a', start)
    assert.equal(limiter.admit('a', after(start, SECOND)), true)
  })

  it('remembers a bounded number of sources, and forgets the one it heard of longest ago', () => {
    const limiter = new SourceLimiter({ ...limits, all: { perSecond: 1_000, burst: 1_000 } }, start)
    for (const source of ['a', 'a', 'b', 'c', 'a', 'd']) limiter.admit(source, start)
    assert.equal(limiter.size, 3)
    // b was forgotten, not a, whose limit is still reached.
    assert.equal(limiter.admit('a', start), false)
    for (let count = 0; count < 10_000; count++) limiter.admit(`source ${count}`, start)
    assert.equal(limiter.size, 3)
  })
})
