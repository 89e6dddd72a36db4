import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { concat, fromString, toString as toText } from 'uint8arrays'
import { formatSocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import { asUnixTime } from '../../src/base/time.js'
import { fingerprint } from '../../src/wire/stun/fingerprint.js'
import { type Hmac, verifyIntegrity } from '../../src/wire/stun/integrity.js'
import {
  type DecodedStun,
  decodeStun,
  encodeStun,
  isStun,
  type StunMessage,
} from '../../src/wire/stun/message.js'
import { ATTRIBUTE, BINDING, ERROR_CODE, GRANT, MAGIC_COOKIE } from '../../src/wire/stun/registry.js'
import { bytes, mutated, plain, socketAddress, uint32 } from './arbitraries.js'

describe('STUN messages', () => {
  it('have these very bytes, both ways', () => {
    for (const { name, message, authenticated, hex } of goldenMessages()) {
      const datagram = fromString(hex.replaceAll(/\s/g, ''), 'hex')
      assert.deepEqual(encodeStun(message, authenticated ? hmac : undefined), datagram, name)
      const decoded = decoding(datagram)
      assert.deepEqual(said(decoded), message, name)
      assert.deepEqual(decoded.unknownRequired, [], name)
      assert.equal(verifyIntegrity(decoded, hmac), authenticated, name)
    }
  })

  it('decode from every published vector', () => {
    for (const { name, hex, mapped, username } of readVectors().vectors) {
      const decoded = decoding(fromString(hex, 'hex'))
      assert.equal(decoded.method, BINDING, name)
      assert.equal(decoded.messageClass, mapped === undefined ? 'request' : 'success', name)
      assert.equal(decoded.mappedAddress && formatSocketAddress(decoded.mappedAddress), mapped, name)
      // B.1 has USERHASH in its place.
      if (!name.startsWith('RFC8489'))
        assert.equal(decoded.username && toText(decoded.username), username, name)
    }
  })

  it('RFC 5769 2.1 says what is written there', () => {
    const decoded = decoding(vectorOf('2.1'))
    assert.equal(decoded.messageClass, 'request')
    assert.equal(toText(decoded.transactionId, 'hex'), 'b7e7a701bc34d686fa87dfae')
    assert.equal(decoded.software, 'STUN test client')
    assert.equal(decoded.priority, 0x6e0001ff)
    assert.deepEqual(decoded.unknownRequired, [])
    assert.equal(decoded.integrity, undefined)
  })

  it('RFC 5769 2.4 leaves REALM and NONCE unknown, which are required', () => {
    assert.deepEqual(decoding(vectorOf('2.4')).unknownRequired, [0x0015, 0x0014])
  })

  it('RFC 5769’s MESSAGE-INTEGRITY covers the bytes that precede it', () => {
    const shortTerm = fromString(readVectors().short_term_password)
    const longTerm = createHash('md5').update('マトリックス:example.org:TheMatrIX').digest()
    for (const [name, key] of [
      ['2.1', shortTerm],
      ['2.2', shortTerm],
      ['2.3', shortTerm],
      ['2.4', longTerm],
    ] as const) {
      const datagram = vectorOf(name)
      const at = toText(datagram, 'hex').indexOf('00080014') / 2
      const covered = datagram.slice(0, at)
      new DataView(covered.buffer).setUint16(2, at - 20 + 24)
      const tag = createHmac('sha1', key).update(covered).digest()
      assert.deepEqual(new Uint8Array(tag), datagram.slice(at + 4, at + 24), name)
    }
  })

  it('RFC 8489 B.1 has a MESSAGE-INTEGRITY-SHA256 that is verified under its key, and no other', () => {
    const decoded = decoding(vectorOf('RFC8489 B.1'))
    const key = createHash('sha256').update('マトリックス:example.org:TheMatrIX').digest()
    assert.equal(verifyIntegrity(decoded, hmacUnder(key)), true)
    assert.equal(verifyIntegrity(decoded, hmacUnder(new Uint8Array(32))), false)
    assert.deepEqual(decoded.unknownRequired, [0x001e, 0x0015, 0x0014, 0x001d])
  })
})

describe('STUN constants', () => {
  it('are those of the IANA registry', () => {
    assert.equal(MAGIC_COOKIE, 0x2112a442)
    assert.equal(BINDING, 0x001)
    // Reserved by RFC 8489 section 18.1, so never another's.
    assert.ok(GRANT > 0x0ff && GRANT <= 0xfff)
    for (const [name, type] of Object.entries(IANA_ATTRIBUTES))
      assert.equal(ATTRIBUTE[name as keyof typeof ATTRIBUTE], type, name)
    assert.deepEqual(Object.keys(ATTRIBUTE).sort(), Object.keys(IANA_ATTRIBUTES).sort())
    assert.deepEqual(ERROR_CODE, IANA_ERROR_CODES)
  })

  it('CRC-32 is zlib’s', () => {
    assert.equal(fingerprint(fromString('123456789')), (0xcbf43926 ^ 0x5354554e) >>> 0)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        assert.equal(fingerprint(data), (crc32(data) ^ 0x5354554e) >>> 0)
      }),
    )
  })
})

