import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ip6, type PrivateRange, privateIp4, publicIp4 } from '../../../simulations/network/addresses.js'
import { canonicalIp, parsePrefix, prefixContains, scopeOf } from '../../../src/base/address.js'

const subnet = fc.nat(255)
const range: fc.Arbitrary<PrivateRange> = fc.oneof(
  fc.record({ type: fc.constant('home' as const), subnet }),
  fc.record({ type: fc.constant('company' as const), subnet }),
  fc.record({ type: fc.constant('carrier' as const), subnet }),
)

describe('simulated addresses', () => {
  it('that are public are spelt as they are to be, mean the same everywhere, and are never given twice', () => {
    const given = Array.from({ length: 20_000 }, (_, number) => publicIp4(number))
    assert.equal(new Set(given).size, given.length)
    for (const ip of given) assert.ok(canonicalIp(ip) === ip && scopeOf(ip) === 'global', ip)
    assert.deepEqual(
      [0, 253, 254, 508, 762].map((number) => publicIp4(number)),
      ['203.0.113.1', '203.0.113.254', '198.51.100.1', '192.0.2.1', '198.18.0.1'],
    )
  })

  it('that are private are spelt as they are to be, mean something in their network alone, and are never given twice', () => {
    fc.assert(
      fc.property(range, fc.uniqueArray(fc.nat(60_000)), (range, numbers) => {
        const given = numbers.map((number) => privateIp4(range, number))
        assert.equal(new Set(given).size, given.length)
        for (const ip of given) assert.ok(canonicalIp(ip) === ip && scopeOf(ip) === 'private', ip)
      }),
    )
  })

  it('behind a carrier-grade NAT are of RFC 6598, and begin after the gateway', () => {
    const shared = parsePrefix('100.64.0.0/10')
    assert.ok(shared !== undefined)
    for (const number of [0, 1, 254, 65_533]) {
      for (const subnet of [0, 63, 64, 255])
        assert.ok(prefixContains(shared, privateIp4({ type: 'carrier', subnet }, number)))
    }
    assert.equal(privateIp4({ type: 'carrier', subnet: 3 }, 0), '100.67.0.2')
    assert.equal(privateIp4({ type: 'home', subnet: 7 }, 0), '192.168.7.2')
    assert.equal(privateIp4({ type: 'home', subnet: 7 }, 252), '192.168.7.254')
    assert.equal(privateIp4({ type: 'home', subnet: 7 }, 253), '10.7.0.2')
  })

  it('of IPv6 are in the prefix of their site', () => {
    fc.assert(
      fc.property(fc.nat(60_000), fc.nat(60_000), (network, number) => {
        const ip = ip6(network, number)
        const prefix = parsePrefix(`${ip6(network, 0)}/48`)
        assert.ok(canonicalIp(ip) === ip && scopeOf(ip) === 'global', ip)
        assert.ok(prefix !== undefined && prefixContains(prefix, ip))
      }),
    )
    assert.notEqual(ip6(0, 0), ip6(1, 0))
  })

  it('are refused when none is left', () => {
    assert.throws(() => publicIp4(200_000))
    assert.throws(() => privateIp4({ type: 'company', subnet: 1 }, 65_534))
    assert.throws(() => privateIp4({ type: 'carrier', subnet: 1 }, 65_534))
    assert.throws(() => ip6(0, 65_534))
    assert.throws(() => ip6(65_535, 0))
  })
})
