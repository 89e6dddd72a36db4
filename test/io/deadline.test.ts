import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { within } from '../../src/io/deadline.js'
import { until } from '../until.js'

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

test('a deadline outlives the garbage collector, alone and with another signal, nested too', async () => {
  assert(typeof collectGarbage === 'function')
  const stopped = new AbortController()
  let ended = 0
  const waitFor = (signal: AbortSignal) => signal.addEventListener('abort', () => ended++)
  waitFor(within(100))
  waitFor(within(100, stopped.signal))
  waitFor(within(10_000, AbortSignal.any([stopped.signal, within(100, new AbortController().signal)])))
  await until('the deadlines', () => {
    collectGarbage()
    return ended === 3
  })
})

test('it ends with the signal that it is given, and for its reason, or for the time', async () => {
  const stopped = new AbortController()
  const signal = within(1_000_000, stopped.signal)
  stopped.abort(new Error('stopped'))
  assert.equal(signal.reason.message, 'stopped')
  assert.equal(within(1_000_000, stopped.signal).aborted, true)
  const late = within(1)
  await until('the deadline', () => late.aborted)
  assert.equal(late.reason.name, 'TimeoutError')
})
