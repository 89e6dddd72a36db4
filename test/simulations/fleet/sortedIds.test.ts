import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PLACES, SortedIds } from '../../../simulations/fleet/sortedIds.js'

const id = fc.oneof(
  fc.integer({ min: 0, max: PLACES - 1 }),
  fc.constantFrom(0, 1, 2, 3, PLACES / 2, PLACES - 1),
)

test('the nearest are those of the smallest XOR distance, in its order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(id), id, fc.nat(10), (ids, target, count) => {
      const slow = ids.toSorted((a, b) => (a ^ target) - (b ^ target)).slice(0, count)
      assert.deepEqual(new SortedIds(ids).nearest(target, count), slow)
    }),
  )
})

test('it is a set', () => {
  const step = fc.tuple(fc.constantFrom('add', 'remove'), fc.oneof(fc.nat(5), id))
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 29 }), (steps, bits) => {
      const set = new Set<number>()
      const ids = new SortedIds()
      for (const [what, each] of steps) {
        const changes = what === 'add' ? !set.has(each) : set.has(each)
        assert.equal(what === 'add' ? ids.add(each) : ids.remove(each), changes)
        if (what === 'add') set.add(each)
        else set.delete(each)
        assert.equal(ids.has(each), set.has(each))
        const alike = [...set].filter((other) => other >>> (30 - bits) === each >>> (30 - bits))
        assert.equal(ids.sharing(each, bits), alike.length)
      }
      assert.deepEqual(
        [...ids],
        [...set].sort((a, b) => a - b),
      )
      assert.equal(ids.size, set.size)
    }),
  )
})

test('what is found is added to what was found before', () => {
  assert.deepEqual(new SortedIds([8, 9]).nearest(8, 1, [1]), [1, 8])
})
