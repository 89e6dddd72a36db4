import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as textOf } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import { decodePcpResponse, encodePcpAnnounce, encodePcpMap } from '../../src/wire/pcp.js'
import { plain, socketAddress } from './arbitraries.js'

const NONCE = fromString('000102030405060708090a0b', 'hex')
const protocol = fc.constantFrom('udp', 'tcp')
const port = fc.integer({ min: 1, max: 65_535 })

/** What a gateway makes of a request: the same with the highest bit of the opcode set, a result and an epoch. */
function responseTo(request: Uint8Array, result = 0, epochS = 7): Uint8Array {
  const response = request.slice()
  const view = new DataView(response.buffer)
  view.setUint8(1, view.getUint8(1) | 0x80)
  view.setUint8(3, result)
  view.setUint32(8, epochS)
  return response
}

test('an ANNOUNCE request has the bytes of RFC 6887 section 7.1', () => {
  assert.equal(
    textOf(encodePcpAnnounce('192.168.1.10'), 'hex'),
    '0200000000000000' + '00000000000000000000ffffc0a8010a',
  )
})

test('a MAP request has the bytes of RFC 6887 sections 7.1 and 11.1', () => {
  const request = encodePcpMap({
    clientIp: '192.168.1.10',
    nonce: NONCE,
    protocol: 'udp',
    internalPort: 51_821,
    external: { ip: '0.0.0.0', port: 51_822 },
    lifetimeS: 1_200,
  })
  assert.equal(
    textOf(request, 'hex'),
    [
      '02010000000004b0',
      '00000000000000000000ffffc0a8010a',
      '000102030405060708090a0b',
      '11000000',
      'ca6dca6e',
      '00000000000000000000ffff00000000',
    ].join(''),
  )
})

test('a MAP response has the bytes of RFC 6887 sections 7.2 and 11.1', () => {
  const bytes = [
    '02810000000004b0',
    '00000e10',
    '000000000000000000000000',
    '000102030405060708090a0b',
    '06000000',
    'ca6dca6e',
    '00000000000000000000ffffcb00710a',
  ].join('')
  assert.deepEqual(decodePcpResponse(fromString(bytes, 'hex')), {
    opcode: 'map',
    result: 0,
    lifetimeS: 1_200,
    epochS: 3_600,
    nonce: NONCE,
    protocol: 'tcp',
    internalPort: 51_821,
    external: { ip: '203.0.113.10', port: 51_822 },
  })
})

test('what a request says comes back in its response', () => {
  fc.assert(
    fc.property(
      plain({
        clientIp: socketAddress.map(({ ip }) => ip),
        nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
        protocol,
        internalPort: port,
        external: socketAddress,
        lifetimeS: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      }),
      ({ clientIp, ...request }) => {
        const response = decodePcpResponse(responseTo(encodePcpMap({ clientIp, ...request })))
        assert.deepEqual(response, { opcode: 'map', result: 0, epochS: 7, ...request })
      },
    ),
  )
})

test('an answer to ANNOUNCE is read, also one that refuses', () => {
  const announced = responseTo(encodePcpAnnounce('10.0.0.2'), 3)
  assert.deepEqual(decodePcpResponse(announced), { opcode: 'announce', result: 3, lifetimeS: 0, epochS: 7 })
})

test('a success without an outer port is dropped, and a mapping that was removed is not', () => {
  const request = {
    clientIp: '10.0.0.2',
    nonce: NONCE,
    protocol: 'udp',
    internalPort: 1,
    external: { ip: '::', port: 0 },
  } as const
  const granted = responseTo(encodePcpMap({ ...request, lifetimeS: 10 }))
  assert.deepEqual(decodePcpResponse(granted), { dropped: 'gateway-malformed' })
  const removed = decodePcpResponse(responseTo(encodePcpMap({ ...request, lifetimeS: 0 })))
  assert.ok(!isDropped(removed))
})

test('requests, other versions, other lengths and other protocols are dropped', () => {
  const request = encodePcpMap({
    clientIp: '10.0.0.2',
    nonce: NONCE,
    protocol: 'udp',
    internalPort: 1,
    external: { ip: '0.0.0.0', port: 2 },
    lifetimeS: 10,
  })
  const response = responseTo(request)
  const altered = (at: number, byte: number) => response.map((old, index) => (index === at ? byte : old))
  for (const bytes of [
    request,
    altered(0, 1),
    altered(36, 50),
    response.subarray(0, 59),
    response.subarray(0, 56),
    new Uint8Array(1_104).fill(2),
  ])
    assert.deepEqual(decodePcpResponse(bytes), { dropped: 'gateway-malformed' })
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      decodePcpResponse(bytes)
      decodePcpResponse(Uint8Array.of(2, 0x81, ...bytes))
    }),
  )
})

test('a nonce of another length is refused', () => {
  assert.throws(
    () =>
      encodePcpMap({
        clientIp: '10.0.0.2',
        nonce: new Uint8Array(11),
        protocol: 'udp',
        internalPort: 1,
        external: { ip: '0.0.0.0', port: 0 },
        lifetimeS: 1,
      }),
    RangeError,
  )
})
