import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decide, Roaming } from '../../../src/engine/roam/roaming.js'
import { type Sign, SignLog } from '../../../src/engine/roam/signs.js'
import { at } from '../virtualTime.js'

const SIGNS: readonly Sign[] = [
  'first-message-unanswered',
  'answer-late',
  'stream-stopped',
  'check-late',
  'checks-unanswered',
  'peer-detours',
  'unreachable',
  'machine-changed',
  'woke-up',
  'address-changed',
  'new-record',
  'knocked',
  'unknown-address',
]

describe('a sign', () => {
  it('costs nothing where there is no traffic, unless WireGuard or the peer wants something', () => {
    const wanted: readonly Sign[] = [
      'first-message-unanswered',
      'checks-unanswered',
      'new-record',
      'knocked',
      'unknown-address',
    ]
    for (const sign of SIGNS) {
      const decision = decide(sign, { isActive: false, hasPath: false })
      assert.equal(decision === 'nothing', !wanted.includes(sign), sign)
    }
  })

  it('has the path in use asked first, and the peer looked for where there is none', () => {
    for (const sign of ['machine-changed', 'address-changed'] as const) {
      assert.equal(decide(sign, { isActive: true, hasPath: true }), 'ask')
      assert.equal(decide(sign, { isActive: true, hasPath: false }), 'look')
    }
    // Anybody can forge it.
    assert.equal(decide('unreachable', { isActive: true, hasPath: true }), 'ask')
  })

  it('is heeded ever more rarely where anybody can send it, until it was true', () => {
    const asked: number[] = []
    const roaming = new Roaming({
      situation: () => ({ isActive: true, hasPath: true }),
      ask: (now) => asked.push(now),
      bindRelays: () => assert.fail(),
      look: () => undefined,
      log: () => undefined,
    })
    for (let ms = 0; ms < 70_000; ms += 10) roaming.unreachable(at(ms))
    assert.deepEqual(
      asked,
      [0, 1, 3, 7, 15, 31, 63].map((s) => at(s * 1_000)),
    )
    roaming.noticed('checks-unanswered', at(70_000))
    assert.equal(roaming.unreachable(at(70_000)), true)
  })

  it('that anybody can send is heeded once a second at most, whenever it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 400 }), { maxLength: 500 }), (pauses) => {
        const asked: number[] = []
        const roaming = new Roaming({
          situation: (now) => ({ isActive: now % 2_000 < 1_500, hasPath: true }),
          ask: (now) => asked.push(now),
          bindRelays: () => assert.fail(),
          look: () => assert.fail(),
          log: () => undefined,
        })
        let ms = 0
        for (const pause of pauses) {
          ms += pause
          roaming.unreachable(at(ms))
        }
        for (const [index, time] of asked.entries())
          assert.ok(index === 0 || time - (asked[index - 1] ?? 0) >= 1_000)
        assert.equal(roaming.signs.length, Math.min(asked.length, 8))
      }),
    )
  })

  it('has our own mappings at relays made again, unless it is of what anybody can send', () => {
    const done: string[] = []
    const roaming = new Roaming({
      situation: () => ({ isActive: true, hasPath: true }),
      ask: () => done.push('ask'),
      bindRelays: () => done.push('bind'),
      look: () => done.push('look'),
      log: () => undefined,
    })
    roaming.unreachable(at(0))
    assert.deepEqual(done, ['ask'])
    roaming.noticed('woke-up', at(0))
    assert.deepEqual(done, ['ask', 'ask', 'bind'])
  })

  it('is done as it was decided, and kept', () => {
    const done: string[] = []
    const roaming = new Roaming({
      situation: () => ({ isActive: true, hasPath: false }),
      ask: () => done.push('ask'),
      bindRelays: () => done.push('bind'),
      look: () => done.push('look'),
      log: (_message, { sign }) => done.push(String(sign)),
    })
    roaming.noticed('machine-changed', at(5))
    assert.deepEqual(done, ['machine-changed', 'look'])
    assert.deepEqual(roaming.signs, [{ sign: 'machine-changed', at: at(5), decision: 'look' }])
  })
})

describe('the signs that are kept', () => {
  it('are the last eight, in order, and the same one once in a second', () => {
    const any = fc.array(fc.tuple(fc.constantFrom(...SIGNS), fc.nat({ max: 2_000 })), { maxLength: 100 })
    fc.assert(
      fc.property(any, (events) => {
        const log = new SignLog()
        let ms = 0
        for (const [sign, later] of events) {
          ms += later
          log.note(sign, 'ask', at(ms))
          assert.equal(
            log.noted.some((noted) => noted.sign === sign),
            true,
          )
        }
        assert.ok(log.noted.length <= 8)
        for (const [index, noted] of log.noted.entries()) {
          const former = log.noted.slice(0, index).findLast(({ sign }) => sign === noted.sign)
          assert.ok(former === undefined || noted.at - former.at >= 1_000)
          assert.ok(noted.at >= (log.noted[index - 1]?.at ?? 0))
        }
      }),
    )
  })
})
