import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { drop, isDropped } from '../../../src/base/drops.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { SECOND } from '../../../src/base/time.js'
import { computeMac1, mac1Key } from '../../../src/crypto/mac1.js'
import { Strangers } from '../../../src/engine/loopback/strangers.js'
import { mac1Of } from '../../../src/wire/wireguard.js'
import { firstMessage, testNode } from '../nodes.js'
import { at, START, UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const CAROL = testNode(3)
const SOURCE = '203.0.113.1'
const isPeer = (key: PublicKey) => key === ALICE.publicKey || key === CAROL.publicKey

describe('a first message from a stranger', () => {
  it('names the peer that made it', () => {
    const strangers = new Strangers(BOB.keys, START)
    assert.equal(strangers.identify(firstMessage(ALICE, BOB), SOURCE, isPeer, START), ALICE.publicKey)
    assert.equal(strangers.identify(firstMessage(CAROL, BOB), SOURCE, isPeer, START), CAROL.publicKey)
  })

  it('is dropped where its mac1 is not for us, before it counts against a limit', () => {
    const strangers = new Strangers(BOB.keys, START)
    const forOther = firstMessage(ALICE, CAROL)
    for (let count = 0; count < 1_000; count++)
      assert.equal(strangers.identify(forOther, SOURCE, isPeer, START), drop('wireguard-bad-mac1'))
    assert.equal(strangers.identify(firstMessage(ALICE, BOB), SOURCE, isPeer, START), ALICE.publicKey)
  })

  it('is dropped where it does not decrypt, though its mac1 is for us', () => {
    const message = firstMessage(ALICE, BOB)
    message[50] = (message[50] ?? 0) ^ 1
    mac1Of(message).set(computeMac1(mac1Key(BOB.pair.publicKey), message))
    const strangers = new Strangers(BOB.keys, START)
    assert.equal(strangers.identify(message, SOURCE, isPeer, START), drop('wireguard-unreadable'))
  })

  it('is dropped where its key is no peer of ours', () => {
    const strangers = new Strangers(BOB.keys, START)
    const message = firstMessage(testNode(4), BOB)
    assert.equal(strangers.identify(message, SOURCE, isPeer, START), drop('wireguard-unknown-peer'))
  })

  it("is dropped where it is older than that peer's last; a copy is not", () => {
    const strangers = new Strangers(BOB.keys, START)
    const older = firstMessage(ALICE, BOB, { sentAt: UNIX_START })
    const newer = firstMessage(ALICE, BOB, { sentAt: UNIX_START + 1, senderIndex: 2 })
    assert.equal(strangers.identify(older, SOURCE, isPeer, START), ALICE.publicKey)
    assert.equal(strangers.identify(newer, SOURCE, isPeer, START), ALICE.publicKey)
    assert.equal(strangers.identify(older, SOURCE, isPeer, START), drop('wireguard-replayed'))
    assert.equal(strangers.identify(newer, '203.0.113.2', isPeer, START), ALICE.publicKey)
    assert.equal(strangers.identify(firstMessage(CAROL, BOB), SOURCE, isPeer, START), CAROL.publicKey)
  })

  it('tells no time of a peer that is gone', () => {
    const strangers = new Strangers(BOB.keys, START)
    strangers.identify(firstMessage(ALICE, BOB, { sentAt: UNIX_START + 1 }), SOURCE, isPeer, START)
    strangers.forget(ALICE.publicKey)
    assert.equal(strangers.identify(firstMessage(ALICE, BOB), SOURCE, isPeer, START), ALICE.publicKey)
  })

  it('is opened ten times at once for one source, and five times a second', () => {
    const strangers = new Strangers(BOB.keys, START)
    const message = firstMessage(ALICE, BOB)
    const opened = (ms: number, source: string) =>
      strangers.identify(message, source, isPeer, at(ms)) === ALICE.publicKey
    for (let count = 0; count < 10; count++) assert.ok(opened(0, SOURCE))
    assert.equal(strangers.identify(message, SOURCE, isPeer, START), drop('wireguard-rate-limited'))
    assert.ok(opened(0, '203.0.113.2'))
    assert.ok(!opened(199, SOURCE))
    assert.ok(opened(200, SOURCE))
    assert.ok(!opened(200, SOURCE))
  })

  it('is opened 200 times a second for all sources together', () => {
    const strangers = new Strangers(BOB.keys, START)
    const message = firstMessage(ALICE, BOB)
    const flood = (ms: number) => {
      let opened = 0
      for (let host = 0; host < 300; host++) {
        const source = `198.51.${Math.floor(host / 250)}.${host % 250}`
        if (!isDropped(strangers.identify(message, source, isPeer, at(ms)))) opened++
      }
      return opened
    }
    assert.equal(flood(0), 200)
    assert.equal(flood(SECOND / 2), 100)
  })

  it('never passes in an order that goes back in time', () => {
    const times = fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 8 })
    const messages = Array.from({ length: 21 }, (_, ms) =>
      firstMessage(ALICE, BOB, { sentAt: UNIX_START + ms, seed: ms }),
    )
    fc.assert(
      fc.property(times, (order) => {
        const strangers = new Strangers(BOB.keys, START)
        let newest = -1
        for (const [index, time] of order.entries()) {
          const message = messages[time]
          assert.ok(message)
          const result = strangers.identify(message, SOURCE, isPeer, at(index * SECOND))
          assert.equal(result, time < newest ? drop('wireguard-replayed') : ALICE.publicKey)
          newest = Math.max(newest, time)
        }
      }),
      { numRuns: 30 },
    )
  })
})

