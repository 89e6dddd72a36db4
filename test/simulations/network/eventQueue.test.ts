import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { after } from '../../../src/base/time.js'

const UNIX_START = 1_767_225_600_000

function queueAt(start = 1_000): EventQueue {
  return new EventQueue(start, UNIX_START)
}

describe('the event queue', () => {
  it('does everything at its time, in the order of times; equal times in the order of asking', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 }), (waits) => {
        const queue = queueAt()
        const done: { readonly at: number; readonly asked: number }[] = []
        for (const [asked, wait] of waits.entries())
          queue.in(wait, () => done.push({ at: queue.elapsed, asked }))
        queue.run(50)
        const expected = waits
          .map((at, asked) => ({ at, asked }))
          .sort((a, b) => a.at - b.at || a.asked - b.asked)
        assert.deepEqual(done, expected)
      }),
    )
  })

  it('keeps its order while what happens asks for more', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 60 }), (waits) => {
        const queue = queueAt()
        const times: number[] = []
        for (const [first, second] of waits) {
          queue.in(first, () => {
            times.push(queue.elapsed)
            queue.in(second, () => times.push(queue.elapsed))
          })
        }
        queue.run(40)
        assert.equal(times.length, 2 * waits.length)
        assert.deepEqual(
          times,
          [...times].sort((a, b) => a - b),
        )
      }),
    )
  })

  it('does at once, and not before, what is asked for in the past', () => {
    const queue = queueAt()
    const done: string[] = []
    queue.in(10, () => {
      queue.at(after(queue.now.instant, -5), () => done.push(`late at ${queue.elapsed}`))
      done.push('asked')
    })
    queue.run(20)
    assert.deepEqual(done, ['asked', 'late at 10'])
  })

  it('leaves what is later than the run for the next one', () => {
    const queue = queueAt()
    const done: number[] = []
    for (const wait of [10, 10.5, 11]) queue.in(wait, () => done.push(queue.elapsed))
    queue.run(10.5)
    assert.deepEqual(done, [10, 10.5])
    assert.equal(queue.elapsed, 10.5)
    queue.run(0.5)
    assert.deepEqual(done, [10, 10.5, 11])
  })

  it('stops as soon as what it waits for has come about, and says whether it has', () => {
    const queue = queueAt()
    let happened = 0
    for (const wait of [1, 2, 3]) queue.in(wait, () => ++happened)
    assert.equal(
      queue.runUntil(() => happened === 2, 10),
      true,
    )
    assert.equal(queue.elapsed, 2)
    assert.equal(
      queue.runUntil(() => happened === 4, 10),
      false,
    )
    assert.equal(queue.elapsed, 12)
  })

  it('shows a monotonic clock with fractions and a wall clock without, of which one begins anywhere', () => {
    for (const start of [0, 1_000_000_000]) {
      const queue = queueAt(start)
      queue.run(1.75)
      assert.equal(queue.now.instant, start + 1.75)
      assert.equal(queue.now.unix, UNIX_START + 1)
    }
  })

  it('does what is wanted soon before anything else, in the order of asking, at the same instant', () => {
    const queue = queueAt()
    const done: string[] = []
    const note = (what: string) => () => done.push(`${what} at ${queue.elapsed}`)
    queue.in(5, () => {
      queue.in(0, note('next'))
      queue.soon(() => {
        note('soon')()
        queue.soon(note('sooner than next'))
      })
      queue.soon(note('soon, too'))
      note('first')()
    })
    queue.in(5, note('second'))
    queue.run(5)
    assert.deepEqual(
      done,
      ['first', 'soon', 'soon, too', 'sooner than next', 'second', 'next'].map((what) => `${what} at 5`),
    )
  })

  it('does what was wanted soon between runs when it runs again, before it asks whether it is done', () => {
    const queue = queueAt()
    let done = false
    queue.soon(() => {
      done = true
    })
    assert.equal(
      queue.runUntil(() => done, 0),
      true,
    )
  })

  it('throws where time stands still, by events or by what is wanted soon', () => {
    const queue = queueAt()
    const again = () => queue.in(0, again)
    queue.in(7, again)
    assert.throws(() => queue.run(100), /time stands still at 7 ms/)

    const other = queueAt()
    const soonAgain = () => other.soon(soonAgain)
    other.in(8, soonAgain)
    assert.throws(() => other.run(100), /time stands still at 8 ms/)
  })

  it('bears thousands of events at one instant', () => {
    const queue = queueAt()
    let done = 0
    for (let event = 0; event < 10_000; event++) queue.in(1, () => ++done)
    queue.run(1)
    assert.equal(done, 10_000)
  })
})
