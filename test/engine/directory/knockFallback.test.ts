import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { HOUR, MINUTE } from '../../../src/base/time.js'
import { KnockFallback } from '../../../src/engine/directory/knockFallback.js'
import { at, sleepUntil } from '../virtualTime.js'

const STEPS = ['knocked', 'failed', 'wanted', 'answered', 'encourage'] as const

let fallback: KnockFallback

beforeEach(() => {
  fallback = new KnockFallback()
})

describe('a knock', () => {
  it('is gossiped where no stream has brought an answer within a second, and once only', () => {
    fallback.knocked(at(0))
    assert.deepEqual(gossiped(0, MINUTE), [1_000])
    fallback.failed(at(MINUTE))
    assert.deepEqual(gossiped(MINUTE, 2 * MINUTE), [])
  })

  it('is gossiped at once where its stream fails', () => {
    fallback.knocked(at(0))
    fallback.failed(at(300))
    assert.deepEqual(gossiped(300, MINUTE), [300])
  })

  it('is not gossiped where it was answered in time, or the peer is not looked for any more', () => {
    for (const end of ['answered', 'settle'] as const) {
      fallback.knocked(at(0))
      fallback[end]()
      assert.deepEqual(gossiped(0, MINUTE), [])
    }
  })

  it('is gossiped ever more rarely for a peer that stays away, and no faster where it answers but there is no path', () => {
    for (const answers of [false, true]) {
      fallback = new KnockFallback()
      let count = 0
      for (let ms = 0; ms < 6 * HOUR; ms += 1_000) {
        fallback.wanted(at(ms))
        if (!fallback.wake(at(ms))) continue
        count += 1
        if (answers) fallback.answered()
      }
      assert.ok(count >= 24 && count <= 32, `${count} in six hours`)
    }
  })

  it('is gossiped soon again when there is news of the peer', () => {
    for (let ms = 0; ms < HOUR; ms += 1_000) {
      fallback.wanted(at(ms))
      fallback.wake(at(ms))
    }
    fallback.encourage()
    fallback.wanted(at(HOUR))
    assert.deepEqual(gossiped(HOUR, HOUR + MINUTE), [HOUR])
  })

  it('is gossiped at once where there is nobody to knock on', () => {
    fallback.wanted(at(0))
    assert.deepEqual(gossiped(0, MINUTE), [0])
  })

  it('is never gossiped more often than every five seconds, whatever fails', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 3_000 }), fc.constantFrom(...STEPS)), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(steps, (taken) => {
        fallback = new KnockFallback()
        const times: number[] = []
        let now = 0
        for (const [gap, what] of taken) {
          times.push(...gossiped(now, now + gap))
          now += gap
          fallback[what](at(now))
        }
        times.push(...gossiped(now, now + MINUTE))
        for (const [index, ms] of times.entries())
          if (index > 0) assert.ok(ms - (times[index - 1] ?? 0) >= 5_000)
      }),
    )
  })
})

describe('an answer by gossip', () => {
  it('is awaited for ten seconds after the knock was gossiped, and once', () => {
    assert.equal(fallback.awaitsAnswer(at(0)), false)
    fallback.knocked(at(0))
    assert.equal(fallback.awaitsAnswer(at(500)), false)
    gossiped(0, 1_000)
    assert.equal(fallback.awaitsAnswer(at(11_000)), true)
    assert.equal(fallback.awaitsAnswer(at(11_001)), false)
    fallback.answered()
    assert.equal(fallback.awaitsAnswer(at(2_000)), false)
  })
})

function gossiped(fromMs: number, untilMs: number): readonly number[] {
  const times: number[] = []
  sleepUntil(fallback, fromMs, untilMs, (ms) => {
    if (fallback.wake(at(ms))) times.push(ms)
  })
  return times
}
