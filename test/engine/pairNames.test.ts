import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { after, asUnixTime, HOUR, MINUTE } from '../../src/base/time.js'
import { epochOf } from '../../src/crypto/pair.js'
import { PairNames } from '../../src/engine/pairNames.js'
import { pairKeysOf, testNode } from './nodes.js'
import { UNIX_START } from './virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const CAROL = testNode(3)
/** What the peers call themselves in checks to Alice. */
const BOBS = pairKeysOf(BOB, ALICE).outgoing
const CAROLS = pairKeysOf(CAROL, ALICE).outgoing

describe('a user name of checks', () => {
  it('tells whose check it is', () => {
    const names = atAlice()
    assert.equal(names.find(BOBS.nameAt(epochOf(UNIX_START)), UNIX_START), 'bob')
    assert.equal(names.find(CAROLS.nameAt(epochOf(UNIX_START)), UNIX_START), 'carol')
  })

  it('of nobody names nobody: neither random bytes, nor our own name, nor one between others', () => {
    const names = atAlice()
    const epoch = epochOf(UNIX_START)
    const own = pairKeysOf(ALICE, BOB).outgoing.nameAt(epoch)
    const others = pairKeysOf(BOB, CAROL).outgoing.nameAt(epoch)
    for (const name of [own, others, new Uint8Array(16), new Uint8Array(0), BOBS.nameAt(epoch).slice(0, 15)])
      assert.equal(names.find(name, UNIX_START), undefined)
  })

  it('is known while clocks differ by two hours or less, and not by three and more', () => {
    const moments = fc.integer({ min: 0, max: 100 * HOUR }).map((ms) => after(UNIX_START, ms))
    const skews = fc.oneof(
      fc.integer({ min: -2 * HOUR, max: 2 * HOUR }),
      fc.integer({ min: 3 * HOUR + 1, max: 9 * HOUR }),
      fc.integer({ min: -9 * HOUR, max: -3 * HOUR - 1 }),
    )
    const names = atAlice()
    fc.assert(
      fc.property(moments, skews, (now, skew) => {
        const name = BOBS.nameAt(epochOf(after(now, skew)))
        assert.equal(names.find(name, now), Math.abs(skew) <= 2 * HOUR ? 'bob' : undefined)
      }),
    )
  })

  it('is forgotten when its epoch has passed, and found when it has come', () => {
    const names = new PairNames<string>()
    names.add('bob', pairKeysOf(ALICE, BOB).incoming)
    const noon = asUnixTime(Math.ceil(UNIX_START / HOUR) * HOUR)
    const name = BOBS.nameAt(epochOf(noon))
    assert.equal(names.find(name, after(noon, -2 * HOUR - 1)), undefined)
    assert.equal(names.find(name, after(noon, -2 * HOUR)), 'bob')
    assert.equal(names.find(name, after(noon, 59 * MINUTE)), 'bob')
    assert.equal(names.find(name, after(noon, 3 * HOUR - 1)), 'bob')
    assert.equal(names.find(name, after(noon, 3 * HOUR)), undefined)
    // The wall clock may jump back.
    assert.equal(names.find(name, noon), 'bob')
  })

  it('is known as soon as its owner is, and no longer than it', () => {
    const names = new PairNames<string>()
    const name = BOBS.nameAt(epochOf(UNIX_START))
    assert.equal(names.find(name, UNIX_START), undefined)
    names.add('bob', pairKeysOf(ALICE, BOB).incoming)
    assert.equal(names.find(name, UNIX_START), 'bob')
    names.add('carol', pairKeysOf(ALICE, CAROL).incoming)
    names.remove('bob')
    assert.equal(names.find(name, UNIX_START), undefined)
    assert.equal(names.find(CAROLS.nameAt(epochOf(UNIX_START)), UNIX_START), 'carol')
  })
})

function atAlice(): PairNames<string> {
  const names = new PairNames<string>()
  names.add('bob', pairKeysOf(ALICE, BOB).incoming)
  names.add('carol', pairKeysOf(ALICE, CAROL).incoming)
  return names
}
