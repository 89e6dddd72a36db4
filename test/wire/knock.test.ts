import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import {
  decodeKnock,
  decodeKnockAnswer,
  encodeKnock,
  encodeKnockAnswer,
  MAX_KNOCK_LENGTH,
} from '../../src/wire/knock.js'
import { MAX_RECORD_LENGTH } from '../../src/wire/record.js'
import { mutated } from './arbitraries.js'

const directions = {
  knocks: { encode: encodeKnock, decode: decodeKnock },
  'answers to knocks': { encode: encodeKnockAnswer, decode: decodeKnockAnswer },
}

for (const [name, { encode, decode }] of Object.entries(directions))
  describe(name, () => {
    it('have these very bytes, both ways', () => {
      const message = { version: 1 as const, signedRecord: Uint8Array.of(1, 2, 3) }
      const encoded = fromString('08011203010203', 'hex')
      assert.deepEqual(encode(message), encoded)
      assert.deepEqual(decode(encoded), message)
    })

    it('carry any record of a lawful length', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: MAX_RECORD_LENGTH }), (signedRecord) => {
          assert.deepEqual(decode(encode({ version: 1, signedRecord })), { version: 1, signedRecord })
        }),
      )
    })

    it('never throw when decoded', () => {
      const encoded = encode({ version: 1, signedRecord: new Uint8Array(40).fill(7) })
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated(encoded)), (any) => {
          const decoded = decode(any)
          if (!isDropped(decoded)) assert.deepEqual(decode(encode(decoded)), decoded)
        }),
      )
    })

    it('of another version are named so', () => {
      for (const hex of ['', '0802', '0802120101', '120101'])
        assert.deepEqual(decode(fromString(hex, 'hex')), { dropped: 'knock-unknown-version' })
    })

    it('that do not decode, or are too long, are malformed', () => {
      assert.deepEqual(decode(fromString('08011209', 'hex')), { dropped: 'knock-malformed' })
      assert.deepEqual(decode(new Uint8Array(MAX_KNOCK_LENGTH + 1)), { dropped: 'knock-malformed' })
      assert.throws(() => encode({ version: 1, signedRecord: new Uint8Array(MAX_KNOCK_LENGTH) }), RangeError)
    })

    it('may have fields of a later version, which are passed over', () => {
      const later = fromString('08011203010203f80701', 'hex')
      assert.deepEqual(decode(later), { version: 1, signedRecord: Uint8Array.of(1, 2, 3) })
    })
  })
