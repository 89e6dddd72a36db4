import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import {
  decodeServices,
  encodeServices,
  MAX_REFLECTORS,
  MAX_RELAY_LOAD,
  MAX_SERVICES_LENGTH,
  type RelayService,
  type Services,
} from '../../src/wire/services.js'
import { bytes, mutated, plain, publishableAddress } from './arbitraries.js'

describe('lists of services', () => {
  it('have these very bytes, both ways', () => {
    const services: Services = {
      version: 1,
      reflectors: [
        { ip: '203.0.113.10', port: 51_821 },
        { ip: '2001:db8::10', port: 1_024 },
      ],
    }
    const hex = '0801 120a 0a04cb00710a 10ed9403 1215 0a1020010db8000000000000000000000010 108008'
    const encoded = fromString(hex.replaceAll(' ', ''), 'hex')
    assert.deepEqual(encodeServices(services), encoded)
    assert.deepEqual(decodeServices(encoded), services)
  })

  it('name a relay with its key and its load, and one that breaks a rule is neither encoded nor decoded', () => {
    const publicKey = new Uint8Array(32).fill(0x0b)
    const services: Services = { version: 1, reflectors: [], relay: { publicKey, load: 200 } }
    const encoded = fromString(`0801 1a25 0a20${'0b'.repeat(32)} 10c801`.replaceAll(' ', ''), 'hex')
    assert.deepEqual(encodeServices(services), encoded)
    assert.deepEqual(decodeServices(encoded), services)
    for (const relay of [
      { publicKey, load: 256 },
      { publicKey, load: -1 },
      { publicKey, load: 0.5 },
      { publicKey: publicKey.subarray(1), load: 0 },
    ])
      assert.throws(() => encodeServices({ ...services, relay }), RangeError)
    for (const hex of [
      '0801 1a00',
      `0801 1a21 0a1f${'0b'.repeat(31)}`,
      `0801 1a25 0a20${'0b'.repeat(32)} 108002`,
    ])
      assert.deepEqual(decodeServices(fromString(hex.replaceAll(' ', ''), 'hex')), {
        dropped: 'services-malformed',
      })
  })

  it('survive the way there and back', () => {
    fc.assert(
      fc.property(anyServices, (services) => {
        const encoded = encodeServices(services)
        assert.ok(encoded.length <= MAX_SERVICES_LENGTH)
        assert.deepEqual(decodeServices(encoded), services)
      }),
    )
  })

  it('never throw when decoded', () => {
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      anyServices.map(encodeServices).chain(mutated),
    )
    fc.assert(
      fc.property(rubbish, (any) => {
        const decoded = decodeServices(any)
        if (!isDropped(decoded)) assert.deepEqual(decodeServices(encodeServices(decoded)), decoded)
      }),
    )
  })

  it('with an address that is not for others are neither encoded nor decoded', () => {
    for (const ip of ['127.0.0.1', '0.0.0.0', '224.0.0.1', '::1', '::', 'ff02::1'])
      assert.throws(() => encodeServices({ version: 1, reflectors: [{ ip, port: 1 }] }), RangeError, ip)
    const malformed = {
      'a loopback address': '0801 1208 0a047f000001 1001',
      'port 0': '0801 1206 0a04cb00710a',
      'an IPv4 address in 16 bytes': '0801 1214 0a1000000000000000000000ffffcb00710a 1001',
      'an address of 3 bytes': '0801 1207 0a03cb0071 1001',
    }
    for (const [name, hex] of Object.entries(malformed))
      assert.deepEqual(
        decodeServices(fromString(hex.replaceAll(' ', ''), 'hex')),
        { dropped: 'services-malformed' },
        name,
      )
  })

  it('of another version, too long, or with too many addresses are malformed', () => {
    const malformed = [
      new Uint8Array(0),
      Uint8Array.of(8, 2),
      new Uint8Array(MAX_SERVICES_LENGTH + 1),
      fromString(`0801${'12080a04cb00710a1001'.repeat(MAX_REFLECTORS + 1)}`, 'hex'),
    ]
    for (const encoded of malformed)
      assert.deepEqual(decodeServices(encoded), { dropped: 'services-malformed' })
    const reflectors = new Array(MAX_REFLECTORS + 1).fill({ ip: '203.0.113.10', port: 1 })
    assert.throws(() => encodeServices({ version: 1, reflectors }), RangeError)
  })
})

const anyRelay = plain<RelayService>({ publicKey: bytes(32), load: fc.nat({ max: MAX_RELAY_LOAD }) })

const anyServices: fc.Arbitrary<Services> = fc
  .tuple(fc.array(publishableAddress, { maxLength: MAX_REFLECTORS }), fc.option(anyRelay))
  .map(([reflectors, relay]) => ({ version: 1, reflectors, ...(relay === null ? {} : { relay }) }))
