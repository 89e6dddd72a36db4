import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toString as toText } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import {
  type CookieReply,
  decodeCookieReply,
  decodeInitiation,
  decodeResponse,
  decodeTransport,
  encodeCookieReply,
  encodeInitiation,
  encodeResponse,
  encodeTransport,
  type Initiation,
  mac1Covered,
  mac1Of,
  type Response,
  receiverIndex,
  senderIndex,
  type Transport,
  wireguardType,
} from '../../src/wire/wireguard.js'
import { bytes, mutated, plain, uint32 } from './arbitraries.js'

describe('WireGuard messages', () => {
  it('have the layouts of the whitepaper', () => {
    const golden: readonly [Uint8Array, string][] = [
      [
        encodeInitiation(initiation),
        `01000000 efbeadde ${'e0'.repeat(32)} ${'a5'.repeat(48)} ${'71'.repeat(28)} ${'11'.repeat(16)} ${'22'.repeat(16)}`,
      ],
      [
        encodeResponse(response),
        `02000000 04030201 efbeadde ${'e1'.repeat(32)} ${'b0'.repeat(16)} ${'11'.repeat(16)} ${'22'.repeat(16)}`,
      ],
      [encodeCookieReply(cookieReply), `03000000 efbeadde ${'c0'.repeat(24)} ${'c1'.repeat(32)}`],
      [encodeTransport(transport), `04000000 04030201 0807060504030201 ${'d0'.repeat(16)}`],
    ]
    for (const [datagram, hex] of golden) assert.equal(toText(datagram, 'hex'), hex.replaceAll(' ', ''))
  })

  it('are read as they were written', () => {
    assert.deepEqual(decodeInitiation(encodeInitiation(initiation)), initiation)
    assert.deepEqual(decodeResponse(encodeResponse(response)), response)
    assert.deepEqual(decodeCookieReply(encodeCookieReply(cookieReply)), cookieReply)
    assert.deepEqual(decodeTransport(encodeTransport(transport)), transport)
  })

  it('survive the way there and back, whatever the fields', () => {
    fc.assert(
      fc.property(anyInitiation, (message) => {
        assert.deepEqual(decodeInitiation(encodeInitiation(message)), message)
      }),
    )
    fc.assert(
      fc.property(anyResponse, (message) => {
        assert.deepEqual(decodeResponse(encodeResponse(message)), message)
      }),
    )
    fc.assert(
      fc.property(anyCookieReply, (message) => {
        assert.deepEqual(decodeCookieReply(encodeCookieReply(message)), message)
      }),
    )
    fc.assert(
      fc.property(anyTransport, (message) => {
        assert.deepEqual(decodeTransport(encodeTransport(message)), message)
      }),
    )
  })

  it('have indices and macs that are read in place', () => {
    const first = encodeInitiation(initiation)
    const second = encodeResponse(response)
    assert.equal(senderIndex(first), 0xdeadbeef)
    assert.equal(senderIndex(second), 0x01020304)
    assert.equal(receiverIndex(second), 0xdeadbeef)
    assert.equal(receiverIndex(encodeCookieReply(cookieReply)), 0xdeadbeef)
    assert.equal(receiverIndex(encodeTransport(transport)), 0x01020304)
    for (const datagram of [first, second]) {
      assert.deepEqual(mac1Of(datagram), filled(0x11, 16))
      assert.deepEqual(mac1Covered(datagram), datagram.slice(0, datagram.length - 32))
      assert.equal(mac1Of(datagram).buffer, datagram.buffer)
    }
  })

  it('are told by their first four bytes and their length', () => {
    assert.equal(wireguardType(encodeInitiation(initiation)), 1)
    assert.equal(wireguardType(encodeResponse(response)), 2)
    assert.equal(wireguardType(encodeCookieReply(cookieReply)), 3)
    assert.equal(wireguardType(encodeTransport(transport)), 4)
    const lengths = new Map([
      [1, [148]],
      [2, [92]],
      [3, [64]],
      [4, Array.from({ length: 200 - 32 }, (_, index) => 32 + index)],
    ])
    for (let type = 0; type < 256; type++)
      for (let length = 0; length < 200; length++) {
        const datagram = new Uint8Array(length)
        datagram[0] = type
        const expected = length > 0 && lengths.get(type)?.includes(length) ? type : undefined
        assert.equal(wireguardType(datagram), expected, `type ${type}, ${length} bytes`)
      }
  })

  it('carry full packets of the usual MTU, 1420, which is no multiple of 16', () => {
    const datagram = encodeTransport({ ...transport, encryptedPacket: new Uint8Array(1420 + 16) })
    assert.equal(datagram.length, 1452)
    assert.equal(wireguardType(datagram), 4)
  })

  it('are none where one of the three bytes after the type is not zero', () => {
    for (const at of [1, 2, 3]) {
      const datagram = encodeInitiation(initiation)
      datagram[at] = 1
      assert.equal(wireguardType(datagram), undefined)
      assert.deepEqual(decodeInitiation(datagram), { dropped: 'wireguard-malformed' })
    }
  })

  it('are dropped by the decoders of the other types', () => {
    const decoders = [decodeInitiation, decodeResponse, decodeCookieReply, decodeTransport]
    const datagrams = [
      encodeInitiation(initiation),
      encodeResponse(response),
      encodeCookieReply(cookieReply),
      encodeTransport(transport),
    ]
    for (const [type, datagram] of datagrams.entries())
      for (const [other, decode] of decoders.entries())
        assert.equal(isDropped<object>(decode(datagram)), type !== other)
  })

  it('decode to what encodes to the same bytes, or are dropped, however they were damaged', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      anyInitiation.map(encodeInitiation).chain(mutated),
      anyResponse.map(encodeResponse).chain(mutated),
      anyCookieReply.map(encodeCookieReply).chain(mutated),
      anyTransport.map(encodeTransport).chain(mutated),
    )
    fc.assert(
      fc.property(anyBytes, (datagram) => {
        assert.deepEqual(recoded(datagram), wireguardType(datagram) === undefined ? undefined : datagram)
      }),
    )
  })

  it('are not made of fields of wrong lengths', () => {
    assert.throws(() => encodeInitiation({ ...initiation, ephemeral: new Uint8Array(31) }), RangeError)
    assert.throws(() => encodeResponse({ ...response, mac2: new Uint8Array(17) }), RangeError)
    assert.throws(() => encodeCookieReply({ ...cookieReply, nonce: new Uint8Array(0) }), RangeError)
    assert.throws(() => encodeTransport({ ...transport, encryptedPacket: new Uint8Array(15) }), RangeError)
  })

  it('are told apart in a view that does not begin at its buffer’s start', () => {
    const inside = Uint8Array.of(9, 9, 9, ...encodeResponse(response)).subarray(3)
    assert.equal(wireguardType(inside), 2)
    assert.deepEqual(decodeResponse(inside), response)
  })
})

