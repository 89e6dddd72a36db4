import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { HOUR } from '../../../src/base/time.js'
import { FLOOR_LIFETIME_MS, Floors, MAX_FLOORS } from '../../../src/io/mesh/floors.js'
import { PersistentMap } from '../../../src/io/persistentMap.js'

const NOW = 1_750_000_000_000
const key = (name: string | number) => fromString(`/record/${name}`)

test('property: a floor is the highest sequence number seen, also in the next run', () => {
  const seen = fc.array(
    fc.tuple(fc.nat({ max: 4 }), fc.integer({ min: -FLOOR_LIFETIME_MS + 1, max: 2 * HOUR })),
  )
  fc.assert(
    fc.property(seen, (all) => {
      const map = new PersistentMap()
      const floors = new Floors(map, () => NOW)
      for (const [name, ms] of all) floors.raise(key(name), NOW + ms, '192.0.2.1')
      for (const run of [floors, new Floors(map, () => NOW)])
        for (let name = 0; name <= 4; name++) {
          const sequences = all.filter(([of]) => of === name).map(([, ms]) => NOW + ms)
          assert.equal(run.of(key(name)), Math.max(0, ...sequences))
        }
    }),
  )
})

test('a floor is forgotten when a record that old is refused in any case', () => {
  let now = NOW
  const map = new PersistentMap()
  const floors = new Floors(map, () => now)
  floors.raise(key('a'), NOW, '192.0.2.1')
  now += FLOOR_LIFETIME_MS - 1
  assert.equal(floors.of(key('a')), NOW)
  now += 1
  assert.equal(floors.of(key('a')), 0)
  assert.equal(new Floors(map, () => now).size, 0)
  assert.equal(map.size, 0)
})

test('a clock that was ahead leaves no floors that shut others out', () => {
  const map = new PersistentMap()
  new Floors(map, () => NOW + 1_000 * HOUR).raise(key('a'), NOW + 1_000 * HOUR, '192.0.2.1')
  const floors = new Floors(map, () => NOW)
  assert.equal(floors.of(key('a')), 0)
  floors.raise(key('a'), NOW, '192.0.2.1')
  assert.equal(floors.of(key('a')), NOW)
})

test('one source that brings many keys displaces its own floors only', () => {
  const map = new PersistentMap()
  const floors = new Floors(map, () => NOW)
  floors.raise(key('mine'), NOW, '192.0.2.1')
  for (let n = 0; n < 2 * MAX_FLOORS; n++) floors.raise(key(n), NOW, '198.51.100.1')
  assert.equal(floors.size, MAX_FLOORS)
  assert.equal(map.size, MAX_FLOORS)
  assert.equal(floors.of(key('mine')), NOW)
  assert.equal(floors.of(key(0)), 0)
  // Also in the next run: whose they are is remembered.
  const next = new Floors(map, () => NOW)
  for (let n = 0; n < MAX_FLOORS; n++) next.raise(key(`again ${n}`), NOW, '198.51.100.1')
  assert.equal(next.of(key('mine')), NOW)
})

test('what is too old makes room before anything is displaced', () => {
  let now = NOW
  const floors = new Floors(new PersistentMap(), () => now)
  for (let n = 0; n < MAX_FLOORS; n++) floors.raise(key(n), NOW, '192.0.2.1')
  now += FLOOR_LIFETIME_MS
  floors.raise(key('new'), now, '192.0.2.1')
  assert.equal(floors.size, 1)
})

test('what is no floor on the disk is removed', () => {
  const map = new PersistentMap()
  map.set('/floors/short', Uint8Array.of(1, 2))
  map.set('/floors/large', new Uint8Array(8).fill(255))
  assert.equal(new Floors(map, () => NOW).size, 0)
  assert.equal(map.size, 0)
})
