import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { classify } from '../../src/wire/classify.js'
import { encodeStun, isStun } from '../../src/wire/stun/message.js'
import {
  encodeCookieReply,
  encodeInitiation,
  encodeResponse,
  encodeTransport,
  wireguardType,
} from '../../src/wire/wireguard.js'
import { bytes, mutated, socketAddress, uint32 } from './arbitraries.js'

describe('classify', () => {
  it('tells every encoder’s output as its own', () => {
    fc.assert(fc.property(wireguard, (datagram) => classify(datagram) === 'wireguard'))
    fc.assert(fc.property(stun, (datagram) => classify(datagram) === 'stun'))
  })

  it('never finds both protocols in one datagram', () => {
    const lookalike = fc
      .tuple(fc.constantFrom(1, 2, 3, 4), fc.constantFrom(20, 32, 64, 92, 148), fc.boolean(), fc.uint8Array())
      .map(([type, length, ownLength, tail]) => {
        const datagram = new Uint8Array(length)
        datagram.set(tail.subarray(0, length))
        datagram.set([type, 0, 0, ownLength ? length - 20 : 0, 0x21, 0x12, 0xa4, 0x42])
        return datagram
      })
    const any = fc.oneof(
      lookalike,
      fc.uint8Array({ maxLength: 200 }),
      wireguard.chain(mutated),
      stun.chain(mutated),
    )
    fc.assert(
      fc.property(any, (datagram) => {
        const isWireGuard = wireguardType(datagram) !== undefined
        assert.ok(!(isWireGuard && isStun(datagram)))
        assert.equal(classify(datagram), isWireGuard ? 'wireguard' : isStun(datagram) ? 'stun' : undefined)
      }),
      { numRuns: 1_000 },
    )
  })

  it('takes a first message for WireGuard’s though its sender index is STUN’s magic cookie', () => {
    const datagram = encodeInitiation({ ...emptyInitiation, senderIndex: 0x42a41221 })
    assert.deepEqual(datagram.slice(0, 8), Uint8Array.of(1, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42))
    assert.equal(classify(datagram), 'wireguard')
  })

  it('takes a success response for STUN though it begins with 0x01', () => {
    const datagram = encodeStun({ messageClass: 'success', method: 1, transactionId: new Uint8Array(12) })
    assert.equal(datagram[0], 1)
    assert.equal(classify(datagram), 'stun')
  })

  it('takes nothing, DNS and QUIC for neither', () => {
    assert.equal(classify(new Uint8Array(0)), undefined)
    const dns = Uint8Array.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1)
    assert.equal(classify(dns), undefined)
    assert.equal(classify(new Uint8Array(1200).fill(0xc3)), undefined)
  })
})

const emptyInitiation = {
  senderIndex: 0,
  ephemeral: new Uint8Array(32),
  encryptedStatic: new Uint8Array(48),
  encryptedTimestamp: new Uint8Array(28),
  mac1: new Uint8Array(16),
  mac2: new Uint8Array(16),
}

const wireguard = fc.oneof(
  fc
    .tuple(uint32, bytes(32))
    .map(([senderIndex, ephemeral]) => encodeInitiation({ ...emptyInitiation, senderIndex, ephemeral })),
  fc.tuple(uint32, uint32, bytes(32)).map(([senderIndex, receiverIndex, ephemeral]) =>
    encodeResponse({
      senderIndex,
      receiverIndex,
      ephemeral,
      encryptedNothing: new Uint8Array(16),
      mac1: new Uint8Array(16),
      mac2: new Uint8Array(16),
    }),
  ),
  fc
    .tuple(uint32, bytes(24), bytes(32))
    .map(([receiverIndex, nonce, encryptedCookie]) =>
      encodeCookieReply({ receiverIndex, nonce, encryptedCookie }),
    ),
  fc
    .tuple(uint32, fc.uint8Array({ minLength: 16, maxLength: 200 }))
    .map(([receiverIndex, encryptedPacket]) =>
      encodeTransport({ receiverIndex, counter: 0n, encryptedPacket }),
    ),
)

const stun = fc
  .tuple(
    fc.constantFrom('request' as const, 'indication' as const, 'success' as const, 'error' as const),
    fc.integer({ min: 0, max: 0xfff }),
    bytes(12),
    socketAddress,
  )
  .map(([messageClass, method, transactionId, mappedAddress]) =>
    encodeStun({ messageClass, method, transactionId, mappedAddress }),
  )
