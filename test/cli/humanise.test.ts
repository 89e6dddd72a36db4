import assert from 'node:assert/strict'
import { test } from 'node:test'
import { humaniseAge, humaniseBytes, humaniseSeconds } from '../../src/cli/humanise.js'

test('durations are spelled as wg spells them', () => {
  const spelled: readonly (readonly [number, string])[] = [
    [0, '0 seconds'],
    [0.9, '0 seconds'],
    [1, '1 second'],
    [60, '1 minute'],
    [3_661.5, '1 hour, 1 minute, 1 second'],
    [172_800, '2 days'],
    [31_536_000 + 7_200, '1 year, 2 hours'],
    [-1, '0 seconds'],
  ]
  for (const [seconds, text] of spelled) assert.equal(humaniseSeconds(seconds), text)
  assert.equal(humaniseAge(0.5), 'now')
  assert.equal(humaniseAge(61), '1 minute, 1 second ago')
})

test('bytes are given in binary units with two decimals, as wg gives them', () => {
  const spelled: readonly (readonly [number, string])[] = [
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.00 KiB'],
    [1_572_864, '1.50 MiB'],
    [2 ** 40 * 3, '3.00 TiB'],
    [2 ** 50, '1024.00 TiB'],
  ]
  for (const [bytes, text] of spelled) assert.equal(humaniseBytes(bytes), text)
})
