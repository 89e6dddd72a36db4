import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, fromString } from 'uint8arrays'
import { drop, isDropped } from '../../src/base/drops.js'
import { seededRandom } from '../../src/base/random.js'
import { after, asUnixTime, HOUR } from '../../src/base/time.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import { openSignedRecord, signRecord } from '../../src/crypto/signedRecord.js'
import { xeddsaVerify } from '../../src/crypto/xeddsa.js'
import {
  decodeSignedRecord,
  encodeRecord,
  encodeSignedRecord,
  MAX_RECORD_LENGTH,
  type PeerRecord,
} from '../../src/wire/record.js'
import { privateKeys, randoms } from './arbitraries.js'
import { flipBit } from './vectors.js'

const ALICE = nodeKeys(new Uint8Array(32).fill(1))
const MALLORY = nodeKeys(new Uint8Array(32).fill(2))
const SIGNED = signRecord(recordOf(ALICE), ALICE, seededRandom(1))

test('a signed record opens to what was signed', () => {
  fc.assert(
    fc.property(privateKeys(), randoms(), fc.integer({ min: 1 }), (privateKey, random, sequence) => {
      const keys = nodeKeys(privateKey)
      const record = { ...recordOf(keys), sequence }
      assert.deepEqual(openSignedRecord(signRecord(record, keys, random)), record)
    }),
    { numRuns: 30 },
  )
})

test('no bit of a record or of its signature can be flipped', () => {
  const signed = decodeSignedRecord(SIGNED)
  assert.ok(!isDropped(signed))
  const { record, signature } = signed
  for (let bit = 0; bit < 8 * record.length; bit++) {
    const bytes = encodeSignedRecord({ record: flipBit(record, bit), signature })
    assert.ok(isDropped(openSignedRecord(bytes)), `bit ${bit} of the record`)
  }
  for (let bit = 0; bit < 8 * signature.length; bit++) {
    const bytes = encodeSignedRecord({ record, signature: flipBit(signature, bit) })
    assert.equal(openSignedRecord(bytes), drop('record-bad-signature'), `bit ${bit} of the signature`)
  }
})

test('whichever bit is flipped on the way, nothing but what was signed is read', () => {
  for (let bit = 0; bit < 8 * SIGNED.length; bit++) {
    const opened = openSignedRecord(flipBit(SIGNED, bit))
    if (!isDropped(opened)) assert.deepEqual(opened, recordOf(ALICE), `bit ${bit}`)
  }
})

test("a record under another's key is refused when it is signed and when it is read", () => {
  assert.throws(() => signRecord(recordOf(ALICE), MALLORY, seededRandom(1)), TypeError)
  const record = encodeRecord(recordOf(ALICE))
  const signature = MALLORY.sign(concat([fromString('tunnelbore record v1\0'), record]), seededRandom(1))
  assert.equal(openSignedRecord(encodeSignedRecord({ record, signature })), drop('record-bad-signature'))
})

test("a signature over a record's bytes for another purpose is none on the record", () => {
  const record = encodeRecord(recordOf(ALICE))
  for (const label of ['', 'tunnelbore record v2\0'])
    assert.equal(
      openSignedRecord(
        encodeSignedRecord({
          record,
          signature: ALICE.sign(concat([fromString(label), record]), seededRandom(1)),
        }),
      ),
      drop('record-bad-signature'),
    )
})

test('the signature is over the label and the exact bytes of the record', () => {
  const signed = decodeSignedRecord(SIGNED)
  assert.ok(!isDropped(signed))
  const message = concat([fromString('tunnelbore record v1\0'), signed.record])
  assert.ok(xeddsaVerify(ALICE.publicKey, message, signed.signature))
})

test('a record with a field of a later version keeps its signature', () => {
  // Field 100, a varint: unknown to us, and part of what is signed.
  const record = concat([encodeRecord(recordOf(ALICE)), Uint8Array.of(0xa0, 0x06, 0x01)])
  const message = concat([fromString('tunnelbore record v1\0'), record])
  const bytes = encodeSignedRecord({ record, signature: ALICE.sign(message, seededRandom(1)) })
  assert.deepEqual(openSignedRecord(bytes), recordOf(ALICE))
})

test('what is no signed record is dropped', () => {
  assert.equal(openSignedRecord(new Uint8Array(MAX_RECORD_LENGTH + 1)), drop('record-too-large'))
  assert.equal(openSignedRecord(new Uint8Array(0)), drop('record-malformed'))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.ok(isDropped(openSignedRecord(bytes)))),
  )
  fc.assert(
    fc.property(fc.nat({ max: SIGNED.length - 1 }), (length) =>
      assert.ok(isDropped(openSignedRecord(SIGNED.slice(0, length)))),
    ),
  )
})

function recordOf(keys: NodeKeys): PeerRecord {
  const issuedAt = asUnixTime(1_800_000_000_000)
  return {
    publicKey: keys.publicKey,
    sequence: 1_800_000_000_000,
    issuedAt,
    expiresAt: after(issuedAt, 24 * HOUR),
    candidates: [
      { type: 'host', address: { ip: '192.168.1.2', port: 51_821 } },
      { type: 'server-reflexive', address: { ip: '203.0.113.10', port: 51_821 } },
      { type: 'host', address: { ip: '2001:db8::1', port: 51_821 } },
    ],
    identity: new Uint8Array(32).fill(9),
    multiaddrs: ['/ip4/203.0.113.10/tcp/51821'],
    nat: { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' },
  }
}
