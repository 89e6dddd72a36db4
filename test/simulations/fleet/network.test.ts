import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Machine } from '../../../simulations/fleet/machine.js'
import { MAX_CONNECTIONS, Network, SILENCE_MS } from '../../../simulations/fleet/network.js'
import { startMachines } from './startMachines.js'

const RTT_MS = 100

function leave(machine: Machine, silently: boolean, now: number): void {
  machine.isOnline = false
  machine.offlineSince = now
  machine.leftSilently = silently
}

function startTwo(): { readonly network: Network; readonly client: Machine; readonly server: Machine } {
  const machines = startMachines(2, 1)
  const [server = assert.fail(), client = assert.fail()] = machines
  return { network: new Network(machines, RTT_MS), client, server }
}

test('the first request takes longer than the next, and leaves a connection; servers enter routing tables, clients do not', () => {
  const { network, client, server } = startTwo()
  const first = network.request(client, server, 'get', 1)
  const next = network.request(client, server, 'get', 2)
  assert(first.answered && next.answered)
  assert(first.ms > 2 * next.ms)
  assert(network.isConnected(client, server, 3) && network.isConnected(server, client, 3))
  assert.deepEqual([...client.table], [server.id])
  assert.deepEqual([...server.table], [])
  assert.equal(client.load.requests, 2)
  assert(
    client.load.sent > 0 &&
      client.load.sent + client.load.received === server.load.sent + server.load.received,
  )
})

test('who says that he leaves is known to be gone at once; of who does not, only when pings fail', () => {
  for (const silently of [false, true]) {
    const { network, client, server } = startTwo()
    network.dial(client, server, 0)
    leave(server, silently, 1_000)
    assert.equal(network.isConnected(client, server, 1_001), silently)
    assert.equal(network.isConnected(client, server, 1_001 + SILENCE_MS), false)
  }
})

test('one that could not be reached leaves the routing table, and is not dialled again for a while', () => {
  const { network, client, server } = startTwo()
  network.dial(client, server, 0)
  leave(server, true, 1_000)
  const outcome = network.dial(client, server, 60_000)
  assert.equal(outcome.answered, false)
  assert(outcome.ms > 0)
  assert.deepEqual([...client.table], [])
  assert.deepEqual(network.dial(client, server, 60_001), { answered: false, ms: 0 })
})

test('a connection of an earlier session is none', () => {
  const { network, client, server } = startTwo()
  network.dial(client, server, 0)
  leave(server, true, 1_000)
  server.isOnline = true
  server.onlineSince = 2_000
  assert.equal(network.isConnected(client, server, 2_001), false)
})

test('in a partition nobody reaches the other side, and all do when it heals', () => {
  const { network, client, server } = startTwo()
  network.dial(client, server, 0)
  network.isPartitioned = true
  assert.equal(network.request(client, server, 'get', 10).answered, false)
  assert.equal(network.dial(client, server, 20).answered, false)
  network.isPartitioned = false
  assert.equal(network.dial(client, server, 100_000).answered, true)
})

test('a server takes no more connections than it may, and has room again when some are gone', () => {
  const machines = startMachines(MAX_CONNECTIONS.serving + 2, 1)
  const network = new Network(machines, RTT_MS)
  const [server = assert.fail(), ...clients] = machines
  const [last = assert.fail(), gone = assert.fail()] = clients.reverse()
  for (const client of clients.slice(1)) assert(network.dial(client, server, 0).answered)
  assert.equal(network.dial(last, server, 0).answered, false)
  leave(gone, false, 1_000)
  assert.equal(network.dial(last, server, 60_000).answered, true)
})

test('connections that are of no use are closed, but for a few', () => {
  const machines = startMachines(41, 40)
  const network = new Network(machines, RTT_MS)
  const [one = assert.fail(), ...others] = machines
  for (const other of others) network.dial(one, other, 0)
  network.tidy(one, 60_000)
  assert.equal(one.links.size, 40)
  network.tidy(one, 10 * 60_000)
  assert.equal(one.links.size, 12)
})

test('a full place in a routing table is given to another only if somebody there is gone', () => {
  const machines = Array.from({ length: 11 }, (_, index) => new Machine(index, index + 1, 'open', false, 0))
  const network = new Network(machines, RTT_MS)
  for (const machine of machines) machine.isOnline = true
  for (const machine of machines) machine.onlineSince = 0
  const [one = assert.fail(), ...others] = machines
  for (const other of others) network.dial(one, other, 0)
  assert.equal(one.table.size, 8)
  const [gone = assert.fail()] = others
  leave(gone, false, 1)
  const last = others.at(-1) ?? assert.fail()
  network.disconnect(one, last)
  network.dial(one, last, 2)
  assert.equal(one.table.has(last.id), true)
  assert.equal(one.table.has(gone.id), false)
})
