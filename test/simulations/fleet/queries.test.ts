import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Announcement, Machine } from '../../../simulations/fleet/machine.js'
import { Network } from '../../../simulations/fleet/network.js'
import { lookUp, placeOf, publish, RECORD_LIFE_MS } from '../../../simulations/fleet/queries.js'
import { REPLICATION } from '../../../src/engine/dht/query.js'
import { startMachines } from './startMachines.js'

/** A fleet in which everybody is connected to the first server, and that one knows all servers it has room for. */
function startStar(
  count: number,
  serving: number,
): { readonly network: Network; readonly machines: readonly Machine[] } {
  const machines = startMachines(count, serving)
  const network = new Network(machines, 100)
  const [first = assert.fail(), ...others] = machines
  for (const machine of others) network.dial(machine, first, 0)
  return { network, machines }
}

function announce(version: number, issuedAt: number): Announcement {
  return { version, issuedAt, relays: [] }
}

test('what one publishes is stored by the servers nearest to its place, and all others find it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2, max: 20 }), (serving, clients) => {
      const { network, machines } = startStar(serving + clients, serving)
      const author = machines.at(-1) ?? assert.fail()
      const { stored } = publish(network, author, announce(1, 1_000), 1_000)
      assert(stored >= Math.min(serving, REPLICATION))
      const nearest = machines
        .filter(({ serves }) => serves)
        .toSorted((a, b) => (a.id ^ placeOf(author)) - (b.id ^ placeOf(author)))
      for (const server of nearest.slice(0, REPLICATION)) assert(server.stored.has(author))
      for (const reader of machines) {
        if (reader === author) continue
        const { found, firstMs, endMs } = lookUp(network, reader, author, 2_000)
        assert.equal(found?.version, 1)
        assert(firstMs !== undefined && firstMs <= endMs)
      }
    }),
    { numRuns: 30 },
  )
})

test('where all that are known nearest to the place are gone, those further off are asked', () => {
  const { network, machines } = startStar(40, 36)
  const [reader = assert.fail(), author = assert.fail()] = machines.slice(-2)
  const servers = machines
    .filter(({ serves }) => serves)
    .toSorted((a, b) => (a.id ^ placeOf(author)) - (b.id ^ placeOf(author)))
  for (const server of servers) for (const machine of [reader, author]) machine.table.add(server.id)
  for (const gone of servers.slice(0, REPLICATION + 2)) {
    gone.isOnline = false
    gone.leftSilently = true
    gone.offlineSince = 500
    reader.unlink(gone)
  }
  publish(network, author, announce(1, 1_000), 1_000)
  assert.equal(lookUp(network, reader, author, 60_000).found?.version, 1)
})

test('the newest of what is found is taken, and an older record never replaces a newer one', () => {
  const { network, machines } = startStar(12, 10)
  const [reader = assert.fail(), author = assert.fail()] = machines.slice(-2)
  publish(network, author, announce(2, 1_000), 1_000)
  publish(network, author, announce(1, 2_000), 2_000)
  assert.equal(lookUp(network, reader, author, 3_000).found?.version, 2)
})

test('a record is believed for its life, and no longer', () => {
  const { network, machines } = startStar(4, 2)
  const [reader = assert.fail(), author = assert.fail()] = machines.slice(-2)
  publish(network, author, announce(1, 0), 0)
  assert.notEqual(lookUp(network, reader, author, RECORD_LIFE_MS - 1).found, undefined)
  assert.equal(lookUp(network, reader, author, RECORD_LIFE_MS).found, undefined)
})

test('who reaches nobody finds nothing, and stores nothing', () => {
  const machines = startMachines(2, 0)
  const network = new Network(machines, 100)
  const [reader = assert.fail(), author = assert.fail()] = machines
  assert.equal(publish(network, author, announce(1, 0), 0).stored, 0)
  assert.equal(lookUp(network, reader, author, 1).found, undefined)
})