describe('STUN decoding', () => {
  it('gives what was encoded, whatever the message', () => {
    fc.assert(
      fc.property(anyMessage, fc.boolean(), (message, authenticated) => {
        const datagram = encodeStun(message, authenticated ? hmac : undefined)
        const decoded = decoding(datagram)
        assert.deepEqual(said(decoded), message)
        assert.equal(verifyIntegrity(decoded, hmac), authenticated)
        assert.equal(verifyIntegrity(decoded, hmacUnder(new Uint8Array(32))), false)
        assert.deepEqual(encodeStun(said(decoded), authenticated ? hmac : undefined), datagram)
      }),
    )
  })

  it('never throws, and gives what can be encoded and decoded again, whatever the bytes', () => {
    const rubbish = fc.oneof(fc.uint8Array({ maxLength: 120 }), framed, anyEncoded.chain(mutated))
    fc.assert(
      fc.property(rubbish, (datagram) => {
        const decoded = decodeStun(datagram)
        if (isDropped(decoded)) return
        verifyIntegrity(decoded, hmac)
        assert.deepEqual(said(decoding(encodeStun(said(decoded)))), said(decoded))
      }),
      { numRuns: 2_000 },
    )
  })

  it('drops every truncation, and every single byte that is changed', () => {
    const datagram = encodeStun(
      { ...request, username: fromString('abcde'), priority: 7, software: 'tunnelbore' },
      hmac,
    )
    for (let length = 0; length < datagram.length; length++)
      assert.ok(isDropped(decodeStun(datagram.subarray(0, length))), `${length} bytes`)
    const typeOfFingerprint = datagram.length - 8
    for (let at = 0; at < datagram.length; at++) {
      const changed = datagram.slice()
      changed[at] = (changed[at] ?? 0) ^ 0x40
      const decoded = decodeStun(changed)
      // Without FINGERPRINT the rest still stands.
      if (at === typeOfFingerprint || at === typeOfFingerprint + 1)
        assert.equal(!isDropped(decoded) && verifyIntegrity(decoded, hmac), true)
      else assert.ok(isDropped(decoded), `byte ${at}`)
    }
  })

  it('names a wrong FINGERPRINT', () => {
    const datagram = encodeStun(request)
    datagram[datagram.length - 1] = (datagram.at(-1) ?? 0) ^ 1
    assert.deepEqual(decodeStun(datagram), { dropped: 'stun-bad-fingerprint' })
  })

  it('reads a message without FINGERPRINT', () => {
    assert.deepEqual(said(decoding(raw([]))), request)
  })

  it('drops FINGERPRINT that is not the last attribute, or not four bytes', () => {
    const checked = encodeStun(request).subarray(20)
    assert.deepEqual(decodeStun(raw([checked, attribute(0x8022, [0x61])])), { dropped: 'stun-malformed' })
    assert.deepEqual(decodeStun(raw([attribute(0x8028, [1, 2, 3])])), { dropped: 'stun-malformed' })
  })

  it('uses the first of an attribute that comes twice', () => {
    const decoded = decoding(
      raw([
        attribute(ATTRIBUTE.username, [1]),
        attribute(ATTRIBUTE.username, [2]),
        attribute(0x7777, []),
        attribute(0x7777, []),
      ]),
    )
    assert.deepEqual(decoded.username, Uint8Array.of(1))
    assert.deepEqual(decoded.unknownRequired, [0x7777])
  })

  it('ignores what follows MESSAGE-INTEGRITY-SHA256, for nobody vouches for it', () => {
    const authenticated = encodeStun({ ...request, priority: 1 }, hmac)
    const decoded = decoding(
      raw([
        authenticated.subarray(20, authenticated.length - 8),
        attribute(ATTRIBUTE.username, [9]),
        attribute(ATTRIBUTE.messageIntegritySha256, new Array(32).fill(0)),
        attribute(0x0025, []),
      ]),
    )
    assert.deepEqual(said(decoded), { ...request, priority: 1 })
    assert.deepEqual(decoded.unknownRequired, [])
    assert.equal(verifyIntegrity(decoded, hmac), true)
  })

  it('ignores what follows MESSAGE-INTEGRITY, but for MESSAGE-INTEGRITY-SHA256', () => {
    const sha1 = attribute(ATTRIBUTE.messageIntegrity, new Array(20).fill(0))
    const sha256 = attribute(ATTRIBUTE.messageIntegritySha256, new Array(32).fill(0))
    const decoded = decoding(raw([sha1, attribute(ATTRIBUTE.username, [9]), sha256]))
    assert.equal(decoded.username, undefined)
    assert.ok(decoded.integrity)
    assert.deepEqual(decoded.unknownRequired, [])
  })

  it('passes over MAPPED-ADDRESS, which old servers send beside XOR-MAPPED-ADDRESS', () => {
    const decoded = decoding(raw([attribute(ATTRIBUTE.mappedAddress, [0, 1, 0, 80, 1, 2, 3, 4])]))
    assert.equal(decoded.mappedAddress, undefined)
    assert.deepEqual(decoded.unknownRequired, [])
  })

  it('passes over unknown attributes that need not be understood', () => {
    assert.deepEqual(decoding(raw([attribute(0x8029, [1, 2, 3, 4, 5, 6, 7, 8])])).unknownRequired, [])
  })

  it('drops attributes that break their own rules', () => {
    const broken = {
      'an address of family 3': attribute(ATTRIBUTE.xorMappedAddress, [0, 3, 1, 1, 1, 2, 3, 4]),
      'an IPv4 address of 16 bytes': attribute(ATTRIBUTE.xorMappedAddress, [
        0,
        1,
        1,
        1,
        ...new Array(16).fill(1),
      ]),
      'an IPv6 address of 4 bytes': attribute(ATTRIBUTE.xorMappedAddress, [0, 2, 1, 1, 1, 2, 3, 4]),
      'an empty address': attribute(ATTRIBUTE.xorMappedAddress, []),
      'port 0': attribute(ATTRIBUTE.xorMappedAddress, [0, 1, 0x21, 0x12, 1, 2, 3, 4]),
      'a priority of 3 bytes': attribute(ATTRIBUTE.priority, [1, 2, 3]),
      'error 200': attribute(ATTRIBUTE.errorCode, [0, 0, 2, 0]),
      'error 700': attribute(ATTRIBUTE.errorCode, [0, 0, 7, 0]),
      'error 4 and 100': attribute(ATTRIBUTE.errorCode, [0, 0, 4, 100]),
      'half an error': attribute(ATTRIBUTE.errorCode, [0, 0]),
      'half an unknown attribute': attribute(ATTRIBUTE.unknownAttributes, [0]),
      'a user name of 509 bytes': attribute(ATTRIBUTE.username, new Array(509).fill(1)),
      'software of 764 bytes': attribute(ATTRIBUTE.software, new Array(764).fill(0x61)),
      'a truncated HMAC': attribute(ATTRIBUTE.messageIntegritySha256, new Array(16).fill(1)),
      'a value beyond the end': Uint8Array.of(0, 6, 0, 5, 1, 2, 3, 4),
    }
    for (const [name, value] of Object.entries(broken))
      assert.deepEqual(decodeStun(raw([value])), { dropped: 'stun-malformed' }, name)
  })
})

