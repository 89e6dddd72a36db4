import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import type { Occasion } from '../../../simulations/search/fault.js'
import { Occasions } from '../../../simulations/search/occasions.js'
import { Spells } from '../../../simulations/search/spells.js'
import type { Effect } from '../../../src/engine/effects.js'

const NAMES = ['ana', 'ben']
const LOOK_UP: Effect = { type: 'look-up', peer: 'a' as never, keys: [] }
const WOKEN = { type: 'woken' } as const

describe('an occasion', () => {
  it('at a time comes at that time', () => {
    const { queue, struck } = awaiting([{ atMs: 300 }, { atMs: 100 }])
    queue.run(1_000)
    assert.deepEqual(struck, ['1 at 100', '0 at 300'])
  })

  it('at an event comes at the n-th of that kind, of that host, since its time', () => {
    const when = { afterMs: 200, event: 'look-up', host: 1, nth: 2 } as const
    const { queue, struck, occasions } = awaiting([when])
    const handled = (atMs: number, host: string, ...effects: readonly Effect[]): void =>
      queue.in(atMs, () => occasions.observer.handled?.(host, WOKEN, effects))
    handled(100, 'ben', LOOK_UP, LOOK_UP)
    handled(300, 'ana', LOOK_UP, LOOK_UP)
    handled(400, 'ben', LOOK_UP)
    handled(500, 'ben', { type: 'close-loopback', peer: 'a' as never })
    handled(600, 'ben', LOOK_UP)
    handled(700, 'ben', LOOK_UP)
    queue.run(1_000)
    assert.deepEqual(struck, ['0 at 600'])
  })

  it('counts effects of one event, and inputs', () => {
    const { queue, struck, occasions } = awaiting([
      { afterMs: 0, event: 'look-up', host: 0, nth: 3 },
      { afterMs: 0, event: 'record-found', host: 0, nth: 1 },
    ])
    queue.in(1, () => occasions.observer.handled?.('ana', WOKEN, [LOOK_UP, LOOK_UP, LOOK_UP]))
    queue.in(2, () =>
      occasions.observer.handled?.(
        'ana',
        { type: 'record-found', peer: 'b' as never, sealedRecord: new Uint8Array() },
        [],
      ),
    )
    queue.run(10)
    assert.deepEqual(struck, ['0 at 1', '1 at 2'])
  })

  it('never comes amid what the host is doing', () => {
    const { queue, struck, occasions } = awaiting([{ afterMs: 0, event: 'look-up', host: 0, nth: 1 }])
    queue.in(1, () => {
      occasions.observer.handled?.('ana', WOKEN, [LOOK_UP])
      assert.deepEqual(struck, [])
    })
    queue.run(1)
    assert.deepEqual(struck, ['0 at 1'])
  })

  it('looks at no event where all come at times', () => {
    assert.equal(awaiting([{ atMs: 1 }]).occasions.observer.handled, undefined)
  })
})

describe('what lasts', () => {
  it('begins with the first of its name and ends with the last', () => {
    const queue = new EventQueue(0, 0)
    const spells = new Spells(queue)
    const log: string[] = []
    const cast = (atMs: number, name: string, forMs: number): void =>
      queue.in(atMs, () =>
        spells.cast(
          name,
          forMs,
          () => log.push(`${name} from ${queue.elapsed}`),
          () => log.push(`${name} to ${queue.elapsed}`),
        ),
      )
    cast(0, 'a', 100)
    cast(50, 'a', 20)
    cast(60, 'b', 10)
    cast(90, 'a', 100)
    cast(300, 'a', 1)
    queue.run(1_000)
    assert.deepEqual(log, ['a from 0', 'b from 60', 'b to 70', 'a to 190', 'a from 300', 'a to 301'])
  })
})

function awaiting(whens: readonly Occasion[]) {
  const queue = new EventQueue(0, 0)
  const struck: string[] = []
  const occasions = new Occasions(whens)
  for (const [index, when] of whens.entries())
    occasions.await(when, NAMES, queue, () => struck.push(`${index} at ${queue.elapsed}`))
  return { queue, struck, occasions }
}