describe('a first message over a path', () => {
  const older = firstMessage(ALICE, BOB, { sentAt: UNIX_START })
  const newer = firstMessage(ALICE, BOB, { sentAt: UNIX_START + 1, senderIndex: 2 })

  it("counts as its peer's newest: an older one from a stranger is a replay", () => {
    const strangers = new Strangers(BOB.keys, START)
    strangers.passed(newer, ALICE.publicKey, '203.0.113.9', START)
    assert.equal(strangers.identify(older, SOURCE, isPeer, START), drop('wireguard-replayed'))
    assert.equal(strangers.identify(newer, SOURCE, isPeer, START), ALICE.publicKey)
    assert.equal(strangers.identify(firstMessage(CAROL, BOB), SOURCE, isPeer, START), CAROL.publicKey)
  })

  it('that is older than the newest does not turn time back', () => {
    const strangers = new Strangers(BOB.keys, START)
    strangers.passed(newer, ALICE.publicKey, SOURCE, START)
    strangers.passed(older, ALICE.publicKey, SOURCE, START)
    assert.equal(strangers.identify(older, SOURCE, isPeer, START), drop('wireguard-replayed'))
  })

  it("does not count where it does not decrypt, or is another peer's", () => {
    const strangers = new Strangers(BOB.keys, START)
    const garbled = newer.slice()
    garbled[50] = (garbled[50] ?? 0) ^ 1
    strangers.passed(garbled, ALICE.publicKey, SOURCE, START)
    const carols = firstMessage(CAROL, BOB, { sentAt: UNIX_START + 1 })
    strangers.passed(carols, ALICE.publicKey, SOURCE, START)
    assert.equal(strangers.identify(older, SOURCE, isPeer, START), ALICE.publicKey)
    const earlier = firstMessage(CAROL, BOB, { sentAt: UNIX_START })
    assert.equal(strangers.identify(earlier, SOURCE, isPeer, START), CAROL.publicKey)
  })

  it('counts against the limit of its source, and is not opened beyond it', () => {
    const strangers = new Strangers(BOB.keys, START)
    for (let count = 0; count < 10; count++) strangers.passed(older, ALICE.publicKey, SOURCE, START)
    assert.equal(strangers.identify(older, SOURCE, isPeer, START), drop('wireguard-rate-limited'))
    strangers.passed(newer, ALICE.publicKey, SOURCE, START)
    assert.equal(strangers.identify(older, '203.0.113.2', isPeer, START), ALICE.publicKey)
  })
})
