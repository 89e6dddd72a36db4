import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Undo } from '../../src/daemon/undo.js'
import { recordingLogger } from './recordingLogger.js'

test('what was put up is taken down in the opposite order, once', async () => {
  const undo = new Undo(recordingLogger().log)
  const done: string[] = []
  undo.push(() => void done.push('first'))
  undo.push(async () => {
    await Promise.resolve()
    done.push('second')
  })
  await undo.run()
  await undo.run()
  assert.deepEqual(done, ['second', 'first'])
})

test('a step that fails or hangs is said, and does not keep the others from their turn', async () => {
  const { log, lines } = recordingLogger()
  const undo = new Undo(log)
  const done: string[] = []
  undo.push(() => void done.push('last'))
  undo.push(() => {
    throw new Error('thrown')
  })
  undo.push(() => Promise.reject(new Error('rejected')))
  undo.push(() => new Promise<void>(() => undefined), 20)
  undo.push(async () => void done.push('in time'), 10_000)
  await undo.run()
  assert.deepEqual(done, ['in time', 'last'])
  assert.deepEqual(
    lines.map(({ fields: { cause } }) => cause),
    ['it took longer than 0.02 s', 'rejected', 'thrown'],
  )
})
