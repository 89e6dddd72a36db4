import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat, fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import { publicKeyFromBytes } from '../../src/base/publicKey.js'
import { asUnixTime, HOUR } from '../../src/base/time.js'
import { MAX_ADDRESS_PROOFS, type ProvedAddress } from '../../src/wire/addressProof.js'
import type { Candidate } from '../../src/wire/candidate.js'
import { PeerRecordMessage } from '../../src/wire/protobuf/record.js'
import {
  decodeRecord,
  decodeSignedRecord,
  encodeRecord,
  encodeSignedRecord,
  MAX_CANDIDATES,
  MAX_MULTIADDRS,
  MAX_RECORD_LENGTH,
  MAX_RECORD_LIFETIME,
  type PeerRecord,
} from '../../src/wire/record.js'
import { bytes, mutated, plain, publishableAddress } from './arbitraries.js'

describe('records', () => {
  it('have these very bytes, both ways', () => {
    assert.deepEqual(encodeRecord(record), golden())
    assert.deepEqual(decodeRecord(golden()), record)
  })

  it('survive the way there and back, and encode to the same bytes each time', () => {
    fc.assert(
      fc.property(anyRecord, (any) => {
        const encoded = encodeRecord(any)
        assert.deepEqual(decodeRecord(encoded), any)
        assert.deepEqual(encodeRecord(any), encoded)
      }),
    )
  })

  it('carry numbers of every size', () => {
    for (const sequence of [1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER])
      assert.deepEqual(decodeRecord(encodeRecord({ ...record, sequence })), { ...record, sequence })
  })

  it('decode to what encodes and decodes again, or are dropped, whatever the bytes', () => {
    const rubbish = fc.oneof(fc.uint8Array({ maxLength: 300 }), anyRecord.map(encodeRecord).chain(mutated))
    fc.assert(
      fc.property(rubbish, (any) => {
        const decoded = decodeRecord(any)
        if (!isDropped(decoded)) assert.deepEqual(decodeRecord(encodeRecord(decoded)), decoded)
      }),
      { numRuns: 1_000 },
    )
  })

  it('are dropped when cut short anywhere that loses a field they must have', () => {
    const encoded = golden()
    const afterIdentity = 2 + 34 + 3 * 9 + 14 + 13 + 26 + 34
    for (let length = 0; length < afterIdentity; length++)
      assert.ok(isDropped(decodeRecord(encoded.subarray(0, length))), `${length} bytes`)
  })

  it('of another version are named so', () => {
    for (const version of [0, 2, 0xffff_ffff])
      assert.deepEqual(decodeRecord(encodedWith({ version })), { dropped: 'record-unknown-version' })
  })

  it('may have fields of a later version, which are passed over', () => {
    const later = concat([golden(), fromString('f20704aabbccdd', 'hex'), fromString('f80701', 'hex')])
    assert.deepEqual(decodeRecord(later), record)
  })

  it('may have candidates and behaviour of a later version, which are left out', () => {
    const later = PeerRecordMessage.decode(golden())
    later.candidates.unshift({ type: 77, ip: new Uint8Array(9), port: 0 })
    const decoded = decodeRecord(PeerRecordMessage.encode({ ...later, natMapping: 5, natFiltering: 99 }))
    assert.deepEqual(decoded, { ...record, nat: { mapping: 'unknown', filtering: 'unknown' } })
  })

  it('have these very bytes where an address is proved', () => {
    const proof = `0a20 ${'11'.repeat(32)} 11 00505c18a3010000 1a40 ${'22'.repeat(64)}`
    const proved = `5a8701 0a04cb00710a 1210${'33'.repeat(16)} 1a6d ${proof}`.replaceAll(' ', '')
    const provedAddress: ProvedAddress = {
      ip: '203.0.113.10',
      salt: new Uint8Array(16).fill(0x33),
      proofs: [
        {
          signer: new Uint8Array(32).fill(0x11),
          time: record.issuedAt,
          signature: new Uint8Array(64).fill(0x22),
        },
      ],
    }
    const encoded = concat([golden(), fromString(proved, 'hex')])
    assert.deepEqual(encodeRecord({ ...record, provedAddress }), encoded)
    assert.deepEqual(decodeRecord(encoded), { ...record, provedAddress })
    assert.throws(
      () => encodeRecord({ ...record, provedAddress: { ...provedAddress, proofs: [] } }),
      RangeError,
    )
  })

  it('own their identity’s bytes', () => {
    const encoded = golden()
    const decoded = decodeRecord(encoded)
    encoded.fill(0)
    assert.deepEqual(decoded, record)
  })

  it('that break a rule are neither encoded nor decoded', () => {
    const multicast: Candidate = { type: 'host', address: { ip: '224.0.0.1', port: 1 } }
    const broken: Record<string, Partial<PeerRecord>> = {
      'a sequence of zero': { sequence: 0 },
      'a sequence beyond safe integers': { sequence: 2 ** 53 },
      'an expiry at the issue': { expiresAt: record.issuedAt },
      'an expiry before the issue': { expiresAt: asUnixTime(record.issuedAt - 1) },
      'an expiry beyond safe integers': { expiresAt: asUnixTime(2 ** 53) },
      'a lifetime over 48 hours': { expiresAt: asUnixTime(record.issuedAt + MAX_RECORD_LIFETIME + 1) },
      'too many candidates': { candidates: new Array(MAX_CANDIDATES + 1).fill(record.candidates[0]) },
      'a multicast candidate': { candidates: [multicast] },
      'an identity of 31 bytes': { identity: new Uint8Array(31) },
      'too many multiaddrs': { multiaddrs: new Array(MAX_MULTIADDRS + 1).fill('/ip4/203.0.113.1/tcp/1') },
    }
    for (const [name, change] of Object.entries(broken)) {
      assert.throws(() => encodeRecord({ ...record, ...change }), RangeError, name)
      assert.deepEqual(decodeRecord(encodedWithout(change)), { dropped: 'record-malformed' }, name)
    }
  })

  it('with other candidates than those that are published are not encoded', () => {
    for (const type of ['peer-reflexive', 'configured'] as const) {
      const candidate: Candidate = { type, address: { ip: '203.0.113.1', port: 1 } }
      assert.throws(() => encodeRecord({ ...record, candidates: [candidate] }), RangeError)
    }
  })

  it('with a multiaddr that is spelled otherwise, or ends in an identity, are not encoded', () => {
    for (const text of ['', '/', 'x', '/ip4/203.0.113.1/tcp/1/', `/ip4/203.0.113.1/tcp/1/p2p/${PEER_ID}`])
      assert.throws(() => encodeRecord({ ...record, multiaddrs: [text] }), RangeError, text)
  })

  it('with fields of wrong lengths are dropped', () => {
    const wrong: readonly Partial<PeerRecordMessage>[] = [
      { publicKey: new Uint8Array(31) },
      { publicKey: new Uint8Array(0) },
      { identity: new Uint8Array(33) },
      { candidates: [{ type: 1, ip: new Uint8Array(5), port: 1 }] },
      { candidates: [{ type: 1, ip: Uint8Array.of(203, 0, 113, 1), port: 0 }] },
      { candidates: [{ type: 1, ip: Uint8Array.of(203, 0, 113, 1), port: 0x1_0000 }] },
      { multiaddrs: [new Uint8Array(0)] },
      { multiaddrs: [Uint8Array.of(4, 203, 0)] },
      { sequence: 2n ** 64n - 1n },
      { provedAddress: { ip: Uint8Array.of(203, 0, 113, 1), salt: new Uint8Array(16), proofs: [] } },
    ]
    for (const change of wrong)
      assert.deepEqual(decodeRecord(encodedWith(change)), { dropped: 'record-malformed' })
  })
})

