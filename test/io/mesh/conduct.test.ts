import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, asInstant, MINUTE } from '../../../src/base/time.js'
import { Conduct, MAX_FAULTS, REFUSED_MS } from '../../../src/io/mesh/conduct.js'

const start = asInstant(1_000)

test('a node without a fault has a score of zero, and is not refused', () => {
  const conduct = new Conduct()
  assert.equal(conduct.score('a', start), 0)
  assert.equal(conduct.refuses('a', start), false)
  assert.equal(conduct.size, 0)
})

test('the score falls with each fault, and the last that is borne says so once', () => {
  const conduct = new Conduct()
  let score = 0
  for (let fault = 1; fault < MAX_FAULTS; fault += 1) {
    assert.equal(conduct.fault('a', start), false)
    assert.ok(conduct.score('a', start) < score)
    score = conduct.score('a', start)
    assert.equal(conduct.refuses('a', start), false)
  }
  assert.equal(conduct.fault('a', start), true)
  assert.equal(conduct.fault('a', start), false)
  assert.equal(conduct.refuses('a', start), true)
  assert.equal(conduct.refuses('b', start), false)
})

test('a node that was left is refused for a while, whatever else it does, and begins anew then', () => {
  const conduct = new Conduct()
  assert.equal(conduct.leave('a', start), true)
  assert.equal(conduct.fault('a', after(start, 1)), false)
  assert.equal(conduct.refuses('a', after(start, REFUSED_MS - 1)), true)
  const later = after(start, REFUSED_MS)
  assert.equal(conduct.refuses('a', later), false)
  assert.equal(conduct.score('a', later), 0)
  assert.equal(conduct.fault('a', later), false)
  assert.equal(conduct.leave('a', later), true)
})

test('a fault a minute is forgotten', () => {
  const conduct = new Conduct()
  for (let minute = 0; minute < 100; minute += 1)
    assert.equal(conduct.fault('a', after(start, minute * MINUTE)), false)
  assert.equal(conduct.score('a', after(start, 100 * MINUTE)), 0)
})

test('however many nodes are at fault, few are remembered, the newest among them', () => {
  const conduct = new Conduct()
  for (let node = 0; node < 10_000; node += 1) conduct.leave(String(node), start)
  assert.equal(conduct.size, 1024)
  assert.equal(conduct.refuses('9999', start), true)
  assert.equal(conduct.refuses('0', start), false)
})
