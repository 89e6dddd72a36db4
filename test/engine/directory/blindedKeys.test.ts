import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type PublicKey, publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { elapsed, HOUR, type Now } from '../../../src/base/time.js'
import type { RecordSealing } from '../../../src/crypto/sealedRecord.js'
import { BlindedKeys } from '../../../src/engine/directory/blindedKeys.js'
import { periodOf } from '../../../src/wire/period.js'
import { keyBeginningWith, testNode } from '../nodes.js'
import { nowAt, START, sleepUntil, UNIX_START } from '../virtualTime.js'

const TODAY = periodOf(UNIX_START)

describe('the keys of an author', () => {
  it('are those of the periods that are read now, and are computed once', () => {
    const { sealing, computed } = counted()
    const keys = new BlindedKeys(sealing)
    const [author] = authors(1)
    assert.ok(author)
    keys.add(author, START)
    assert.deepEqual(keys.of(author, nowAt(0).unix), [keyOf(author, TODAY)])
    const around = [keyOf(author, TODAY), keyOf(author, TODAY + 1)]
    assert.deepEqual(keys.of(author, nowAt(15 * HOUR).unix), around)
    assert.deepEqual(keys.of(author, nowAt(16 * HOUR - 1).unix), around)
    assert.equal(computed.count, 2)
  })

  it('are none for a key that has no point on the curve', () => {
    const { sealing } = testNode(1)
    const keys = new BlindedKeys(sealing)
    const pointless = keyBeginningWith([2])
    keys.add(pointless, START)
    assert.deepEqual(keys.of(pointless, UNIX_START), [])
  })
})

describe('whose a gossiped record is', () => {
  it('is not asked, and costs nothing, while no gossip is heard', () => {
    const { keys, computed } = filled(20)
    keys.wake(nowAt(0))
    assert.equal(keys.nextWake, undefined)
    assert.equal(computed.count, 0)
  })

  it('is known after a while, three computed at a time', () => {
    const { keys, all, computed } = filled(20)
    keys.want(true, START)
    const wakes: number[] = []
    sleepUntil(keys, 0, HOUR, (ms) => {
      const before = computed.count
      keys.wake(nowAt(ms))
      assert.ok(computed.count - before <= 3)
      wakes.push(ms)
    })
    assert.deepEqual(wakes, [0, 25, 50, 75, 100, 125, 150])
    for (const author of all) assert.equal(keys.find(keyOf(author, TODAY)), author)
    assert.equal(keys.find(keyOf(all[0] as PublicKey, TODAY + 1)), undefined)
  })

  it('is known of a peer that came later, and not of one that went', () => {
    const { keys, all } = filled(3)
    keys.want(true, START)
    keys.wake(nowAt(0))
    const [late] = authors(1, 50)
    const [gone] = all
    assert.ok(late && gone)
    keys.add(late, nowAt(1_000).instant)
    keys.remove(gone)
    keys.wake(nowAt(1_000))
    assert.equal(keys.find(keyOf(late, TODAY)), late)
    assert.equal(keys.find(keyOf(gone, TODAY)), undefined)
  })

  it('is known for the periods that are read, at all times of three days, and never for others', () => {
    const { keys, all, computed } = filled(5)
    const [author] = all
    assert.ok(author)
    keys.want(true, START)
    for (let hour = 0; hour <= 72; hour++) {
      for (let ms = 0; ms < 100; ms += 25) keys.wake(nowAt(hour * HOUR + ms))
      const read = new Set([-2, 0, 2].map((skew) => periodOf(nowAt((hour + skew) * HOUR).unix)))
      for (let period = TODAY - 2; period <= TODAY + 5; period++)
        assert.equal(keys.find(keyOf(author, period)), read.has(period) ? author : undefined)
    }
    // Each key of the four days, once.
    assert.equal(computed.count, 5 * 4)
  })

  it('has the node woken a few times a day only', () => {
    const { keys } = filled(3)
    keys.want(true, START)
    let wakes = 0
    sleepUntil(keys, 0, 72 * HOUR, (ms) => {
      keys.wake(nowAt(ms))
      wakes += 1
    })
    assert.ok(wakes <= 20, `${wakes} times`)
  })

  it('is not known any sooner for being woken early', () => {
    const { keys } = filled(50)
    keys.want(true, START)
    for (const ms of [0, 10, 24]) keys.wake(nowAt(ms) as Now)
    const { nextWake } = keys
    assert.ok(nextWake !== undefined)
    assert.equal(elapsed(START, nextWake), 25)
  })
})

/** Blinds nothing, and counts. */
function counted() {
  const computed = { count: 0 }
  const sealing: Pick<RecordSealing, 'blindedKey'> = {
    blindedKey: (author, period) => {
      computed.count += 1
      return keyOf(author, period)
    },
  }
  return { sealing: sealing as RecordSealing, computed }
}

function keyOf(author: PublicKey, period: number): Uint8Array {
  return new TextEncoder().encode(`${author} ${period}`)
}

function authors(count: number, first = 1): readonly PublicKey[] {
  return Array.from({ length: count }, (_, index) =>
    publicKeyFromBytes(new Uint8Array(32).fill(first + index)),
  )
}

function filled(count: number) {
  const { sealing, computed } = counted()
  const keys = new BlindedKeys(sealing)
  const all = authors(count)
  for (const author of all) keys.add(author, START)
  return { keys, all, computed }
}
