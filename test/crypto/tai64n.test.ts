import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asUnixTime } from '../../src/base/time.js'
import { compareTai64n, tai64n } from '../../src/crypto/tai64n.js'
import { toHex } from './vectors.js'

test('the start of 1970 is 2^62 and the ten seconds of TAI', () => {
  assert.equal(toHex(tai64n(asUnixTime(0))), '400000000000000a00000000')
})

test('milliseconds are kept', () => {
  assert.equal(toHex(tai64n(asUnixTime(1_234))), '400000000000000b0df28e80')
})

test('timestamps are in the order of their moments', () => {
  const moments = fc.nat({ max: 4_000_000_000_000 }).map(asUnixTime)
  fc.assert(
    fc.property(moments, moments, (a, b) => {
      assert.equal(Math.sign(compareTai64n(tai64n(a), tai64n(b))), Math.sign(a - b))
    }),
  )
})
