import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalIp, isGlobal, scopeOf, senderBlock } from '../../src/base/address.js'
import { isStreamAddress, streamAddress, streamOf } from '../../src/base/streamAddress.js'
import { isPublishable } from '../../src/wire/publishedAddress.js'

const id = fc.integer({ min: 0, max: 0xffff * 0xfffe })

test('each stream has a canonical address of its own, which names it', () => {
  fc.assert(
    fc.property(id, (stream) => {
      const address = streamAddress(stream)
      assert.equal(canonicalIp(address.ip), address.ip)
      assert.equal(streamOf(address), stream)
    }),
  )
})

test('each stream is a source of its own to limits', () => {
  fc.assert(
    fc.property(id, id, (one, other) => {
      const [a, b] = [one, other].map((stream) => senderBlock(streamAddress(stream).ip))
      assert.equal(a === b, one === other)
    }),
  )
})

test('nobody may publish the address of a stream, and it means nothing on any network', () => {
  const address = streamAddress(7)
  assert.equal(scopeOf(address.ip), 'stream')
  assert.equal(isGlobal(address.ip), false)
  assert.equal(isPublishable(address), false)
})

test('other addresses name no stream', () => {
  for (const ip of [
    '203.0.113.1',
    '2001:db8::1',
    '100::1',
    '100:ffff::1',
    '100:ffff:1:1::2',
    '100:ffff:1::1',
  ])
    assert.equal(streamOf({ ip, port: 1 }), undefined, ip)
  assert.equal(streamOf({ ...streamAddress(1), port: 2 }), undefined)
  assert.equal(isStreamAddress('1001:ffff:1:1::1'), false)
})
