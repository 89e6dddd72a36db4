import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { Lookout, MAX_RECENT, RECENT_MS } from '../../../src/engine/loopback/lookout.js'
import { at } from '../virtualTime.js'
import { data } from '../wireguardMessages.js'

const IP = '203.0.113.1'
const NEVER = at(Number.NEGATIVE_INFINITY)

let lookout: Lookout

beforeEach(() => {
  lookout = new Lookout()
})

describe('what was sent last', () => {
  it('is kept in order: 32 messages of one second, copied', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 200 }), { maxLength: 100 }),
        fc.nat({ max: 1_500 }),
        (gaps, sinceMs) => {
          const one = new Lookout()
          const sent: { readonly message: Uint8Array; readonly ms: number }[] = []
          let ms = 0
          for (const gap of gaps) {
            ms += gap
            const message = data(1, 100 + (ms % 7))
            sent.push({ message: message.slice(), ms })
            one.sent(message, at(ms))
            // Its memory is used again.
            message.fill(0)
          }
          const from = Math.max(ms - RECENT_MS, ms - sinceMs)
          const expected = sent.slice(-MAX_RECENT).filter((each) => each.ms >= from)
          const kept = [...one.recent(at(ms - sinceMs), at(ms))]
          assert.equal(kept.length, expected.length)
          for (const [index, message] of kept.entries()) assert.deepEqual(message, expected[index]?.message)
        },
      ),
    )
  })

  it('is nothing at first', () => {
    assert.deepEqual([...lookout.recent(NEVER, at(0))], [])
    assert.equal(lookout.sentAt, NEVER)
    lookout.sent(data(1), at(7))
    assert.equal(lookout.sentAt, at(7))
  })
})

describe('a question', () => {
  it('waits since the first of several, until a message comes whichever way', () => {
    for (const isOverPath of [true, false]) {
      const one = new Lookout()
      one.sent(data(1, 100), at(1))
      one.sent(data(1, 100), at(5))
      assert.equal(one.waitsSince, at(1))
      one.heard(IP, 1, isOverPath, at(11))
      assert.equal(Number.isFinite(one.waitsSince), false)
      assert.equal(one.answers.isMeasured, true)
    }
  })

  it('is no keepalive, and not what answers a question', () => {
    lookout.sent(data(1, 32), at(1))
    assert.equal(lookout.tells(32, at(1)), false)
    lookout.heard(IP, 1, true, at(2))
    assert.equal(lookout.tells(100, at(3)), false)
    lookout.sent(data(1, 100), at(3))
    assert.equal(Number.isFinite(lookout.waitsSince), false)
    assert.equal(lookout.tells(100, at(4)), true)
    lookout.sent(data(1, 100), at(4))
    assert.equal(lookout.waitsSince, at(4))
    assert.equal(lookout.tells(100, at(5)), false)
  })

  it('is told only where the engine wants to know', () => {
    lookout.tellsOfQuestions = false
    assert.equal(lookout.tells(100, at(1)), false)
  })

  it('is waited for anew over another path, and no more after an answered check', () => {
    lookout.sent(data(1, 100), at(1))
    lookout.pathChanged(at(9))
    assert.equal(lookout.waitsSince, at(9))
    lookout.answered()
    assert.equal(Number.isFinite(lookout.waitsSince), false)
    lookout.pathChanged(at(10))
    assert.equal(Number.isFinite(lookout.waitsSince), false)
  })
})

describe('what comes in', () => {
  it('is wanted where it takes another way after it took the path in use, once that is listened for', () => {
    lookout.streamMs = 2_000
    assert.equal(lookout.wants(false, at(1)), false)
    lookout.heard(IP, 1, true, at(2))
    assert.equal(lookout.wants(true, at(3)), false)
    assert.equal(lookout.wants(false, at(3)), true)
    lookout.tellsOfDetoursFrom = at(4)
    assert.equal(lookout.wants(false, at(3)), false)
    lookout.tellsOfDetoursFrom = at(3)
    lookout.heard(IP, 2, false, at(3))
    assert.equal(lookout.wants(false, at(4)), false)
    assert.equal(lookout.cameFrom(IP, 2), true)
    assert.equal(lookout.cameFrom(IP, 1), false)
  })

  it('is a stream, and wanted, where it came for long with short pauses only', () => {
    lookout.streamMs = 2_000
    for (let ms = 0; ms <= 2_000; ms += 100) {
      assert.equal(lookout.wants(true, at(ms)), ms >= 2_000, `${ms} ms`)
      lookout.heard(IP, 1, true, at(ms))
    }
    assert.equal(lookout.wants(true, at(2_150)), true)
    assert.equal(lookout.wants(true, at(2_151)), false)
    lookout.heard(IP, 1, true, at(2_151))
    assert.equal(lookout.streamSince, at(2_151))
  })
})