describe('STUN encoding', () => {
  it('refuses what a message cannot say', () => {
    const impossible: readonly Partial<StunMessage>[] = [
      { transactionId: new Uint8Array(11) },
      { method: 0x1000 },
      { method: 0.5 },
      { username: new Uint8Array(509) },
      { mappedAddress: { ip: '192.0.2.1', port: 0 } },
      { error: { code: 299, reason: '' } },
      { error: { code: 400, reason: 'a'.repeat(510) } },
      { software: 'é'.repeat(255) },
      { unknownAttributes: new Array(0x8000).fill(1) },
    ]
    for (const change of impossible) assert.throws(() => encodeStun({ ...request, ...change }), RangeError)
  })
})

const request: StunMessage = {
  messageClass: 'request',
  method: BINDING,
  transactionId: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
}

/** Computed with Python's hmac and zlib. */
function goldenMessages(): readonly {
  readonly name: string
  readonly message: StunMessage
  readonly authenticated: boolean
  readonly hex: string
}[] {
  const head = '2112a442 000102030405060708090a0b'
  return [
    {
      name: 'a Binding request',
      message: request,
      authenticated: false,
      hex: `0001 0008 ${head} 80280004 5b0ff6fc`,
    },
    {
      name: 'a check',
      message: { ...request, username: fromString('a0a1a2a3a4', 'hex'), priority: 0x6e0001ff },
      authenticated: true,
      hex: `0001 0040 ${head} 00060005 a0a1a2a3a4000000 00240004 6e0001ff
        001c0020 af5710bd6f1c569a4c5917c2e2c1d22d4144bea05c48e0acb618144374fdb025 80280004 28cf9ff6`,
    },
    {
      name: 'a bind',
      message: {
        ...request,
        username: fromString('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', 'hex'),
        bindSequence: 1_800_000_000_000,
      },
      authenticated: false,
      hex: `0001 0028 ${head} 00060010 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf
        c0b30008 000001a3185c5000 80280004 8621d707`,
    },
    {
      name: 'a bind that brings a cookie back',
      message: { ...request, bindCookie: fromString('0102030405060708', 'hex') },
      authenticated: false,
      hex: `0001 0014 ${head} c0b40008 0102030405060708 80280004 035b5d67`,
    },
    {
      name: 'a request for a session',
      message: { ...request, method: GRANT, sealed: Uint8Array.of(1, 2, 3) },
      authenticated: false,
      hex: `0a60 0010 ${head} c0b10003 01020300 80280004 a3d0f835`,
    },
    {
      name: 'a session',
      message: { ...request, messageClass: 'success', method: GRANT, granted: Uint8Array.of(1, 2) },
      authenticated: false,
      hex: `0b60 0010 ${head} c0b20002 01020000 80280004 85c065c6`,
    },
    {
      name: 'a success response, IPv4',
      message: { ...request, messageClass: 'success', mappedAddress: { ip: '203.0.113.10', port: 51_821 } },
      authenticated: false,
      hex: `0101 0014 ${head} 00200008 0001eb7fea12d548 80280004 125decf6`,
    },
    {
      name: 'a success response, IPv6, with its software',
      message: {
        ...request,
        messageClass: 'success',
        mappedAddress: { ip: '2001:db8::10', port: 51_821 },
        software: 'tunnelbore',
      },
      authenticated: false,
      hex: `0101 0030 ${head} 00200014 0002eb7f0113a9fa000102030405060708090a1b
        8022000a 74756e6e656c626f72650000 80280004 91f2987e`,
    },
    {
      name: 'an error response',
      message: {
        ...request,
        messageClass: 'error',
        error: { code: ERROR_CODE.unknownAttribute, reason: 'Unknown Attribute' },
        unknownAttributes: [0x0025, 0x001d],
      },
      authenticated: false,
      hex: `0111 002c ${head} 00090015 00000414556e6b6e6f776e20417474726962757465000000
        000a0004 0025001d 80280004 57198da6`,
    },
    {
      name: 'an indication',
      message: { ...request, messageClass: 'indication' },
      authenticated: false,
      hex: `0011 0008 ${head} 80280004 484dcdf6`,
    },
  ]
}

