/** A machine on which only 127.0.0.1 can be bound: peers' loopback endpoints are ports on ::1. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Fleet } from './fleet.js'
import { Laboratory } from './laboratory.js'

let lab: Laboratory
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'port-restricted' })
  await fleet
    .machine('alice')
    .host.namespace.configure({}, ['address del 127.0.0.1/8 dev lo', 'address add 127.0.0.1/32 dev lo'])
  await fleet.start()
})

after(() => lab.close())

test('Without 127.0.0.0/8 each peer has a port on ::1, and pings pass both ways', async () => {
  const alice = fleet.machine('alice')
  const bob = fleet.machine('bob')
  const { loopback } = await alice.daemon.peer(bob.wireguard.keys.publicKey)
  assert.match(loopback ?? '', /^\[::1\]:\d+$/)
  assert.match((await bob.daemon.peer(alice.wireguard.keys.publicKey)).loopback ?? '', /^127\./)

  assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
  assert.equal((await bob.host.ping(alice.tunnelAddress)).received, 1)
  await alice.daemon.untilDirect(bob.wireguard.keys.publicKey)
})
