import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { BURST_MS, ReadSchedule } from '../../src/daemon/readSchedule.js'
import { settled } from './settled.js'

/** A schedule in virtual time, and when it read. */
function scheduled(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const reads: { readonly at: number; readonly isRetry: boolean; end(whole: boolean): void }[] = []
  const schedule = new ReadSchedule((isRetry) => new Promise((end) => reads.push({ at: now, isRetry, end })))
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 10) {
      now += 10
      t.mock.timers.tick(10)
      await settled()
    }
  }
  /** Ends the newest read. */
  const end = async (whole: boolean) => {
    reads.at(-1)?.end(whole)
    await settled()
  }
  const times = () => reads.map(({ at }) => at)
  return { schedule, reads, times, pass, end }
}

test('a burst of changes is read once, and a stream of them does not put the read off', async (t) => {
  const { schedule, times, pass, end } = scheduled(t)
  for (let change = 0; change < 5; change++) {
    schedule.changed()
    await pass(10)
  }
  assert.deepEqual(times(), [BURST_MS])
  await end(true)
  await pass(100_000)
  assert.deepEqual(times(), [BURST_MS])
})

test('a change during a read is read after it: reads never overlap', async (t) => {
  const { schedule, times, pass, end } = scheduled(t)
  schedule.changed()
  await pass(BURST_MS)
  schedule.changed()
  await pass(1_000)
  assert.deepEqual(times(), [50])
  await end(true)
  await pass(BURST_MS)
  assert.deepEqual(times(), [50, 1_100])
  await end(true)
})

test('what was not whole is read again after 1 s, 2 s, 4 s up to a minute, and from 1 s again after a change', async (t) => {
  const { schedule, reads, pass, end } = scheduled(t)
  schedule.retry()
  for (const pauseS of [1, 2, 4, 8, 16, 32, 60, 60]) {
    const before = reads.length
    await pass(pauseS * 1_000 - 10)
    assert.equal(reads.length, before, `no earlier than after ${pauseS} s`)
    await pass(10)
    assert.deepEqual([reads.length, reads.at(-1)?.isRetry], [before + 1, true])
    await end(false)
  }
  schedule.changed()
  await pass(BURST_MS)
  assert.equal(reads.at(-1)?.isRetry, false)
  await end(false)
  const before = reads.length
  await pass(1_000)
  assert.equal(reads.length, before + 1)
  await end(true)
  await pass(100_000)
  assert.equal(reads.length, before + 1)
})

test('after the stop nothing is read, and the stop waits for the read under way', async (t) => {
  const { schedule, reads, pass, end } = scheduled(t)
  schedule.changed()
  await pass(BURST_MS)
  let stopped = false
  const stopping = schedule.stop().then(() => {
    stopped = true
  })
  await pass(100)
  assert.equal(stopped, false)
  schedule.changed()
  await end(false)
  await stopping
  await pass(100_000)
  assert.equal(reads.length, 1)
})
