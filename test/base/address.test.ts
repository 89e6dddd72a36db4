import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import {
  canonicalIp,
  familyOf,
  formatSocketAddress,
  ipFromBytes,
  ipToBytes,
  isPort,
  parsePrefix,
  parseSocketAddress,
  prefixContains,
  sameSocketAddress,
  scopeOf,
  senderBlock,
} from '../../src/base/address.js'

describe('IP addresses', () => {
  it('have one spelling', () => {
    const spellings: Record<string, string> = {
      '192.0.2.1': '192.0.2.1',
      '2001:DB8:0:0:0:0:0:1': '2001:db8::1',
      '2001:db8::1': '2001:db8::1',
      '2001:0db8:0000::0001': '2001:db8::1',
      '0:0:0:0:0:0:0:0': '::',
      '0:0:0:0:0:0:0:1': '::1',
      '::ffff:192.0.2.1': '192.0.2.1',
      '::ffff:c000:201': '192.0.2.1',
      '64:ff9b::192.0.2.1': '64:ff9b::c000:201',
      // RFC 5952 section 4.2: not one zero field alone, the longest run, the first of equal ones.
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
      '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
      '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    }
    for (const [text, canonical] of Object.entries(spellings))
      assert.equal(canonicalIp(text), canonical, text)
  })

  it('are not what they resemble', () => {
    const others = [
      '',
      ' 192.0.2.1',
      '192.0.2',
      '192.0.2.256',
      '192.0.2.01',
      '0x7f.0.0.1',
      '3221225985',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2::3',
      '12345::',
      'fe80::1%eth0',
      '[::1]',
      '::1/128',
      '::ffff:010.0.0.1',
      '::ffff:0x1.2.3.4',
      '::192.0.2.1',
      'localhost',
    ]
    for (const text of others) assert.equal(canonicalIp(text), undefined, text)
  })

  it('are spelled as the URL standard spells them', () => {
    fc.assert(
      fc.property(ipv6Bytes, (bytes) => {
        const ip = ipFromBytes(bytes)
        assert.ok(ip)
        if (familyOf(ip) === 6) assert.equal(new URL(`http://[${ip}]`).hostname, `[${ip}]`)
      }),
    )
  })

  it('survive the way to bytes and back', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4Bytes, ipv6Bytes), (bytes) => {
        const ip = ipFromBytes(bytes)
        assert.ok(ip)
        assert.equal(canonicalIp(ip), ip)
        assert.equal(ipFromBytes(ipToBytes(ip)), ip)
        if (familyOf(ip) === 4) assert.deepEqual(ipToBytes(ip), bytes.slice(-4))
        else assert.deepEqual(ipToBytes(ip), bytes)
      }),
    )
  })

  it('have 4 or 16 bytes', () => {
    for (const length of [0, 3, 5, 15, 17]) assert.equal(ipFromBytes(new Uint8Array(length)), undefined)
    assert.throws(() => ipToBytes('localhost'))
  })

  it('have a scope', () => {
    const scopes: Record<string, ReturnType<typeof scopeOf>> = {
      '0.0.0.0': 'unspecified',
      '::': 'unspecified',
      '127.77.1.2': 'loopback',
      '::1': 'loopback',
      '169.254.1.1': 'link-local',
      'fe80::1': 'link-local',
      '10.0.0.1': 'private',
      '172.31.255.255': 'private',
      '192.168.1.1': 'private',
      '100.64.0.1': 'private',
      'fd00::1': 'private',
      '224.0.0.1': 'multicast',
      '255.255.255.255': 'multicast',
      'ff02::1': 'multicast',
      '203.0.113.1': 'global',
      '2001:db8::1': 'global',
      '172.32.0.1': 'global',
    }
    for (const [ip, scope] of Object.entries(scopes)) assert.equal(scopeOf(ip), scope, ip)
  })
})

describe('socket addresses', () => {
  it('are read as they are printed', () => {
    const address = fc.record(
      { ip: fc.oneof(ipv4Bytes, ipv6Bytes).map((bytes) => ipFromBytes(bytes) ?? ''), port },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(address, (any) => assert.deepEqual(parseSocketAddress(formatSocketAddress(any)), any)),
    )
    assert.equal(formatSocketAddress({ ip: '2001:db8::1', port: 5 }), '[2001:db8::1]:5')
    assert.equal(formatSocketAddress({ ip: '192.0.2.1', port: 5 }), '192.0.2.1:5')
  })

  it('are not what they resemble', () => {
    const others = [
      '',
      '192.0.2.1',
      '192.0.2.1:',
      '192.0.2.1:0',
      '192.0.2.1:65536',
      '192.0.2.1:-1',
      '192.0.2.1:1 ',
      '[192.0.2.1]:1',
      '::1:1',
      '[::1]',
      '[::1]:0',
      '[::ffff:192.0.2.1]:1',
      'example.org:1',
    ]
    for (const text of others) assert.equal(parseSocketAddress(text), undefined, text)
  })

  it('have ports from 1 to 65535', () => {
    for (const good of [1, 51_821, 65_535]) assert.equal(isPort(good), true)
    for (const bad of [0, -1, 65_536, 1.5, Number.NaN]) assert.equal(isPort(bad), false)
  })

  it('are the same where both parts are', () => {
    const address = { ip: '192.0.2.1', port: 1 }
    assert.equal(sameSocketAddress(address, { ...address }), true)
    assert.equal(sameSocketAddress(address, { ...address, port: 2 }), false)
    assert.equal(sameSocketAddress(address, { ...address, ip: '192.0.2.2' }), false)
  })
})

