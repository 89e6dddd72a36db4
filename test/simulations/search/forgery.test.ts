import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  forgedAnswer,
  forgedCheck,
  forgedData,
  forgedFirstMessage,
  forgedSecondMessage,
  junk,
} from '../../../simulations/search/forgery.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { nodeKeys } from '../../../src/crypto/nodeKeys.js'
import { verifyIntegrity } from '../../../src/wire/stun/integrity.js'
import { decodeStun } from '../../../src/wire/stun/message.js'
import { receiverIndex, wireguardType } from '../../../src/wire/wireguard.js'

const KEYS = nodeKeys(seededRandom(1).bytes(32))
const PEER = nodeKeys(seededRandom(2).bytes(32))

describe('a forged', () => {
  it('check is well formed, under the name that was seen, and not authentic', () => {
    const username = seededRandom(3).bytes(16)
    const check = decodeStun(forgedCheck(seededRandom(4), username))
    assert.ok(!isDropped(check))
    assert.equal(check.messageClass, 'request')
    assert.deepEqual(check.username, username)
    const pair = KEYS.pairKeys(PEER.publicKey)
    assert.ok(pair !== undefined && !verifyIntegrity(check, pair.incoming.hmac))
  })

  it('answer is well formed, to the transaction that was seen, and not authentic', () => {
    const transactionId = seededRandom(3).bytes(12)
    const answer = decodeStun(forgedAnswer(seededRandom(4), transactionId))
    assert.ok(!isDropped(answer))
    assert.equal(answer.messageClass, 'success')
    assert.deepEqual(answer.transactionId, transactionId)
    const pair = KEYS.pairKeys(PEER.publicKey)
    assert.ok(pair !== undefined && !verifyIntegrity(answer, pair.outgoing.hmac))
  })

  it('handshake message has the right mac1 and does not open', () => {
    const first = forgedFirstMessage(seededRandom(5), KEYS.publicKey)
    assert.equal(wireguardType(first), 1)
    assert.ok(KEYS.mac1IsForUs(first) && !PEER.mac1IsForUs(first))
    assert.ok(isDropped(KEYS.openInitiation(first)))
    const second = forgedSecondMessage(seededRandom(5), KEYS.publicKey, 77)
    assert.equal(wireguardType(second), 2)
    assert.ok(KEYS.mac1IsForUs(second))
    assert.equal(receiverIndex(second), 77)
  })

  it('data names the session that was seen', () => {
    const data = forgedData(seededRandom(6), 123_456)
    assert.equal(wireguardType(data), 4)
    assert.equal(receiverIndex(data), 123_456)
  })
})

describe('junk', () => {
  it('is of every kind, and throws nobody', () => {
    const random = seededRandom(7)
    const types = new Set<unknown>()
    for (let turn = 0; turn < 500; turn++) {
      const bytes = junk(random)
      types.add(wireguardType(bytes))
      assert.doesNotThrow(() => decodeStun(bytes))
    }
    assert.ok(types.has(undefined) && types.has(4))
  })

  it('is the same from the same randomness', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => assert.deepEqual(junk(seededRandom(seed)), junk(seededRandom(seed)))),
    )
  })
})
