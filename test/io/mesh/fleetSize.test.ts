import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, asUnixTime, HOUR } from '../../../src/base/time.js'
import { FleetSize } from '../../../src/io/mesh/fleetSize.js'

const noon = asUnixTime(Date.UTC(2026, 0, 1, 12))

test('as many authors as the limit are not too many, however often they are heard', () => {
  const fleet = new FleetSize(3)
  for (const author of ['a', 'b', 'a', 'c', 'b', 'c', 'a']) assert.equal(fleet.hear(author, noon), false)
  assert.equal(fleet.isTooLarge(noon), false)
  assert.equal(fleet.authors, 3)
})

test('one more is too many until the day ends, and is told once', () => {
  const fleet = new FleetSize(3)
  for (const author of ['a', 'b', 'c']) fleet.hear(author, noon)
  assert.equal(fleet.hear('d', noon), true)
  assert.equal(fleet.hear('e', noon), false)
  assert.equal(fleet.isTooLarge(after(noon, 12 * HOUR - 1)), true)
  assert.equal(fleet.isTooLarge(after(noon, 12 * HOUR)), false)
  assert.equal(fleet.hear('a', after(noon, 12 * HOUR)), false)
})

test('authors of different days do not add up', () => {
  const fleet = new FleetSize(3)
  for (let day = 0; day < 10; day += 1)
    for (const author of ['a', 'b', 'c'])
      assert.equal(fleet.hear(`${author}${day}`, after(noon, day * 24 * HOUR)), false)
})

test('no more authors are remembered than the limit', () => {
  const fleet = new FleetSize(100)
  for (let author = 0; author < 10_000; author += 1) {
    fleet.hear(String(author), noon)
    assert.ok(fleet.authors <= 100)
  }
})
