import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { rankOwnMultiaddrs } from '../../src/daemon/ownMultiaddrs.js'
import { MAX_MULTIADDRS } from '../../src/wire/record.js'

const RELAY_1 = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
const RELAY_2 = '12D3KooWSakGi3TgU51Aac4PyhJ8dq9CZwLqvPBPxXQWxYZzGqDV'

const direct = {
  private: '/ip4/192.168.1.2/tcp/51821',
  private6: '/ip6/fd00::2/tcp/51821',
  global: '/ip4/198.51.100.7/tcp/51821',
  global6: '/ip6/2a00::7/tcp/51821',
}

function circuit(relay: string, ip: string): string {
  return `/ip4/${ip}/tcp/51821/p2p/${relay}/p2p-circuit`
}

const circuits = {
  private1: circuit(RELAY_1, '10.0.0.1'),
  global1: circuit(RELAY_1, '8.8.8.1'),
  global1b: circuit(RELAY_1, '8.8.4.1'),
  global2: circuit(RELAY_2, '8.8.8.2'),
}

describe('A record names', () => {
  const all = [...Object.values(direct), ...Object.values(circuits)]
  const rankedCircuits = [circuits.global1, circuits.global2, circuits.global1b, circuits.private1]

  test('of a node behind a NAT the circuits first, then global addresses, then private ones', () => {
    assert.deepEqual(rankOwnMultiaddrs(all, false), [
      ...rankedCircuits,
      ...[direct.global, direct.global6, direct.private, direct.private6],
    ])
  })

  test('of a node that serves the global addresses first, then circuits, then private addresses', () => {
    assert.deepEqual(rankOwnMultiaddrs(all, true), [
      ...[direct.global, direct.global6],
      ...rankedCircuits,
      ...[direct.private, direct.private6],
    ])
  })

  test('a name among the global addresses', () => {
    const name = '/dns4/node.example.org/tcp/1'
    assert.deepEqual(rankOwnMultiaddrs([direct.private, name], true), [name, direct.private])
  })

  test('both relays, however many addresses the first one has', () => {
    const many = Array.from({ length: 20 }, (_, at) => circuit(RELAY_1, `8.8.8.${at + 1}`))
    const named = rankOwnMultiaddrs([...many, circuits.global2], false).slice(0, MAX_MULTIADDRS)
    assert.ok(named.includes(circuits.global2))
  })
})

test('nothing is lost and nothing added by the order, which a second time changes nothing', () => {
  const some = fc.array(fc.constantFrom(...Object.values(direct), ...Object.values(circuits)))
  fc.assert(
    fc.property(some, fc.boolean(), (addresses, serves) => {
      const ranked = rankOwnMultiaddrs(addresses, serves)
      assert.deepEqual(ranked.toSorted(), addresses.toSorted())
      assert.deepEqual(rankOwnMultiaddrs(ranked, serves), ranked)
    }),
  )
})