describe('signed records', () => {
  it('have these very bytes, both ways', () => {
    const signed = { record: Uint8Array.of(1, 2, 3), signature: new Uint8Array(64).fill(0x5a) }
    const encoded = fromString(`0a03010203 1240${'5a'.repeat(64)}`.replaceAll(' ', ''), 'hex')
    assert.deepEqual(encodeSignedRecord(signed), encoded)
    assert.deepEqual(decodeSignedRecord(encoded), signed)
  })

  it('keep the record’s bytes as they were signed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 1_300, size: 'max' }),
        bytes(64),
        (record, signature) => {
          assert.deepEqual(decodeSignedRecord(encodeSignedRecord({ record, signature })), {
            record,
            signature,
          })
        },
      ),
    )
  })

  it('never throw when decoded', () => {
    const encoded = encodeSignedRecord({ record: golden(), signature: new Uint8Array(64) })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated(encoded)), (any) => {
        const decoded = decodeSignedRecord(any)
        if (!isDropped(decoded)) assert.deepEqual(decodeSignedRecord(encodeSignedRecord(decoded)), decoded)
      }),
    )
  })

  it('hold the fullest record there is', () => {
    const fullest = encodeRecord({
      ...record,
      sequence: Number.MAX_SAFE_INTEGER,
      candidates: new Array(MAX_CANDIDATES).fill({
        type: 'relayed',
        address: { ip: '2001:db8::1', port: 0xffff },
      }),
      multiaddrs: new Array(MAX_MULTIADDRS).fill(`/ip6/2001:db8::1/tcp/65535/p2p/${PEER_ID}/p2p-circuit`),
    })
    assert.ok(
      encodeSignedRecord({ record: fullest, signature: new Uint8Array(64) }).length <= MAX_RECORD_LENGTH,
    )
  })

  it('that are too large are named so before anything is decoded', () => {
    const record = new Uint8Array(MAX_RECORD_LENGTH)
    assert.throws(() => encodeSignedRecord({ record, signature: new Uint8Array(64) }), RangeError)
    assert.deepEqual(decodeSignedRecord(new Uint8Array(MAX_RECORD_LENGTH + 1).fill(0xff)), {
      dropped: 'record-too-large',
    })
  })

  it('without a record, or a signature of 64 bytes, are dropped', () => {
    for (const hex of ['', '0a0101', `1240${'5a'.repeat(64)}`, `0a0101123f${'5a'.repeat(63)}`])
      assert.deepEqual(decodeSignedRecord(fromString(hex, 'hex')), { dropped: 'record-malformed' })
    assert.throws(
      () => encodeSignedRecord({ record: new Uint8Array(0), signature: new Uint8Array(64) }),
      RangeError,
    )
    assert.throws(
      () => encodeSignedRecord({ record: new Uint8Array(1), signature: new Uint8Array(63) }),
      RangeError,
    )
  })
})