describe('prefixes', () => {
  it('are read from CIDR notation, or a single address', () => {
    assert.deepEqual(parsePrefix('10.0.0.0/8'), { ip: '10.0.0.0', length: 8 })
    assert.deepEqual(parsePrefix('::/0'), { ip: '::', length: 0 })
    assert.deepEqual(parsePrefix('192.0.2.1'), { ip: '192.0.2.1', length: 32 })
    assert.deepEqual(parsePrefix('2001:DB8::1'), { ip: '2001:db8::1', length: 128 })
    for (const text of ['', '10.0.0.0/', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', '10.0.0.0/-1', 'x/8'])
      assert.equal(parsePrefix(text), undefined, text)
  })

  it('contain the addresses that share their first bits', () => {
    fc.assert(
      fc.property(fc.oneof(sameLength(4), sameLength(16)), fc.nat({ max: 128 }), ([a, b], any) => {
        const [ip, other] = [ipFromBytes(a) ?? '', ipFromBytes(b) ?? '']
        fc.pre(familyOf(ip) === familyOf(other))
        const length = Math.min(any, 8 * ipToBytes(ip).length)
        const shared = bits(ipToBytes(ip)).slice(0, length) === bits(ipToBytes(other)).slice(0, length)
        assert.equal(prefixContains({ ip, length }, other), shared)
      }),
    )
  })

  it("contain what ipaddr.js's own matching says, however often and in whatever order they are asked", () => {
    const pair = fc.oneof(sameLength(4), sameLength(16))
    const questions = fc.array(fc.tuple(pair, fc.nat({ max: 128 })), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(questions, (asked) => {
        const prefixes = asked.map(([[start], any]) => {
          const ip = ipFromBytes(start) ?? ''
          return { ip, length: Math.min(any, 8 * ipToBytes(ip).length) }
        })
        const ips = asked.map(([[, other]]) => ipFromBytes(other) ?? '')
        for (const _ of ['parsed', 'remembered']) {
          for (const prefix of prefixes) {
            for (const ip of [...ips, prefix.ip]) {
              const matches =
                familyOf(prefix.ip) === familyOf(ip) &&
                ipaddr.parse(ip).match(ipaddr.parse(prefix.ip), prefix.length)
              assert.equal(prefixContains(prefix, ip), matches, `${ip} in ${prefix.ip}/${prefix.length}`)
            }
          }
        }
      }),
    )
  })

  it('contain nothing of the other family', () => {
    assert.equal(prefixContains({ ip: '0.0.0.0', length: 0 }, '::1'), false)
    assert.equal(prefixContains({ ip: '::', length: 0 }, '192.0.2.1'), false)
  })
})

const port = fc.integer({ min: 1, max: 65_535 })
const ipv4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 })

/** With many zero fields, which make the spelling hard. */
const ipv6Bytes = fc
  .array(fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat({ max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((fields) => Uint8Array.from(fields.flatMap((field) => [field >> 8, field & 0xff])))

/** Two addresses of `length` bytes, often alike. */
function sameLength(length: number): fc.Arbitrary<readonly [Uint8Array, Uint8Array]> {
  const address = fc.uint8Array({ minLength: length, maxLength: length })
  return fc.tuple(address, address, fc.nat({ max: length })).map(([a, b, shared]) => {
    const other = b.slice()
    other.set(a.subarray(0, shared))
    return [a, other] as const
  })
}

function bits(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
}

it('the addresses of one IPv6 /64 are one sender, and each IPv4 address is', () => {
  assert.equal(senderBlock('203.0.113.7'), '203.0.113.7')
  assert.equal(senderBlock('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  assert.equal(senderBlock('2001:db8:1:2:ffff::1'), '2001:db8:1:2::/64')
  assert.notEqual(senderBlock('2001:db8:1:3::1'), senderBlock('2001:db8:1:2::1'))
})
