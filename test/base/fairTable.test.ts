import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FairTable } from '../../src/base/fairTable.js'

test('who puts in more than others displaces his own', () => {
  const table = new FairTable<number>(10)
  table.set('a', 1, 'alice')
  table.set('b', 2, 'bob')
  for (let n = 0; n < 1_000; n++) table.set(`m${n}`, n, 'mallory')
  assert.equal(table.size, 10)
  assert.equal(table.get('a'), 1)
  assert.equal(table.get('b'), 2)
  assert.equal(table.get('m999'), 999)
  assert.equal(table.get('m991'), undefined)
})

test('of owners with as many entries, the one loses who put nothing there for longest', () => {
  const table = new FairTable<number>(4)
  for (const [key, owner] of [
    ['a1', 'alice'],
    ['a2', 'alice'],
    ['b1', 'bob'],
    ['b2', 'bob'],
  ] as const)
    table.set(key, 0, owner)
  table.set('a1', 1, 'alice')
  assert.equal(table.set('c', 0, 'carol'), 'b1')
})

test('of owners with one entry each, the one loses whose entry was put there longest ago', () => {
  const table = new FairTable<number>(3)
  for (const owner of ['alice', 'bob', 'carol', 'alice']) table.set(owner, 0, owner)
  assert.equal(table.set('dave', 0, 'dave'), 'bob')
})

test('what belongs to another cannot be taken by bringing it again, and displaced', () => {
  const table = new FairTable<number>(10)
  table.set('a', 1, 'alice')
  for (let n = 0; n < 5; n++) table.set(`m${n}`, n, 'mallory')
  table.set('a', 2, 'mallory')
  assert.equal(table.get('a'), 2)
  assert.equal(table.ownerOf('a'), 'alice')
  for (let n = 5; n < 100; n++) table.set(`m${n}`, n, 'mallory')
  assert.equal(table.get('a'), 2)
})

test('what one who has many brought first becomes the one’s who has few', () => {
  const table = new FairTable<number>(10)
  for (let n = 0; n < 5; n++) table.set(`m${n}`, n, 'mallory')
  table.set('a', 1, 'mallory')
  table.set('a', 1, 'alice')
  assert.equal(table.ownerOf('a'), 'alice')
})

test('property: it is bounded, and who never had more than his share loses nothing', () => {
  const owner = fc.constantFrom('a', 'b', 'c', 'd')
  const steps = fc.array(
    fc.record({ key: fc.nat({ max: 60 }), owner, deletes: fc.boolean() }, { noNullPrototype: true }),
    { maxLength: 300 },
  )
  fc.assert(
    fc.property(steps, (taken) => {
      const max = 12
      const table = new FairTable<number>(max)
      for (const [n, { key, owner, deletes }] of taken.entries()) {
        // Keys of one owner only, so that an owner's entries are counted here too.
        const name = `${owner}${key}`
        if (deletes && n % 3 === 0) {
          table.delete(name)
          continue
        }
        const before = countByOwner(table)
        const evicted = table.set(name, n, owner)
        assert.equal(table.get(name), n)
        if (evicted === undefined) continue
        assert.equal(table.get(evicted), undefined)
        const loser = evicted.slice(0, 1)
        const most = Math.max(...before.values(), (before.get(owner) ?? 0) + 1)
        assert.ok((before.get(loser) ?? 0) + (loser === owner ? 1 : 0) === most)
        assert.ok(most > max / 4)
      }
      assert.ok(table.size <= max)
      assert.equal([...table.entries()].length, table.size)
    }),
  )
})

function countByOwner(table: FairTable<number>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [key] of table.entries()) {
    const owner = key.slice(0, 1)
    counts.set(owner, (counts.get(owner) ?? 0) + 1)
  }
  return counts
}