/** IANA, "Session Traversal Utilities for NAT (STUN) Parameters", https://www.iana.org/assignments/stun-parameters. */
const IANA_ATTRIBUTES = {
  mappedAddress: 0x0001, // MAPPED-ADDRESS, RFC 8489
  username: 0x0006, // USERNAME, RFC 8489
  messageIntegrity: 0x0008, // MESSAGE-INTEGRITY, RFC 8489
  errorCode: 0x0009, // ERROR-CODE, RFC 8489
  unknownAttributes: 0x000a, // UNKNOWN-ATTRIBUTES, RFC 8489
  messageIntegritySha256: 0x001c, // MESSAGE-INTEGRITY-SHA256, RFC 8489
  xorMappedAddress: 0x0020, // XOR-MAPPED-ADDRESS, RFC 8489
  priority: 0x0024, // PRIORITY, RFC 8445
  software: 0x8022, // SOFTWARE, RFC 8489
  fingerprint: 0x8028, // FINGERPRINT, RFC 8489
  holdsFirstMessage: 0xc0b0, // ours, from the unassigned part of 0xC000-0xFFFF (first come, first served)
  sealed: 0xc0b1, // likewise
  granted: 0xc0b2, // likewise
  bindSequence: 0xc0b3, // likewise
  bindCookie: 0xc0b4, // likewise
  proofWanted: 0xc0b5, // likewise
  addressProof: 0xc0b6, // likewise
  padding: 0xc0bf, // ours, from the same part
}