/** The libp2p identity of 32 bytes of 0x01, as an Ed25519 key. */
const PEER_ID = '12D3KooWA1b9kD4GzZB9rz1xnFWYbB8Jb4Ls5KRAY3i9FMWHvwaH'

const record: PeerRecord = {
  publicKey: publicKeyFromBytes(new Uint8Array(32).fill(0xaa)),
  sequence: 300,
  issuedAt: asUnixTime(1_800_000_000_000),
  expiresAt: asUnixTime(1_800_000_000_000 + HOUR),
  candidates: [
    { type: 'host', address: { ip: '192.168.1.2', port: 51_821 } },
    { type: 'server-reflexive', address: { ip: '203.0.113.10', port: 1_024 } },
    { type: 'host', address: { ip: '2001:db8::10', port: 51_821 } },
  ],
  identity: new Uint8Array(32).fill(0xbb),
  multiaddrs: ['/ip4/203.0.113.10/tcp/51821'],
  nat: { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' },
}

/** {@link record}, written by hand after the protobuf encoding's rules. */
function golden(): Uint8Array {
  const hex = `
    08 01
    12 20 ${'aa'.repeat(32)}
    19 2c01000000000000
    21 00505c18a3010000
    29 803e9318a3010000
    32 0c 0801 1204c0a80102 18ed9403
    32 0b 0803 1204cb00710a 188008
    32 18 0801 121020010db8000000000000000000000010 18ed9403
    3a 20 ${'bb'.repeat(32)}
    42 08 04cb00710a06ca6d
    48 02
    50 04`
  return fromString(hex.replaceAll(/\s/g, ''), 'hex')
}

/** {@link record}'s bytes with fields of the message set to what no record may have. */
function encodedWith(change: Partial<PeerRecordMessage>): Uint8Array {
  return PeerRecordMessage.encode({ ...PeerRecordMessage.decode(golden()), ...change })
}

/** {@link record}'s bytes with a change that {@link encodeRecord} refuses. */
function encodedWithout(change: Partial<PeerRecord>): Uint8Array {
  const { sequence, expiresAt, candidates, identity, multiaddrs } = change
  return encodedWith({
    ...(sequence !== undefined && { sequence: BigInt(sequence) }),
    ...(expiresAt !== undefined && { expiresAt: BigInt(expiresAt) }),
    ...(candidates !== undefined && {
      candidates: candidates.map(({ address }) => ({
        type: 1,
        ip: Uint8Array.from(address.ip.split('.').map(Number)),
        port: address.port,
      })),
    }),
    ...(identity !== undefined && { identity: new Uint8Array(identity) }),
    ...(multiaddrs !== undefined && { multiaddrs: multiaddrs.map(() => Uint8Array.of(4, 203, 0, 113, 1)) }),
  })
}

const behaviour = fc.constantFrom(
  'unknown' as const,
  'none' as const,
  'endpoint-independent' as const,
  'address-dependent' as const,
  'address-and-port-dependent' as const,
)

const provedAddress: fc.Arbitrary<ProvedAddress> = plain({
  ip: publishableAddress.map(({ ip }) => ip),
  salt: bytes(16),
  proofs: fc.array(
    plain({ signer: bytes(32), time: fc.maxSafeNat().map(asUnixTime), signature: bytes(64) }),
    { minLength: 1, maxLength: MAX_ADDRESS_PROOFS },
  ),
})

const anyRecord: fc.Arbitrary<PeerRecord> = plain({
  publicKey: bytes(32).map(publicKeyFromBytes),
  sequence: fc.maxSafeNat().map((sequence) => Math.max(1, sequence)),
  issuedAt: fc.nat({ max: 2 ** 31 }).map((seconds) => asUnixTime(seconds * 1_000)),
  candidates: fc.array(
    plain<Candidate>({
      type: fc.constantFrom('host', 'mapped', 'server-reflexive', 'relayed'),
      address: publishableAddress,
    }),
    { maxLength: MAX_CANDIDATES },
  ),
  identity: bytes(32),
  multiaddrs: fc.array(
    fc.constantFrom(
      '/ip4/203.0.113.10/tcp/51821',
      '/ip6/2001:db8::10/tcp/51821',
      '/dns4/example.org/tcp/51821',
      `/ip4/203.0.113.10/tcp/51821/p2p/${PEER_ID}/p2p-circuit`,
    ),
    { maxLength: MAX_MULTIADDRS },
  ),
  nat: plain({ mapping: behaviour, filtering: behaviour }),
  provedAddress: fc.option(provedAddress, { nil: undefined }),
  lifetime: fc.integer({ min: 1, max: MAX_RECORD_LIFETIME }),
}).map(({ lifetime, provedAddress: proved, ...rest }) => ({
  ...rest,
  ...(proved === undefined ? {} : { provedAddress: proved }),
  expiresAt: asUnixTime(rest.issuedAt + lifetime),
}))
