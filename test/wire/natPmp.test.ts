import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as textOf } from 'uint8arrays'
import { decodeNatPmpResponse, encodeNatPmpAddress, encodeNatPmpMap } from '../../src/wire/natPmp.js'
import { plain } from './arbitraries.js'

const MALFORMED = { dropped: 'gateway-malformed' }

test('requests have the bytes of RFC 6886 sections 3.2 and 3.3', () => {
  assert.equal(textOf(encodeNatPmpAddress(), 'hex'), '0000')
  const request = { protocol: 'tcp', internalPort: 51_821, externalPort: 51_822, lifetimeS: 7_200 } as const
  assert.equal(textOf(encodeNatPmpMap(request), 'hex'), '00020000ca6dca6e00001c20')
})

test('responses have the bytes of RFC 6886 sections 3.2 and 3.3', () => {
  assert.deepEqual(decodeNatPmpResponse(fromString('0080000000000e10cb00710a', 'hex')), {
    opcode: 'address',
    result: 0,
    ip: '203.0.113.10',
  })
  assert.deepEqual(decodeNatPmpResponse(fromString('0081000000000e10ca6dca6e00001c20', 'hex')), {
    opcode: 'map',
    result: 0,
    protocol: 'udp',
    internalPort: 51_821,
    externalPort: 51_822,
    lifetimeS: 7_200,
  })
})

test('an error may be short', () => {
  assert.deepEqual(decodeNatPmpResponse(fromString('00820002', 'hex')), { opcode: 'error', result: 2 })
})

test('what a request says comes back in its response', () => {
  const port = fc.integer({ min: 1, max: 65_535 })
  fc.assert(
    fc.property(
      plain({
        protocol: fc.constantFrom('udp', 'tcp'),
        internalPort: port,
        externalPort: port,
        lifetimeS: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      }),
      (request) => {
        const asked = encodeNatPmpMap(request)
        const response = Uint8Array.of(0, (asked[1] ?? 0) + 128, 0, 0, 0, 0, 0, 1, ...asked.subarray(4))
        assert.deepEqual(decodeNatPmpResponse(response), { opcode: 'map', result: 0, ...request })
      },
    ),
  )
})

test('requests, other versions, other opcodes and other lengths are dropped', () => {
  for (const hex of [
    '',
    '00',
    '0000',
    '0080000000000e10cb0071',
    '0180000000000e10cb00710a',
    '0083000000000e10cb00710a',
    '0081000000000e10ca6d000000001c20',
    '0081000000000e10ca6dca6e00001c2000',
  ])
    assert.deepEqual(decodeNatPmpResponse(fromString(hex, 'hex')), MALFORMED, hex)
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      decodeNatPmpResponse(bytes)
      decodeNatPmpResponse(Uint8Array.of(0, 129, 0, 0, ...bytes))
    }),
  )
})
