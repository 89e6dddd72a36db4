import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalIp } from '../../src/base/address.js'
import { SenderCache, socketAddressBytes } from '../../src/io/socketAddressBytes.js'

const ip = fc
  .oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.nat(3).map((last) => `2001:db8::${last}`),
  )
  // There are spellings that are not taken.
  .map((text) => canonicalIp(text) ?? '192.0.2.1')
const port = fc.integer({ min: 1, max: 65_535 })
/** IPv4 within IPv6 is written as IPv4, and link-local addresses are none. */
const isPlain = (text: string): boolean => !/^fe[89ab]/.test(text)

test('a sender is who the bytes say, however many were before', () => {
  const senders = new SenderCache()
  fc.assert(
    fc.property(
      fc.array(fc.record({ ip: ip.filter(isPlain), port }, { noNullPrototype: true }), { maxLength: 50 }),
      (addresses) => {
        for (const address of [...addresses, ...addresses]) {
          const bytes = socketAddressBytes(address)
          assert.deepEqual(senders.at(new DataView(bytes.buffer), 0), address)
        }
      },
    ),
  )
})

test('a link-local sender of IPv6 and one at port 0 are none', () => {
  const senders = new SenderCache()
  for (const address of [
    { ip: 'fe80::1', port: 7 },
    { ip: 'febf::1', port: 7 },
    { ip: '192.0.2.1', port: 0 },
    { ip: '2001:db8::1', port: 0 },
  ])
    assert.equal(senders.at(new DataView(socketAddressBytes(address).buffer), 0), undefined)
})

test('the system takes the forms for what they are', () => {
  assert.deepEqual([...socketAddressBytes({ ip: '192.0.2.1', port: 258 })].slice(2, 8), [1, 2, 192, 0, 2, 1])
  assert.equal(socketAddressBytes({ ip: '2001:db8::1', port: 258 }).length, 28)
})
