import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EventHeap } from '../../../simulations/network/eventHeap.js'

describe('the heap of events', () => {
  it('gives what was added by time, then by order of adding, however adding and taking alternate', () => {
    // A number adds an action at that time; null takes one.
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20)), { maxLength: 400 }), (steps) => {
        const heap = new EventHeap()
        const twin: { readonly time: number; readonly added: number }[] = []
        const taken: number[] = []
        for (const [added, time] of steps.entries()) {
          if (time === null) {
            const [first] = twin.sort((a, b) => a.time - b.time || a.added - b.added)
            assert.equal(heap.firstAt, first?.time ?? Number.POSITIVE_INFINITY)
            heap.take()?.()
            assert.equal(taken.at(-1), first === undefined ? taken.at(-1) : first.added)
            twin.shift()
          } else {
            heap.add(time, () => taken.push(added))
            twin.push({ time, added })
          }
        }
        assert.equal(heap.take() === undefined, twin.length === 0)
      }),
    )
  })
})
