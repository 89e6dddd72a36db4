import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NameErrands } from '../../src/daemon/nameErrands.js'
import type { Input } from '../../src/engine/inputs.js'
import type { hostAddresses } from '../../src/io/names/hostAddresses.js'
import { recordingLogger } from './recordingLogger.js'
import { settled } from './settled.js'

function errands(resolve: typeof hostAddresses) {
  const told: Input[] = []
  const { log, lines } = recordingLogger()
  return { told, lines, names: new NameErrands((input) => told.push(input), log, resolve) }
}

test('a question ends with the answer', async () => {
  const { told, names } = errands(async () => ({ ips: ['192.0.2.1'], ttlMs: 5_000 }))
  names.resolve('a.lab')
  await settled()
  assert.deepEqual(told, [{ type: 'name-resolved', name: 'a.lab', ips: ['192.0.2.1'], ttlMs: 5_000 }])
})

test('a question that fails ends with the reason', async () => {
  const { told, lines, names } = errands(() => Promise.reject(new Error('no answer within 5 s')))
  names.resolve('a.lab')
  await settled()
  assert.deepEqual(told, [{ type: 'name-failed', name: 'a.lab', reason: 'no answer within 5 s' }])
  assert.equal(lines.length, 0)
})

test('after the end nothing is told, and what is under way is called off', async () => {
  let signal: AbortSignal | undefined
  const { told, names } = errands((_host, _deadline, stopping) => {
    signal = stopping
    return new Promise((_, reject) => stopping?.addEventListener('abort', () => reject(new Error('gone'))))
  })
  names.resolve('a.lab')
  names.stop()
  await settled()
  assert.equal(signal?.aborted, true)
  assert.deepEqual(told, [])
})

test('names of many peers are resolved at once, and nothing is taken for a leak', async (t) => {
  const warned: Error[] = []
  const onWarning = (warning: Error) => warned.push(warning)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  let asked = 0
  const { names } = errands((_host, _deadline, stopping) => {
    asked += 1
    return new Promise((_, reject) => stopping?.addEventListener('abort', () => reject(new Error('gone'))))
  })
  for (let n = 0; n < 100; n++) names.resolve(`${n}.lab`)
  await settled()
  assert.equal(asked, 100)
  assert.deepEqual(warned, [])
  names.stop()
})
