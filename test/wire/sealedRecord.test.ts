import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat } from 'uint8arrays'
import { drop, isDropped } from '../../src/base/drops.js'
import { asUnixTime, HOUR } from '../../src/base/time.js'
import { PERIOD, periodOf, periodStart } from '../../src/wire/period.js'
import { MAX_RECORD_LENGTH } from '../../src/wire/record.js'
import {
  decodeSealedContent,
  decodeSealedRecord,
  encodeSealedContent,
  encodeSealedRecord,
  headOfSealedRecord,
  SEALED_CONTENT_LENGTH,
  SEALED_RECORD_LENGTH,
  SEALED_RECORD_LIFETIME,
  type SealedRecord,
  signedPartOfSealedRecord,
  untimely,
} from '../../src/wire/sealedRecord.js'
import { bytes, mutated, plain, uint32 } from './arbitraries.js'

describe('sealed records', () => {
  it('have these very bytes, both ways', () => {
    assert.equal(GOLDEN.length, SEALED_RECORD_LENGTH)
    assert.deepEqual(encodeSealedRecord(SEALED), GOLDEN)
    assert.deepEqual(decodeSealedRecord(GOLDEN), SEALED)
    assert.deepEqual(headOfSealedRecord(GOLDEN), GOLDEN.slice(0, 61))
    assert.deepEqual(signedPartOfSealedRecord(GOLDEN), GOLDEN.slice(0, 1472))
  })

  it('survive the way there and back, also within a larger buffer', () => {
    fc.assert(
      fc.property(sealedRecords, fc.nat({ max: 9 }), (sealed, at) => {
        const encoded = encodeSealedRecord(sealed)
        assert.equal(encoded.length, SEALED_RECORD_LENGTH)
        const larger = concat([new Uint8Array(at), encoded, new Uint8Array(at)])
        assert.deepEqual(decodeSealedRecord(larger.subarray(at, at + SEALED_RECORD_LENGTH)), sealed)
      }),
    )
  })

  it('decode to what encodes to the same bytes, or are dropped, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.oneof(bytes(SEALED_RECORD_LENGTH), fc.uint8Array(), mutated(GOLDEN)), (any) => {
        const decoded = decodeSealedRecord(any)
        if (!isDropped(decoded)) assert.deepEqual(encodeSealedRecord(decoded), any)
      }),
    )
  })

  it('of another length or version, or with a sequence that is none, are dropped', () => {
    for (const length of [0, 1, SEALED_RECORD_LENGTH - 1])
      assert.equal(decodeSealedRecord(GOLDEN.slice(0, length)), drop('record-malformed'))
    assert.equal(decodeSealedRecord(concat([GOLDEN, new Uint8Array(1)])), drop('record-malformed'))
    for (const version of [0, 2, 255])
      assert.equal(decodeSealedRecord(changed(GOLDEN, 0, version)), drop('record-unknown-version'))
    // 2^53, and zero.
    assert.equal(decodeSealedRecord(changed(GOLDEN, 5, 0, 0x20, 0, 0, 0, 0, 0, 0)), drop('record-malformed'))
    assert.equal(decodeSealedRecord(changed(GOLDEN, 5, 0, 0, 0, 0, 0, 0, 0, 0)), drop('record-malformed'))
  })

  it('with a field of a wrong form are not encoded', () => {
    const wrong: readonly Partial<SealedRecord>[] = [
      { period: -1 },
      { period: 1.5 },
      { period: 2 ** 32 },
      { sequence: 0 },
      { sequence: 1.5 },
      { sequence: 2 ** 53 },
      { blindedKey: new Uint8Array(31) },
      { salt: new Uint8Array(17) },
      { sealedContent: new Uint8Array(SEALED_CONTENT_LENGTH) },
      { signature: new Uint8Array(63) },
      // As long as it is to be, with the border elsewhere.
      { sealedContent: new Uint8Array(1410), signature: new Uint8Array(65) },
    ]
    for (const change of wrong)
      assert.throws(
        () => encodeSealedRecord({ ...SEALED, ...change }),
        RangeError,
        Object.keys(change).join(),
      )
  })
})

