import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalIp, isGlobal, scopeOf, senderBlock } from '../../src/base/address.js'
import { isStreamAddress, streamAddress } from '../../src/base/streamAddress.js'
import { isPublishable } from '../../src/wire/publishedAddress.js'
import { socketAddress } from '../wire/arbitraries.js'

/** What a connection may come from: nothing in ::/16, where IPv4 addresses stand. */
const source = socketAddress.map(({ ip }) => ip).filter((ip) => ip.includes('.') || /^[1-9a-f]/.test(ip))
const id = fc.integer({ min: 0, max: 0xffff * 0xfffe })

test('each stream has a canonical address of its own, whatever it comes from', () => {
  fc.assert(
    fc.property(id, id, fc.option(source, { nil: undefined }), (stream, other, from) => {
      const address = streamAddress(stream, from)
      assert.equal(canonicalIp(address.ip), address.ip)
      assert.ok(isStreamAddress(address.ip))
      assert.equal(address.ip === streamAddress(other, from).ip, stream === other)
    }),
  )
})

test('to limits a stream is where it comes from, as a datagram of there would be', () => {
  fc.assert(
    fc.property(id, source, (stream, from) => {
      assert.equal(senderBlock(streamAddress(stream, from).ip), senderBlock(from))
    }),
  )
  assert.equal(senderBlock(streamAddress(1).ip), senderBlock(streamAddress(2).ip))
})

test('nobody may publish the address of a stream, and it means nothing on any network', () => {
  const address = streamAddress(7)
  assert.equal(scopeOf(address.ip), 'stream')
  assert.equal(isGlobal(address.ip), false)
  assert.equal(isPublishable(address), false)
})

test('other addresses stand for no stream', () => {
  for (const other of ['203.0.113.1', '2001:db8::1', '100::1', '1001:ffff:1:1::1', 'fe80::100:ffff:1:1'])
    assert.equal(isStreamAddress(other), false, other)
})
