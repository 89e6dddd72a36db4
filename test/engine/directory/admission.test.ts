import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as toText } from 'uint8arrays'
import { drop } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, HOUR } from '../../../src/base/time.js'
import {
  admitRecord,
  admitSealedRecord,
  admitStoredRecord,
  recordKey,
} from '../../../src/engine/directory/admission.js'
import { periodOf, RECORD_SKEW } from '../../../src/wire/period.js'
import { MAX_RECORD_LENGTH } from '../../../src/wire/record.js'
import { recordOf, sealedRecordOf, signedRecordOf, testNode } from '../nodes.js'
import { UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const AHEAD = after(UNIX_START, RECORD_SKEW)
const TODAY = periodOf(UNIX_START)

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
  it('has three parts, the second of which names the validator', () => {
    const parts = toText(recordKey(keyOf(ALICE))).split('/')
    assert.deepEqual(parts.slice(0, 2), ['', 'record'])
    assert.equal(parts[2], toText(keyOf(ALICE), 'base64url'))
  })

  it('is another for each author and each day', () => {
    const keys = [keyOf(ALICE), keyOf(BOB), keyOf(ALICE, TODAY + 1)].map((key) => toText(recordKey(key)))
    assert.equal(new Set(keys).size, 3)
  })
})

describe('a sealed record', () => {
  it('is stored under its own key, by those who cannot read it', () => {
    const admitted = admitStoredRecord(recordKey(keyOf(ALICE)), sealedRecordOf(ALICE), UNIX_START)
    const author = toText(keyOf(ALICE), 'base64url')
    assert.deepEqual(admitted, { author, sequence: UNIX_START })
    assert.deepEqual(admitSealedRecord(sealedRecordOf(ALICE), UNIX_START), admitted)
  })

  it('is stored under no other', () => {
    const wrong = drop('record-wrong-author')
    for (const key of [
      recordKey(keyOf(BOB)),
      recordKey(keyOf(ALICE, TODAY + 1)),
      fromString('/record/'),
      fromString('/pk/x'),
    ])
      assert.equal(admitStoredRecord(key, sealedRecordOf(ALICE), UNIX_START), wrong)
  })

  it('is admitted in its own period, the day before, and two hours more each way', () => {
    for (const [period, ms, expected] of [
      [TODAY, 0, undefined],
      [TODAY + 1, 0, undefined],
      [TODAY - 1, 0, 'record-wrong-period'],
      [TODAY + 2, 0, 'record-wrong-period'],
      // From 22:00 the day after tomorrow is the next one.
      [TODAY + 2, 14 * HOUR, undefined],
      [TODAY, 17 * HOUR, undefined],
      [TODAY, 18 * HOUR, 'record-wrong-period'],
    ] as const) {
      const now = after(UNIX_START, ms)
      const sealed = sealedRecordOf(ALICE, {}, { period, sequence: now })
      const admitted = admitSealedRecord(sealed, now)
      assert.deepEqual('dropped' in admitted ? admitted.dropped : undefined, expected, `${period} ${ms}`)
    }
  })

  it('is admitted for four hours, and no more than two ahead', () => {
    const admit = (sequence: number) => admitSealedRecord(sealedRecordOf(ALICE, {}, { sequence }), UNIX_START)
    assert.equal('author' in admit(UNIX_START - 4 * HOUR + 1), true)
    assert.equal(admit(UNIX_START - 4 * HOUR), drop('record-expired'))
    assert.equal('author' in admit(AHEAD), true)
    assert.equal(admit(AHEAD + 1), drop('record-from-future'))
  })

  it('is refused where any bit is another', () => {
    const sealed = sealedRecordOf(ALICE)
    fc.assert(
      fc.property(fc.nat({ max: 8 * sealed.length - 1 }), (bit) => {
        const altered = sealed.slice()
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.ok('dropped' in admitStoredRecord(recordKey(keyOf(ALICE)), altered, UNIX_START))
      }),
    )
    const random = seededRandom(1)
    for (const length of [0, 3, 1_535, 1_536, 1_537])
      assert.ok('dropped' in admitSealedRecord(random.bytes(length), UNIX_START))
  })
})

function keyOf({ sealing, publicKey }: typeof ALICE, period = TODAY): Uint8Array {
  const key = sealing.blindedKey(publicKey, period)
  assert.ok(key)
  return key
}
