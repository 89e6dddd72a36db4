import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type PublicKey, publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { Freshness } from '../../../src/engine/directory/freshness.js'
import type { PeerRecord } from '../../../src/wire/record.js'
import { recordOf, testNode } from '../nodes.js'
import { nowAt, START, sleepUntil, UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)

describe('a peer without a record', () => {
  it('is looked up once we have joined the mesh, and ever more rarely after', () => {
    const { freshness, lookUps } = withPeers(1)
    assert.deepEqual(lookUps(0, HOUR), [])
    freshness.setOnline(true, nowAt(HOUR))
    const times = lookUps(HOUR, 12 * HOUR).map(({ ms }) => ms)
    assert.equal(times[0], HOUR)
    const waits = times.slice(1).map((ms, index) => ms - (times[index] ?? 0))
    const expected = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((minutes) => minutes * MINUTE)
    for (const [index, most] of expected.entries()) {
      const wait = waits[index] ?? 0
      assert.ok(wait <= most && wait > 0.8 * most - 1, `${index}: ${wait}`)
    }
  })

  it('is looked up at once when we join again', () => {
    const { freshness, lookUps } = withPeers(1)
    freshness.setOnline(true, nowAt(0))
    lookUps(0, 3 * HOUR)
    freshness.setOnline(false, nowAt(3 * HOUR))
    assert.equal(freshness.nextWake, undefined)
    assert.deepEqual(lookUps(3 * HOUR, 4 * HOUR), [])
    freshness.setOnline(true, nowAt(4 * HOUR))
    assert.equal(lookUps(4 * HOUR, 4 * HOUR + 1).length, 1)
  })
})

describe('many peers', () => {
  it('are looked up one after the other, four a second', () => {
    const { freshness, lookUps } = withPeers(40)
    freshness.setOnline(true, nowAt(0))
    const found = lookUps(0, 30 * SECOND)
    assert.equal(new Set(found.map(({ peer }) => peer)).size, 40)
    assert.deepEqual(
      found.map(({ ms }) => ms),
      found.map((_, index) => 250 * index),
    )
  })

  it('are looked up in another order each time', () => {
    const { freshness, lookUps } = withPeers(40)
    const orders = [0, HOUR].map((ms) => {
      freshness.setOnline(false, nowAt(ms))
      freshness.setOnline(true, nowAt(ms))
      return lookUps(ms, ms + 10 * SECOND).map(({ peer }) => peer)
    })
    assert.notDeepEqual(orders[0], orders[1])
    assert.deepEqual(orders[0]?.slice().sort(), orders[1]?.slice().sort())
  })

  it('are never looked up faster, whatever becomes known, comes and goes', () => {
    const steps = fc.array(
      fc.tuple(
        fc.nat({ max: 2 * MINUTE }),
        fc.nat({ max: 9 }),
        fc.constantFrom('known', 'add', 'remove', 'on', 'off'),
      ),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(steps, (taken) => {
        const { freshness, lookUps, peers, records } = withPeers(10)
        freshness.setOnline(true, nowAt(0))
        let now = 0
        const times: number[] = []
        for (const [gap, index, what] of taken) {
          times.push(...lookUps(now, now + gap).map(({ ms }) => ms))
          now += gap
          const peer = peers[index] as PublicKey
          if (what === 'known') {
            records.set(peer, recordOf(ALICE, { sequence: UNIX_START + now + 1 }))
            freshness.recordKnown(peer, nowAt(now))
          } else if (what === 'add') freshness.add(peer, nowAt(now))
          else if (what === 'remove') freshness.remove(peer)
          else freshness.setOnline(what === 'on', nowAt(now))
        }
        times.push(...lookUps(now, now + HOUR).map(({ ms }) => ms))
        for (const [index, ms] of times.entries())
          if (index > 0) assert.ok(ms - (times[index - 1] ?? 0) >= 250)
      }),
      { numRuns: 50 },
    )
  })
})

describe('a peer whose record is known', () => {
  it('is looked up when less than half of its life is left, sooner by up to a fifth, each at a time of its own', () => {
    const waits = Array.from({ length: 50 }, (_, seed) => {
      const { freshness, lookUps, peers, records } = withPeers(1, seed)
      const [peer] = peers
      assert.ok(peer)
      records.set(peer, recordOf(ALICE, { expiresAt: after(UNIX_START, 4 * HOUR) }))
      freshness.setOnline(true, nowAt(0))
      return lookUps(0, 3 * HOUR)[0]?.ms ?? 0
    })
    assert.ok(Math.max(...waits) <= 2 * HOUR && Math.min(...waits) >= 1.6 * HOUR)
    assert.ok(new Set(waits).size > 40)
  })

  it('has its time begin anew with each newer record, and not with the same one', () => {
    const { freshness, lookUps, peers, records } = withPeers(1)
    const [peer] = peers
    assert.ok(peer)
    freshness.setOnline(true, nowAt(0))
    for (let ms = 0; ms < 5 * HOUR; ms += HOUR) {
      const issuedAt = after(UNIX_START, ms)
      records.set(
        peer,
        recordOf(ALICE, { sequence: issuedAt, issuedAt, expiresAt: after(issuedAt, 4 * HOUR) }),
      )
      freshness.recordKnown(peer, nowAt(ms))
      assert.deepEqual(lookUps(ms, ms + HOUR - 1), [])
    }
    for (let ms = 4 * HOUR; ms < 5 * HOUR; ms += 10 * MINUTE) freshness.recordKnown(peer, nowAt(ms))
    assert.ok(lookUps(5 * HOUR, 6 * HOUR).length > 0)
  })

  it('is tried ever more rarely where the record stays as it is, be it expired or not', () => {
    const { freshness, peers, records } = withPeers(1)
    const [peer] = peers
    assert.ok(peer)
    records.set(peer, recordOf(ALICE, { expiresAt: after(UNIX_START, 4 * HOUR) }))
    freshness.setOnline(true, nowAt(0))
    let count = 0
    sleepUntil(freshness, 0, 24 * HOUR, (ms) => {
      if (freshness.next(nowAt(ms).instant) === undefined) return
      count += 1
      freshness.recordKnown(peer, nowAt(ms))
    })
    assert.ok(count >= 20 && count <= 40, `${count} look-ups`)
  })
})

/** Runs freshness with so many peers, whose records a test sets. */
function withPeers(count: number, seed = 1) {
  const peers = Array.from({ length: count }, (_, index) =>
    publicKeyFromBytes(new Uint8Array(32).fill(index + 1)),
  )
  const records = new Map<PublicKey, PeerRecord>()
  const recordOfPeer = (peer: PublicKey) => records.get(peer)
  const freshness = new Freshness(seededRandom(seed), recordOfPeer, START)
  for (const peer of peers) freshness.add(peer, nowAt(0))
  const lookUps = (fromMs: number, untilMs: number) => {
    const found: { readonly ms: number; readonly peer: PublicKey }[] = []
    sleepUntil(freshness, fromMs, untilMs, (ms) => {
      const peer = freshness.next(nowAt(ms).instant)
      if (peer !== undefined) found.push({ ms, peer })
    })
    return found
  }
  return { freshness, peers, records, lookUps }
}
