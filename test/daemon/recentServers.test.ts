import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asInstant } from '../../src/base/time.js'
import { KEPT_MS, RecentServers } from '../../src/daemon/recentServers.js'

const AT = '203.0.113.1'
const server = (peerId: string, ip: string | undefined) => ({ peerId, ip, services: new Uint8Array(1) })
const names = (servers: readonly { readonly peerId: string }[]) => servers.map(({ peerId }) => peerId)

test('servers that are connected come first, and those that were a short time ago after them', () => {
  const recent = new RecentServers()
  recent.connected([server('a', AT), server('b', AT)], asInstant(0))
  assert.deepEqual(names(recent.connected([], asInstant(10))), ['a', 'b'])
  assert.deepEqual(names(recent.connected([server('b', AT)], asInstant(20))), ['b', 'a'])
  assert.deepEqual(names(recent.connected([server('b', AT)], asInstant(10 + KEPT_MS - 1))), ['b', 'a'])
  assert.deepEqual(names(recent.connected([server('b', AT)], asInstant(10 + KEPT_MS))), ['b'])
})

test('a server whose connection has just ended is still where it was', () => {
  const recent = new RecentServers()
  recent.connected([server('a', AT)], asInstant(0))
  assert.equal(recent.connected([server('a', undefined)], asInstant(1))[0]?.ip, AT)
  assert.equal(recent.connected([], asInstant(2))[0]?.ip, AT)
})

test('no more than a few of those that were are kept: the last ones', () => {
  const recent = new RecentServers()
  const many = Array.from({ length: 20 }, (_, index) => server(String(index), AT))
  recent.connected(many, asInstant(0))
  assert.deepEqual(names(recent.connected([], asInstant(1))), names(many.slice(-8)))
})
