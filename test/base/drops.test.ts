import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DROP_REASONS, DropCounters, type DropReason, drop, isDropped } from '../../src/base/drops.js'

describe('drops', () => {
  it('are one frozen object for each reason', () => {
    for (const reason of Object.keys(DROP_REASONS) as DropReason[]) {
      assert.deepEqual(drop(reason), { dropped: reason })
      assert.equal(drop(reason), drop(reason))
      assert.ok(Object.isFrozen(drop(reason)))
    }
  })

  it('are told from values', () => {
    assert.equal(isDropped(drop('unrecognised')), true)
    for (const value of [undefined, null, 0, '', 'dropped', {}, [], new Uint8Array(1)])
      assert.equal(isDropped<unknown>(value), false)
  })

  it('have no other reasons than those that are listed', () => {
    assert.throws(() => drop('no-such-reason' as DropReason), TypeError)
  })

  it('have reasons in kebab case, said in one line', () => {
    for (const [reason, says] of Object.entries(DROP_REASONS)) {
      assert.match(reason, /^[a-z0-9]+(-[a-z0-9]+)*$/)
      assert.match(says, /^[^\n]+$/)
    }
  })

  it('are counted by reason, and listed in the order of the reasons', () => {
    const counters = new DropCounters()
    assert.deepEqual(counters.toJSON(), {})
    counters.count('stun-malformed')
    counters.count('unrecognised')
    counters.count('stun-malformed')
    assert.equal(JSON.stringify(counters), '{"unrecognised":1,"stun-malformed":2}')
  })
})
