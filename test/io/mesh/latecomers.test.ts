import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, asInstant } from '../../../src/base/time.js'
import { HeldRecords, MAX_HELD, RecentIds } from '../../../src/io/mesh/latecomers.js'

const start = asInstant(1_000)
const bytes = new Uint8Array(1)

test('of each author the newest record is held, and released once', () => {
  const held = new HeldRecords()
  for (const sequence of [1, 3, 2]) held.hold({ bytes, author: 'a', sequence })
  held.hold({ bytes, author: 'b', sequence: 1 })
  assert.deepEqual(
    held.release().map(({ author, sequence }) => [author, sequence]),
    [
      ['a', 3],
      ['b', 1],
    ],
  )
  assert.deepEqual(held.release(), [])
})

test('few records are held, the newest', () => {
  const held = new HeldRecords()
  for (let author = 0; author < 100; author += 1) held.hold({ bytes, author: String(author), sequence: 1 })
  assert.deepEqual(
    held.release().map(({ author }) => author),
    Array.from({ length: MAX_HELD }, (_, index) => String(100 - MAX_HELD + index)),
  )
})

test('recent ids are those of their topic and time, the newest first, and not many', () => {
  const recent = new RecentIds()
  const id = (value: number) => Uint8Array.of(value)
  recent.add('a', id(1), start)
  recent.add('b', id(2), start)
  recent.add('a', id(3), after(start, 5))
  assert.deepEqual(recent.since('a', 10, after(start, 9)), [id(3), id(1)])
  assert.deepEqual(recent.since('a', 10, after(start, 10)), [id(3)])
  assert.deepEqual(recent.since('c', 10, start), [])
  for (let count = 0; count < 10_000; count += 1) recent.add('a', id(4), start)
  assert.equal(recent.since('a', 10, start).length, 256)
})
