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
  type RelayedSession,
} from '../../src/wire/knock.js'
import { MAX_RECORD_LENGTH } from '../../src/wire/record.js'
import { mutated } from './arbitraries.js'

const SESSION: RelayedSession = {
  nonce: new Uint8Array(16).fill(0x11),
  addresses: [
    { ip: '198.51.100.7', port: 40_000 },
    { ip: '2001:db8::7', port: 40_001 },
  ],
}
const ASKED: RelayedSession = { nonce: new Uint8Array(16).fill(0x22), addresses: [] }

function sessions(): fc.Arbitrary<RelayedSession> {
  const ips = fc.constantFrom('198.51.100.7', '10.0.0.1', '2001:db8::7', 'fd00::1')
  return fc.record(
    {
      nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      addresses: fc.array(
        fc.record({ ip: ips, port: fc.integer({ min: 1, max: 65_535 }) }, { noNullPrototype: true }),
        { maxLength: 2 },
      ),
    },
    { noNullPrototype: true },
  )
}

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

    it('name sessions at relays in these very bytes, both ways', () => {
      const message = { version: 1 as const, signedRecord: Uint8Array.of(1, 2, 3), relayed: [SESSION, ASKED] }
      const encoded = fromString(
        '08011203010203' +
          // a session with two addresses, and one without any
          `1a360a10${'11'.repeat(16)}120a0a04c633640710c0b80212160a1020010db800000000000000000000000710c1b802` +
          `1a120a10${'22'.repeat(16)}`,
        'hex',
      )
      assert.deepEqual(encode(message), encoded)
      assert.deepEqual(decode(encoded), message)
    })

    it('carry any record of a lawful length, and any sessions of a lawful number', () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: MAX_RECORD_LENGTH, size: 'max' }),
          fc.array(sessions(), { minLength: 1, maxLength: 4 }),
          (signedRecord, relayed) => {
            assert.deepEqual(decode(encode({ version: 1, signedRecord })), { version: 1, signedRecord })
            const message = { version: 1 as const, signedRecord, relayed }
            assert.deepEqual(decode(encode(message)), message)
          },
        ),
      )
    })

    it('with a session that breaks a rule are neither encoded nor decoded', () => {
      const signedRecord = Uint8Array.of(1)
      const loopback = { ip: '127.0.0.1', port: 1 }
      for (const relayed of [
        [SESSION, SESSION, SESSION, SESSION, SESSION],
        [{ ...SESSION, nonce: new Uint8Array(15) }],
        [{ ...SESSION, addresses: [...SESSION.addresses, ...SESSION.addresses] }],
        [{ ...SESSION, addresses: [loopback] }],
      ])
        assert.throws(() => encode({ version: 1, signedRecord, relayed }), RangeError)
      for (const hex of [
        // five sessions, a nonce of one byte, an address of the loopback, one without a port
        `1a120a10${'22'.repeat(16)}`.repeat(5),
        '1a030a0122',
        `1a1e0a10${'22'.repeat(16)}120a0a047f00000110c0b802`,
        `1a1a0a10${'22'.repeat(16)}12060a04c6336407`,
      ])
        assert.deepEqual(decode(fromString(`0801120101${hex}`, 'hex')), { dropped: 'knock-malformed' })
    })

    it('never throw when decoded', () => {
      const relayed = [SESSION, ASKED]
      const encoded = encode({ version: 1, signedRecord: new Uint8Array(40).fill(7), relayed })
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
