import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as toText } from 'uint8arrays'
import { drop } from '../../../src/base/drops.js'
import { publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { after, HOUR } from '../../../src/base/time.js'
import {
  admitRecord,
  admitStoredRecord,
  peerOfRecordKey,
  RECORD_SKEW_MS,
  recordKey,
} from '../../../src/engine/directory/admission.js'
import { MAX_RECORD_LENGTH } from '../../../src/wire/record.js'
import { recordOf, signedRecordOf, testNode } from '../nodes.js'
import { UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const AHEAD = after(UNIX_START, RECORD_SKEW_MS)
const publicKeys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(publicKeyFromBytes)

describe('a record', () => {
  it('is believed from its issue to its expiry', () => {
    const record = signedRecordOf(ALICE)
    assert.deepEqual(admitRecord(record, UNIX_START), recordOf(ALICE))
    assert.deepEqual(admitRecord(record, after(UNIX_START, 2 * HOUR - 1)), recordOf(ALICE))
  })

  it('is dropped once it has expired', () => {
    const record = signedRecordOf(ALICE)
    assert.equal(admitRecord(record, after(UNIX_START, 2 * HOUR)), drop('record-expired'))
  })

  it('is dropped where it was issued more than two hours ahead of our clock', () => {
    const expiresAt = after(AHEAD, HOUR)
    const ahead = signedRecordOf(ALICE, { issuedAt: AHEAD, expiresAt })
    assert.deepEqual(admitRecord(ahead, UNIX_START), recordOf(ALICE, { issuedAt: AHEAD, expiresAt }))
    const further = signedRecordOf(ALICE, { issuedAt: after(AHEAD, 1), expiresAt })
    assert.equal(admitRecord(further, UNIX_START), drop('record-from-future'))
  })

  it('is dropped where its sequence, which is a time as well, is', () => {
    assert.deepEqual(
      admitRecord(signedRecordOf(ALICE, { sequence: AHEAD }), UNIX_START),
      recordOf(ALICE, { sequence: AHEAD }),
    )
    const further = signedRecordOf(ALICE, { sequence: AHEAD + 1 })
    assert.equal(admitRecord(further, UNIX_START), drop('record-from-future'))
  })

  it('is dropped where it is too long, does not decode, or was altered', () => {
    assert.equal(admitRecord(new Uint8Array(MAX_RECORD_LENGTH + 1), UNIX_START), drop('record-too-large'))
    assert.equal(admitRecord(new Uint8Array(0), UNIX_START), drop('record-malformed'))
    const altered = signedRecordOf(ALICE)
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1
    assert.equal(admitRecord(altered, UNIX_START), drop('record-bad-signature'))
  })
})

describe('the key of a record in the DHT', () => {
  it('names its peer', () => {
    fc.assert(
      fc.property(publicKeys, (key) => {
        assert.equal(peerOfRecordKey(recordKey(key)), key)
      }),
    )
  })

  it('has three parts, of which the second names the validator', () => {
    const parts = toText(recordKey(ALICE.publicKey)).split('/')
    assert.deepEqual(parts.slice(0, 2), ['', 'record'])
    assert.equal(parts.length, 3)
  })

  it('is in one spelling only, and nothing else is one', () => {
    const text = toText(recordKey(ALICE.publicKey))
    for (const other of [
      '',
      '/record/',
      `${text}=`,
      text.slice(1),
      text.slice(0, -1),
      `${text}/`,
      `/x${text}`,
    ])
      assert.equal(peerOfRecordKey(fromString(other)), undefined, other)
    // 43 characters carry two bits too many.
    const tail = text.at(-1) === 'B' ? 'C' : 'B'
    assert.equal(peerOfRecordKey(fromString(text.slice(0, -1) + tail)), undefined)
  })

  it('is never thrown at by what it is not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        assert.equal(peerOfRecordKey(bytes), undefined)
      }),
    )
  })
})

describe('a record in the DHT', () => {
  it('is believed under the key of its author only', () => {
    const record = signedRecordOf(ALICE)
    assert.deepEqual(admitStoredRecord(recordKey(ALICE.publicKey), record, UNIX_START), recordOf(ALICE))
    for (const key of [recordKey(BOB.publicKey), fromString('/record/'), fromString('/pk/x')])
      assert.equal(admitStoredRecord(key, record, UNIX_START), drop('record-wrong-author'))
  })

  it('is dropped for what any record is dropped for', () => {
    const key = recordKey(ALICE.publicKey)
    const late = after(UNIX_START, 2 * HOUR)
    assert.equal(admitStoredRecord(key, signedRecordOf(ALICE), late), drop('record-expired'))
    assert.equal(admitStoredRecord(key, new Uint8Array(3), UNIX_START), drop('record-malformed'))
  })
})