/** The same registry's error codes. */
const IANA_ERROR_CODES = {
  badRequest: 400, // RFC 8489
  unauthenticated: 401, // RFC 8489
  forbidden: 403, // RFC 8656
  unknownAttribute: 420, // RFC 8489
  quotaReached: 486, // RFC 8656: Allocation Quota Reached
  insufficientCapacity: 508, // RFC 8656
}

interface Vectors {
  readonly short_term_password: string
  readonly vectors: readonly {
    readonly name: string
    readonly hex: string
    readonly mapped?: string
    readonly username?: string
  }[]
}

const anyMessage: fc.Arbitrary<StunMessage> = fc.record(
  {
    messageClass: fc.constantFrom(
      'request' as const,
      'indication' as const,
      'success' as const,
      'error' as const,
    ),
    method: fc.integer({ min: 0, max: 0xfff }),
    transactionId: bytes(12),
    username: fc.uint8Array({ maxLength: 40 }),
    mappedAddress: socketAddress,
    priority: uint32,
    error: plain({
      code: fc.integer({ min: 300, max: 699 }),
      reason: fc.string({ unit: 'binary', maxLength: 40 }),
    }),
    unknownAttributes: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }),
    software: fc.string({ unit: 'binary', maxLength: 40 }),
    holdsFirstMessage: fc.constant(true),
    sealed: fc.uint8Array({ maxLength: 300 }),
    granted: fc.uint8Array({ maxLength: 100 }),
    bindSequence: fc.maxSafeNat(),
    bindCookie: bytes(8),
    proofWanted: bytes(16),
    addressProof: plain({
      signer: bytes(32),
      time: fc.maxSafeNat().map(asUnixTime),
      signature: bytes(64),
    }),
    padding: fc.integer({ min: 0, max: 2_000 }),
  },
  { requiredKeys: ['messageClass', 'method', 'transactionId'], noNullPrototype: true },
)

const anyEncoded = fc
  .tuple(anyMessage, fc.boolean())
  .map(([message, authenticated]) => encodeStun(message, authenticated ? hmac : undefined))

/** Well-framed attributes of any type, most of them known, with any values. */
const framed = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom(...Object.values(ATTRIBUTE)), fc.integer({ min: 0, max: 0xffff })),
      fc.uint8Array({ maxLength: 40 }),
    ),
    { maxLength: 6 },
  )
  .map((attributes) => raw(attributes.map(([type, value]) => attribute(type, value))))
  .filter(isStun)

/** HMAC-SHA-256 under 32 bytes of 0x0b. */
function hmac(data: Uint8Array): Uint8Array {
  return hmacUnder(new Uint8Array(32).fill(0x0b))(data)
}

function hmacUnder(key: Uint8Array): Hmac {
  return (data) => new Uint8Array(createHmac('sha256', key).update(data).digest())
}

/** What a datagram says, which must not be dropped. */
function decoding(datagram: Uint8Array): DecodedStun {
  const decoded = decodeStun(datagram)
  if (isDropped(decoded)) assert.fail(`dropped: ${decoded.dropped}`)
  return decoded
}

/** The message without what decoding adds. */
function said(decoded: DecodedStun): StunMessage {
  const { integrity: _integrity, unknownRequired: _unknownRequired, ...message } = decoded
  return message
}

/** A Binding request of encoded attributes, framed as a sender with other ideas than ours might. */
function raw(attributes: readonly Uint8Array[]): Uint8Array {
  const length = attributes.reduce((sum, { length }) => sum + length, 0)
  const head = fromString('00010000 2112a442 000102030405060708090a0b'.replaceAll(' ', ''), 'hex')
  new DataView(head.buffer, head.byteOffset).setUint16(2, length)
  return concat([head, ...attributes])
}

function attribute(type: number, value: readonly number[] | Uint8Array): Uint8Array {
  const padding = new Array((4 - (value.length % 4)) % 4).fill(0)
  return Uint8Array.of(type >> 8, type & 0xff, value.length >> 8, value.length & 0xff, ...value, ...padding)
}

function readVectors(): Vectors {
  return JSON.parse(readFileSync(join(process.cwd(), 'test/vectors/stun_vectors.json'), 'utf8'))
}

function vectorOf(name: string): Uint8Array {
  const vector = readVectors().vectors.find((each) => each.name.startsWith(name))
  assert.ok(vector, name)
  return fromString(vector.hex, 'hex')
}
