import assert from 'node:assert/strict'
import { it } from 'node:test'
import { elapsed, SECOND } from '../../../src/base/time.js'
import { AskPace } from '../../../src/engine/relay/askPace.js'
import { at, START } from '../virtualTime.js'

it('two sessions that come to nothing are replaced at once, further ones ever more rarely', () => {
  const pace = new AskPace()
  const pauses = Array.from({ length: 10 }, () => {
    pace.failed(at(0))
    return Math.max(0, elapsed(START, pace.notBefore))
  })
  assert.deepEqual(
    pauses.map((ms) => ms / SECOND),
    [0, 0, 1, 2, 4, 8, 16, 32, 60, 60],
  )
  pace.encourage()
  assert.ok(pace.notBefore < at(0))
  pace.failed(at(0))
  assert.ok(pace.notBefore < at(0))
})

it('a session that carries makes up for those that did not', () => {
  const pace = new AskPace()
  for (let count = 0; count < 2; count++) pace.failed(at(0))
  pace.succeeded()
  for (let count = 0; count < 2; count++) pace.failed(at(0))
  assert.ok(pace.notBefore < at(0))
})

it('where there is nobody to ask, it is tried again after 5 s', () => {
  const pace = new AskPace()
  pace.nobody(at(0))
  assert.equal(pace.notBefore, at(5 * SECOND))
})
