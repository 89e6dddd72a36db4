import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnockDesk } from '../../src/daemon/knockDesk.js'

test('each knock gets the answer to its own id, in whatever order they come', async () => {
  const desk = new KnockDesk()
  const ids: number[] = []
  const [first, second] = [desk.ask((id) => ids.push(id)), desk.ask((id) => ids.push(id))]
  const [firstId = 0, secondId = 0] = ids
  desk.answer(secondId, Uint8Array.of(2))
  desk.answer(firstId, undefined)
  desk.answer(firstId, Uint8Array.of(9))
  desk.answer(99, Uint8Array.of(9))
  assert.equal(await first, undefined)
  assert.deepEqual(await second, Uint8Array.of(2))
})

test('an answer may come while the knock is handed on', async () => {
  const desk = new KnockDesk()
  assert.deepEqual(await desk.ask((id) => desk.answer(id, Uint8Array.of(1))), Uint8Array.of(1))
})

test('when it closes, those who wait and those who come later get no answer', async () => {
  const desk = new KnockDesk()
  const waiting = desk.ask(() => undefined)
  desk.close()
  assert.equal(await waiting, undefined)
  assert.equal(await desk.ask(() => assert.fail('there is nobody to hand it to')), undefined)
})
