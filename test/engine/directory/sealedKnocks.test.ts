import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { drop, isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, HOUR } from '../../../src/base/time.js'
import { SealedKnocks } from '../../../src/engine/directory/sealedKnocks.js'
import { pairKeysOf, signedRecordOf, testNode } from '../nodes.js'
import { UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const CAROL = testNode(3)
const KNOCK = { version: 1, signedRecord: signedRecordOf(BOB) } as const

let alices: SealedKnocks
let bobs: SealedKnocks

beforeEach(() => {
  alices = knocksOf(ALICE, BOB)
  bobs = knocksOf(BOB, ALICE, CAROL)
})

describe('a gossiped knock', () => {
  it('tells whose it is, what it is, and brings the record', () => {
    for (const kind of ['knock', 'answer'] as const) {
      const opened = alices.open(sealed(bobs, kind), UNIX_START)
      assert.deepEqual(opened, { peer: BOB.publicKey, kind, knock: KNOCK })
    }
  })

  it('is nothing to others, nor to the one who sealed it, nor once the peer is gone', () => {
    const forCarol = bobs.seal(CAROL.publicKey, 'knock', KNOCK, UNIX_START)
    assert.ok(forCarol)
    const others = drop('knock-for-others')
    assert.equal(alices.open(forCarol, UNIX_START), others)
    const forAlice = sealed(bobs, 'knock')
    assert.equal(bobs.open(forAlice, UNIX_START), others)
    alices.remove(BOB.publicKey)
    assert.equal(alices.open(forAlice, UNIX_START), others)
    assert.equal(bobs.seal(BOB.publicKey, 'knock', KNOCK, UNIX_START), undefined)
  })

  it('is taken once, and none before it after it', () => {
    const [first, second, third] = [1, 2, 3].map(() => sealed(bobs, 'knock'))
    assert.ok(first && second && third)
    assert.equal(isDropped(alices.open(second, UNIX_START)), false)
    for (const replayed of [first, second, second])
      assert.equal(alices.open(replayed, UNIX_START), drop('knock-replayed'))
    assert.equal(isDropped(alices.open(third, UNIX_START)), false)
  })

  it('does not make an answer old that it overtook', () => {
    const [answer, knock] = [sealed(bobs, 'answer'), sealed(bobs, 'knock')]
    assert.equal(isDropped(alices.open(knock, UNIX_START)), false)
    assert.equal(isDropped(alices.open(answer, UNIX_START)), false)
  })

  it('is taken from a clock that is two hours off, and from none further', () => {
    for (const [skew, dropped] of [
      [2 * HOUR, false],
      [-2 * HOUR, false],
      [2 * HOUR + 1, true],
      [-2 * HOUR - 1, true],
    ] as const) {
      const opened = knocksOf(ALICE, BOB).open(sealed(bobs, 'knock', skew), UNIX_START)
      // Beyond the epochs that are known its name is nobody's.
      assert.equal(isDropped(opened), dropped, `${skew}`)
      if (dropped) assert.ok(opened === drop('knock-stale') || opened === drop('knock-for-others'))
      bobs = knocksOf(BOB, ALICE)
    }
  })

  it("is taken again once a clock is right that was a day ahead, the sender's or the receiver's", () => {
    sealed(bobs, 'knock', 24 * HOUR)
    assert.equal(isDropped(alices.open(sealed(bobs, 'knock'), UNIX_START)), false)
    bobs = knocksOf(BOB, ALICE)
    const early = sealed(bobs, 'knock', 24 * HOUR)
    assert.equal(isDropped(alices.open(early, after(UNIX_START, 24 * HOUR))), false)
    assert.equal(isDropped(alices.open(sealed(bobs, 'knock', 1), UNIX_START)), false)
  })

  it('with any bit changed is dropped, and costs the true one nothing', () => {
    const knock = sealed(bobs, 'knock')
    fc.assert(
      fc.property(fc.nat({ max: 8 * knock.length - 1 }), (bit) => {
        const altered = knock.slice()
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.ok(isDropped(alices.open(altered, UNIX_START)))
      }),
    )
    for (const length of [0, 16, 1_784, 1_785, 1_786])
      assert.ok(isDropped(alices.open(seededRandom(1).bytes(length), UNIX_START)))
    assert.equal(isDropped(alices.open(knock, UNIX_START)), false)
  })
})

function knocksOf(own: typeof ALICE, ...peers: readonly (typeof ALICE)[]): SealedKnocks {
  const knocks = new SealedKnocks(seededRandom(1))
  for (const peer of peers) knocks.add(peer.publicKey, pairKeysOf(own, peer))
  return knocks
}

function sealed(knocks: SealedKnocks, kind: 'knock' | 'answer', ms = 0): Uint8Array {
  const bytes = knocks.seal(ALICE.publicKey, kind, KNOCK, after(UNIX_START, ms))
  assert.ok(bytes)
  return bytes
}
