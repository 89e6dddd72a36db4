import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { play } from '../../../simulations/command/play.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { type Course, pass, passUntil, type Run } from '../../../simulations/scenario.js'

describe('a run', () => {
  it('is played to its end, and shown meanwhile', async () => {
    const shown: number[] = []
    const run = runOf((queue) => pass(queue, 1_000))
    const audience = { show: (ms: number) => shown.push(ms), isInterrupted: () => false }
    assert.equal(await play(run, audience, everLater(40)), true)
    assert.equal(run.queue.elapsed, 1_000)
    assert.deepEqual(shown, [250, 500, 750])
  })

  it('ends after the slice in which it was interrupted', async () => {
    const run = runOf((queue) => pass(queue, 1_000))
    let interrupted = false
    run.queue.in(300, () => {
      interrupted = true
    })
    const audience = { show: () => undefined, isInterrupted: () => interrupted }
    assert.equal(await play(run, audience, everLater(40)), false)
    assert.equal(run.queue.elapsed, 500)
  })

  it('goes on without a look outside while no time was taken', async () => {
    const run = runOf((queue) => pass(queue, 10_000))
    const audience = { show: () => assert.fail('it was shown'), isInterrupted: () => true }
    assert.equal(await play(run, audience, () => 0), true)
  })
})

describe('time in a course', () => {
  it('passes in slices, until something is done', () => {
    const queue = new EventQueue(0, 0)
    let done = false
    queue.in(620, () => {
      done = true
    })
    const course = passUntil(queue, () => done, 10_000)
    assert.deepEqual(course.next(), { value: undefined, done: false })
    assert.deepEqual(course.next(), { value: undefined, done: false })
    assert.deepEqual(course.next(), { value: true, done: true })
    assert.equal(queue.elapsed, 620)
  })

  it('passes in full where nothing is done', () => {
    const queue = new EventQueue(0, 0)
    const course = passUntil(queue, () => false, 600)
    while (course.next().done !== true);
    assert.equal(queue.elapsed, 600)
  })
})

function runOf(course: (queue: EventQueue) => Course): Run {
  const queue = new EventQueue(0, 0)
  return {
    queue,
    totalMs: 1_000,
    traced: () => [],
    course: () => course(queue),
    findings: () => ({ measurements: [], tables: [], expectations: [] }),
  }
}

/** A clock that is `ms` later each time it is looked at. */
function everLater(ms: number): () => number {
  let now = 0
  return () => {
    now += ms
    return now
  }
}
