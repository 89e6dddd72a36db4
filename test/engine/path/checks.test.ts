import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { epochOf } from '../../../src/crypto/pair.js'
import {
  candidatePriority,
  encodeCheck,
  encodeCheckAnswer,
  encodeUnknownAttributes,
} from '../../../src/engine/path/checks.js'
import { verifyIntegrity } from '../../../src/wire/stun/integrity.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { pairKeysOf, testNode } from '../nodes.js'
import { UNIX_START } from '../virtualTime.js'
import { remote } from './machines.js'
import { readStun } from './stunMessages.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const ALICES = pairKeysOf(ALICE, BOB)
const BOBS = pairKeysOf(BOB, ALICE)
const ID = new Uint8Array(12).fill(7)

describe('a check', () => {
  it("is a Binding request under the pair's name of this hour and direction", () => {
    const check = readStun(encodeCheck(ALICES, ID, false, UNIX_START))
    assert.equal(check.messageClass, 'request')
    assert.equal(check.method, BINDING)
    assert.deepEqual(check.transactionId, ID)
    assert.deepEqual(check.username, BOBS.incoming.nameAt(epochOf(UNIX_START)))
    assert.equal(check.priority, candidatePriority('peer-reflexive'))
    assert.deepEqual(check.unknownRequired, [])
  })

  it('is authenticated for its receiver, and not as if it came from there', () => {
    const check = readStun(encodeCheck(ALICES, ID, false, UNIX_START))
    assert.equal(verifyIntegrity(check, BOBS.incoming.hmac), true)
    assert.equal(verifyIntegrity(check, ALICES.incoming.hmac), false)
  })

  it('and its answer say whether a first message is held', () => {
    for (const holds of [true, false]) {
      const check = readStun(encodeCheck(ALICES, ID, holds, UNIX_START))
      assert.equal(check.holdsFirstMessage ?? false, holds)
      const answer = readStun(encodeCheckAnswer(BOBS, check, remote(1), holds))
      assert.equal(answer.holdsFirstMessage ?? false, holds)
    }
  })

  it('is as long as it is to be, authenticated and read as any other, and its answer is short', () => {
    const plain = encodeCheck(ALICES, ID, false, UNIX_START)
    for (const size of [plain.length + 4, 508, 1_452]) {
      const padded = encodeCheck(ALICES, ID, false, UNIX_START, size)
      assert.equal(padded.length, size)
      const check = readStun(padded)
      assert.equal(verifyIntegrity(check, BOBS.incoming.hmac), true)
      assert.deepEqual(check.unknownRequired, [])
      assert.ok(encodeCheckAnswer(BOBS, check, remote(1), false).length < plain.length)
    }
  })

  it('is answered under its own id and key, with where it came from', () => {
    const check = readStun(encodeCheck(ALICES, ID, true, UNIX_START))
    const answer = readStun(encodeCheckAnswer(BOBS, check, remote(1), false))
    assert.equal(answer.messageClass, 'success')
    assert.equal(answer.method, BINDING)
    assert.deepEqual(answer.transactionId, ID)
    assert.deepEqual(answer.mappedAddress, remote(1))
    assert.equal(verifyIntegrity(answer, ALICES.outgoing.hmac), true)
    assert.equal(verifyIntegrity(answer, ALICES.incoming.hmac), false)
  })

  it('with attributes that we had to understand is answered with 420 and their names', () => {
    const check = {
      ...readStun(encodeCheck(ALICES, ID, false, UNIX_START)),
      unknownRequired: [0x0033, 0x7ffe],
    }
    const answer = readStun(encodeUnknownAttributes(check, BOBS))
    assert.equal(answer.messageClass, 'error')
    assert.equal(answer.error?.code, 420)
    assert.deepEqual(answer.unknownAttributes, [0x0033, 0x7ffe])
    assert.equal(verifyIntegrity(answer, ALICES.outgoing.hmac), true)
    const plain = readStun(encodeUnknownAttributes(check, undefined))
    assert.equal(plain.integrity, undefined)
    assert.equal(plain.error?.code, 420)
  })
})

describe('the priority of a candidate', () => {
  it('is that of RFC 8445 section 5.1.2.1', () => {
    assert.equal(candidatePriority('host'), 2 ** 24 * 126 + 2 ** 8 * 65_535 + (256 - 1))
    assert.equal(candidatePriority('relayed'), 2 ** 8 * 65_535 + (256 - 1))
  })

  it('orders types as section 5.1.2.2 recommends', () => {
    const types = ['host', 'mapped', 'peer-reflexive', 'server-reflexive', 'relayed'] as const
    const priorities = types.map(candidatePriority)
    assert.deepEqual(
      priorities,
      [...priorities].sort((a, b) => b - a),
    )
    assert.equal(new Set(priorities).size, types.length)
    assert.equal(candidatePriority('configured'), candidatePriority('host'))
  })
})
