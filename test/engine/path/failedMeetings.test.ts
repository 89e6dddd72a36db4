import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MINUTE } from '../../../src/base/time.js'
import { FailedMeetings } from '../../../src/engine/path/failedMeetings.js'
import { at } from '../virtualTime.js'

const BETWEEN = { own: '203.0.113.1', peer: '203.0.113.2' }

describe('what failed between two gateways', () => {
  it('is tried again after a minute, then two, and an hour at last', () => {
    const meetings = new FailedMeetings()
    assert.equal(meetings.notBefore(BETWEEN), undefined)
    const pauses = Array.from({ length: 9 }, () => {
      meetings.failed(BETWEEN, at(0))
      return ((meetings.notBefore(BETWEEN) ?? 0) - at(0)) / MINUTE
    })
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60])
  })

  it('says nothing of other gateways, and is forgotten once they meet', () => {
    const meetings = new FailedMeetings()
    meetings.failed(BETWEEN, at(0))
    assert.equal(meetings.notBefore({ ...BETWEEN, own: '203.0.113.3' }), undefined)
    assert.equal(meetings.notBefore({ own: BETWEEN.peer, peer: BETWEEN.own }), undefined)
    meetings.met(BETWEEN)
    assert.equal(meetings.notBefore(BETWEEN), undefined)
  })

  it('is of 256 pairs at most; what failed longest ago is forgotten first', () => {
    const meetings = new FailedMeetings()
    const nth = (index: number) => ({ own: '203.0.113.1', peer: `198.51.${index >> 8}.${index & 255}` })
    for (let index = 0; index < 300; index++) meetings.failed(nth(index), at(index))
    assert.equal(meetings.size, 256)
    assert.equal(meetings.notBefore(nth(43)), undefined)
    assert.notEqual(meetings.notBefore(nth(44)), undefined)
  })
})
