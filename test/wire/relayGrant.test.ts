import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import { publicKeyFromBytes } from '../../src/base/publicKey.js'
import { asUnixTime } from '../../src/base/time.js'
import {
  decodeGranted,
  decodeGrantRequest,
  encodeGranted,
  encodeGrantRequest,
  GRANT_CONTENT_LENGTH,
  type GrantProof,
  type GrantRequest,
  MAX_GRANTED_ADDRESSES,
} from '../../src/wire/relayGrant.js'
import { bytes, mutated, plain, publishableAddress } from './arbitraries.js'

const ASKED = '192.0.2.1'

describe('requests for a session', () => {
  it('survive the way there and back, and are all as long', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        const encoded = encodeGrantRequest(request)
        assert.equal(encoded.length, GRANT_CONTENT_LENGTH)
        assert.deepEqual(decodeGrantRequest(encoded), request)
      }),
    )
  })

  it('never throw when decoded', () => {
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      bytes(GRANT_CONTENT_LENGTH),
      anyRequest.map(encodeGrantRequest).chain(mutated),
    )
    fc.assert(
      fc.property(rubbish, (any) => {
        const decoded = decodeGrantRequest(any)
        if (!isDropped(decoded)) assert.deepEqual(decodeGrantRequest(encodeGrantRequest(decoded)), decoded)
      }),
    )
  })

  it('with a part of another length, or two equal names, are neither encoded nor decoded', () => {
    const short = new Uint8Array(15)
    const [own, peer] = REQUEST.names
    assert.throws(() => encodeGrantRequest({ ...REQUEST, key: short }), RangeError)
    assert.throws(() => encodeGrantRequest({ ...REQUEST, names: [short, peer] }), RangeError)
    assert.throws(
      () => encodeGrantRequest({ ...REQUEST, proof: { type: 'network', mac: short } }),
      RangeError,
    )
    const malformed = { dropped: 'relay-grant-malformed' }
    assert.deepEqual(decodeGrantRequest(encodeGrantRequest({ ...REQUEST, names: [own, own] })), malformed)
    assert.deepEqual(decodeGrantRequest(encodeGrantRequest(REQUEST).subarray(1)), malformed)
    assert.deepEqual(decodeGrantRequest(new Uint8Array(0)), malformed)
  })

  it('of another version, or that claim to be longer than they are, are malformed', () => {
    const malformed = { dropped: 'relay-grant-malformed' }
    const later = encodeGrantRequest(REQUEST)
    assert.equal(later[3], 1)
    later[3] = 2
    assert.deepEqual(decodeGrantRequest(later), malformed)
    const long = encodeGrantRequest(REQUEST)
    long[0] = 1
    assert.deepEqual(decodeGrantRequest(long), malformed)
  })

  it('with fields of a later version are read without them', () => {
    const later = encodeGrantRequest(REQUEST)
    const length = (later[0] ?? 0) * 256 + (later[1] ?? 0)
    later.set([0x78, 1], 2 + length)
    later[1] = length + 2
    assert.deepEqual(decodeGrantRequest(later), REQUEST)
  })
})

describe('the addresses of a session', () => {
  it('have these very bytes, both ways; the address that was asked is not among them', () => {
    const addresses = [
      { ip: ASKED, port: 40_000 },
      { ip: '2001:db8::10', port: 1_024 },
    ]
    const hex = '0801 1204 10c0b802 1215 0a1020010db8000000000000000000000010 108008'
    const encoded = fromString(hex.replaceAll(' ', ''), 'hex')
    assert.deepEqual(encodeGranted(addresses, ASKED), encoded)
    assert.deepEqual(decodeGranted(encoded, ASKED), addresses)
  })

  it('are at the address that was asked, whatever the relay takes its own for', () => {
    const granted = encodeGranted([{ ip: '10.0.0.2', port: 40_000 }], '10.0.0.2')
    assert.deepEqual(decodeGranted(granted, '203.0.113.7'), [{ ip: '203.0.113.7', port: 40_000 }])
  })

  it('survive the way there and back', () => {
    fc.assert(
      fc.property(anyAddresses, (addresses) => {
        assert.deepEqual(decodeGranted(encodeGranted(addresses, ASKED), ASKED), addresses)
      }),
    )
  })

  it('never throw when decoded', () => {
    const encoded = anyAddresses.map((addresses) => encodeGranted(addresses, ASKED))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), encoded.chain(mutated)), (any) => {
        const decoded = decodeGranted(any, ASKED)
        if (!isDropped(decoded))
          assert.deepEqual(decodeGranted(encodeGranted(decoded, ASKED), ASKED), decoded)
      }),
    )
  })

  it('that mean our own machine, or many, are neither encoded nor decoded', () => {
    for (const ip of ['127.0.0.1', '0.0.0.0', '224.0.0.1', '::1'])
      assert.throws(() => encodeGranted([{ ip, port: 1 }], ASKED), RangeError, ip)
    assert.throws(() => encodeGranted([{ ip: ASKED, port: 0 }], ASKED), RangeError)
    const malformed = {
      'a loopback address': '0801 1208 0a047f000001 1001',
      'port 0': '0801 1200',
      'no address at all': '0801',
      'another version': '0802 1202 1001',
      'five addresses': `0801 ${'1202 1001'.repeat(MAX_GRANTED_ADDRESSES + 1)}`,
    }
    for (const [name, hex] of Object.entries(malformed))
      assert.deepEqual(
        decodeGranted(fromString(hex.replaceAll(' ', ''), 'hex'), ASKED),
        { dropped: 'relay-granted-malformed' },
        name,
      )
    assert.throws(() => encodeGranted([], ASKED), RangeError)
  })
})

const anyProof: fc.Arbitrary<GrantProof> = fc.oneof(
  plain<GrantProof>({ type: fc.constant('network' as const), mac: bytes(32) }),
  fc.record(
    { type: fc.constant('peer' as const), publicKey: bytes(32).map(publicKeyFromBytes), mac: bytes(32) },
    { noNullPrototype: true },
  ),
)

const anyRequest: fc.Arbitrary<GrantRequest> = plain<GrantRequest>({
  issuedAt: fc.maxSafeNat().map(asUnixTime),
  key: bytes(32),
  names: fc.tuple(bytes(16), bytes(16)).filter(([own, peer]) => String(own) !== String(peer)),
  proof: anyProof,
})

const anyAddresses = fc.array(publishableAddress, { minLength: 1, maxLength: MAX_GRANTED_ADDRESSES })

const REQUEST: GrantRequest = {
  issuedAt: asUnixTime(1_800_000_000_000),
  key: new Uint8Array(32).fill(1),
  names: [new Uint8Array(16).fill(2), new Uint8Array(16).fill(3)],
  proof: { type: 'network', mac: new Uint8Array(32).fill(4) },
}