describe('the content of a sealed record', () => {
  it('is always as long, and gives the signed record back', () => {
    fc.assert(
      fc.property(signedRecords, (signedRecord) => {
        const content = encodeSealedContent(signedRecord)
        assert.equal(content.length, SEALED_CONTENT_LENGTH)
        assert.deepEqual(decodeSealedContent(content), signedRecord)
        assert.ok(content.subarray(2 + signedRecord.length).every((byte) => byte === 0))
      }),
    )
  })

  it('has room for the largest signed record, and for none that is larger or empty', () => {
    assert.deepEqual(
      decodeSealedContent(encodeSealedContent(new Uint8Array(MAX_RECORD_LENGTH).fill(7))),
      new Uint8Array(MAX_RECORD_LENGTH).fill(7),
    )
    for (const length of [0, MAX_RECORD_LENGTH + 1])
      assert.throws(() => encodeSealedContent(new Uint8Array(length)), RangeError)
  })

  it('is dropped where it is of another length, or says a length that it cannot have', () => {
    const content = encodeSealedContent(Uint8Array.of(1))
    assert.equal(decodeSealedContent(content.subarray(1)), drop('record-malformed'))
    assert.equal(decodeSealedContent(new Uint8Array(0)), drop('record-malformed'))
    assert.equal(decodeSealedContent(changed(content, 0, 0, 0)), drop('record-malformed'))
    // 1394.
    assert.equal(decodeSealedContent(changed(content, 0, 0x05, 0x72)), drop('record-malformed'))
    assert.equal(decodeSealedContent(changed(content, 0, 0xff, 0xff)), drop('record-malformed'))
  })
})

describe('the times of a sealed record', () => {
  const noon = asUnixTime(periodStart(20_833) + 12 * HOUR)
  const today = { period: 20_833, sequence: noon }

  it('are right for this period and the next one, by a clock that may be two hours off', () => {
    const judged = (period: number, now: number) => untimely({ period, sequence: now }, asUnixTime(now))
    assert.equal(judged(20_833, noon), undefined)
    assert.equal(judged(20_834, noon), undefined)
    assert.equal(judged(20_832, noon), drop('record-wrong-period'))
    assert.equal(judged(20_835, noon), drop('record-wrong-period'))
    assert.equal(judged(20_832, noon - 10 * HOUR - 1), undefined)
    assert.equal(judged(20_832, noon - 10 * HOUR), drop('record-wrong-period'))
    assert.equal(judged(20_835, noon + 10 * HOUR), undefined)
    assert.equal(judged(20_835, noon + 10 * HOUR - 1), drop('record-wrong-period'))
  })

  it('are right from two hours ahead to less than four hours ago', () => {
    const judged = (offset: number) => untimely({ ...today, sequence: noon + offset }, noon)
    assert.equal(judged(2 * HOUR), undefined)
    assert.equal(judged(2 * HOUR + 1), drop('record-from-future'))
    assert.equal(judged(1 - SEALED_RECORD_LIFETIME), undefined)
    assert.equal(judged(-SEALED_RECORD_LIFETIME), drop('record-expired'))
    assert.equal(judged(Number.MAX_SAFE_INTEGER - noon), drop('record-from-future'))
  })

  it('are right for a storer whenever its clock and the author’s differ by no more than two hours', () => {
    const skews = fc.integer({ min: -2 * HOUR, max: 2 * HOUR })
    fc.assert(
      fc.property(fc.integer({ min: PERIOD, max: 4e12 }), skews, fc.boolean(), (now, skew, next) => {
        const sequence = now + skew
        const period = periodOf(asUnixTime(sequence)) + (next ? 1 : 0)
        const judged = untimely({ period, sequence }, asUnixTime(now))
        assert.equal(judged, undefined)
      }),
    )
  })
})

const SEALED: SealedRecord = {
  period: 0x01020304,
  sequence: 0x00_0a_0b_0c_0d_0e_0f_10,
  blindedKey: new Uint8Array(32).fill(0x11),
  salt: new Uint8Array(16).fill(0x22),
  sealedContent: new Uint8Array(1411).fill(0x33),
  signature: new Uint8Array(64).fill(0x44),
}

/** {@link SEALED}, written by hand. */
const GOLDEN = concat([
  Uint8Array.of(1, 0x01, 0x02, 0x03, 0x04, 0x00, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10),
  new Uint8Array(32).fill(0x11),
  new Uint8Array(16).fill(0x22),
  new Uint8Array(1395 + 16).fill(0x33),
  new Uint8Array(64).fill(0x44),
])

const sealedRecords = plain<SealedRecord>({
  period: uint32,
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  blindedKey: bytes(32),
  salt: bytes(16),
  sealedContent: bytes(1411),
  signature: bytes(64),
})

const signedRecords = fc.uint8Array({ minLength: 1, maxLength: MAX_RECORD_LENGTH, size: 'max' })

function changed(original: Uint8Array, at: number, ...values: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(original)
  copy.set(values, at)
  return copy
}