const initiation: Initiation = {
  senderIndex: 0xdeadbeef,
  ephemeral: filled(0xe0, 32),
  encryptedStatic: filled(0xa5, 48),
  encryptedTimestamp: filled(0x71, 28),
  mac1: filled(0x11, 16),
  mac2: filled(0x22, 16),
}

const response: Response = {
  senderIndex: 0x01020304,
  receiverIndex: 0xdeadbeef,
  ephemeral: filled(0xe1, 32),
  encryptedNothing: filled(0xb0, 16),
  mac1: filled(0x11, 16),
  mac2: filled(0x22, 16),
}

const cookieReply: CookieReply = {
  receiverIndex: 0xdeadbeef,
  nonce: filled(0xc0, 24),
  encryptedCookie: filled(0xc1, 32),
}

const transport: Transport = {
  receiverIndex: 0x01020304,
  counter: 0x0102030405060708n,
  encryptedPacket: filled(0xd0, 16),
}

const anyInitiation: fc.Arbitrary<Initiation> = plain({
  senderIndex: uint32,
  ephemeral: bytes(32),
  encryptedStatic: bytes(48),
  encryptedTimestamp: bytes(28),
  mac1: bytes(16),
  mac2: bytes(16),
})

const anyResponse: fc.Arbitrary<Response> = plain({
  senderIndex: uint32,
  receiverIndex: uint32,
  ephemeral: bytes(32),
  encryptedNothing: bytes(16),
  mac1: bytes(16),
  mac2: bytes(16),
})

const anyCookieReply: fc.Arbitrary<CookieReply> = plain({
  receiverIndex: uint32,
  nonce: bytes(24),
  encryptedCookie: bytes(32),
})

const anyTransport: fc.Arbitrary<Transport> = plain({
  receiverIndex: uint32,
  counter: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  encryptedPacket: fc.uint8Array({ minLength: 16, maxLength: 100 }),
})

/** A datagram read by the one decoder that takes it, and written again. */
function recoded(datagram: Uint8Array): Uint8Array | undefined {
  const first = decodeInitiation(datagram)
  if (!isDropped(first)) return encodeInitiation(first)
  const second = decodeResponse(datagram)
  if (!isDropped(second)) return encodeResponse(second)
  const cookie = decodeCookieReply(datagram)
  if (!isDropped(cookie)) return encodeCookieReply(cookie)
  const data = decodeTransport(datagram)
  return isDropped(data) ? undefined : encodeTransport(data)
}

function filled(byte: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(byte)
}
