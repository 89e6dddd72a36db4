/** What nodes live through in tests of laws, and how to live through it again. */

import assert from 'node:assert/strict'
import type { JournalEntry } from '../../../simulations/hosts/engineLoop.js'
import { seededRandom } from '../../../src/base/random.js'
import { MINUTE, type Now, SECOND } from '../../../src/base/time.js'
import type { Agenda } from '../../../src/engine/agenda.js'
import type { Node } from '../../../src/engine/node.js'
import { RelayNode } from '../relayNode.js'
import { type Access, World } from '../world.js'

/** Twenty eventful minutes of two nodes. */
export function life(seed: number, start?: number, agenda?: Agenda) {
  const world = new World({ seed, uneven: true, ...(start === undefined ? {} : { start }) })
  const relays = [101, 102, 103].map((number) => new RelayNode(world, number))
  world.mesh.relays = relays.map((relay) => relay.offer())
  const house = world.house('port-restricted', { lifetimeMs: 60 * SECOND })
  const ana = world.nodeWith('ana', agenda && { agenda }, world.placeIn(house, 2))
  const ben = world.node('ben', world.place('address-restricted'))
  const ghost = world.plainHost('ghost', world.publicPlace())
  const journal: JournalEntry[] = []
  ana.journal = journal
  const strangers = seededRandom(seed)
  ana.host.wireguard.addPeer(ghost.publicKey)
  world.startFleet(ana, ben)
  const talk = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      if ((strangers.bytes(1)[0] ?? 0) < 200) ana.host.ping(ben.publicKey)
      if ((strangers.bytes(1)[0] ?? 0) < 50) ben.host.ping(ana.publicKey)
      world.queue.run(SECOND)
    }
  }
  talk(20)
  ana.host.ping(ghost.publicKey)
  talk(150)
  house.nat.reboot()
  talk(30)
  for (const relay of relays.slice(1)) relay.faults.isDead = true
  ben.host.detach(ben.host.ips[0] ?? '')
  ben.host.attach(world.place('full-cone'))
  ben.changeSockets()
  talk(30)
  ana.setOnline(false)
  talk(20)
  ben.host.detach(ben.host.ips[0] ?? '')
  ben.changeSockets()
  talk(40)
  ana.setOnline(true)
  ben.host.attach(world.place('open'))
  ben.changeSockets()
  talk(60)
  world.queue.run(5 * MINUTE)
  talk(10)
  ana.host.wireguard.removePeer(ben.publicKey)
  world.queue.run(5 * SECOND)
  ana.host.wireguard.addPeer(ben.publicKey)
  talk(30)
  return { journal, daemon: ana, ana, ben, world }
}

/** A minute of a node with six peers in networks of all kinds, who talk a lot: pings at random, streams, and paths that die. */
export function busyMinute(seed: number, agenda?: Agenda) {
  const world = new World({ seed, uneven: true })
  const kinds: readonly Access[] = [
    'open',
    'full-cone',
    'address-restricted',
    'port-restricted',
    'open',
    'symmetric',
  ]
  const hub = world.nodeWith('hub', agenda && { agenda }, world.place('full-cone'))
  const spokes = kinds.map((kind, index) => world.node(`spoke ${index}`, world.place(kind)))
  const journal: JournalEntry[] = []
  hub.journal = journal
  for (const spoke of spokes) {
    hub.host.wireguard.addPeer(spoke.publicKey)
    spoke.host.wireguard.addPeer(hub.publicKey)
  }
  for (const daemon of [hub, ...spokes]) daemon.start()
  world.queue.run(2 * SECOND)
  const random = seededRandom(seed)
  const talk = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      for (const [index, spoke] of spokes.entries()) {
        // The first all but streams, the last hardly speaks.
        if ((random.bytes(1)[0] ?? 0) < 160 >> index) hub.host.ping(spoke.publicKey)
        if ((random.bytes(1)[0] ?? 0) < 40 >> index) spoke.host.ping(hub.publicKey)
      }
      world.queue.run(10)
    }
  }
  talk(20 * SECOND)
  for (const index of [0, 3]) {
    const host = spokes[index]?.host
    host?.detach(host.ips[0] ?? '')
  }
  talk(10 * SECOND)
  for (const index of [0, 3]) {
    spokes[index]?.host.attach(world.place('full-cone'))
    spokes[index]?.changeSockets()
  }
  talk(15 * SECOND)
  const second = spokes[1]?.publicKey
  if (second !== undefined) hub.host.wireguard.removePeer(second)
  talk(5 * SECOND)
  if (second !== undefined) hub.host.wireguard.addPeer(second)
  talk(10 * SECOND)
  return { journal, daemon: hub }
}

/** What came of everything that the node was told, with the times since the beginning; a line each. */
export function outcomes({ journal }: { readonly journal: readonly JournalEntry[] }): readonly string[] {
  const start = began(journal).instant
  return journal.map(({ now, call, outcome }) =>
    // A path says when it was proved.
    JSON.stringify([now.instant - start, call, call.type === 'outbound' ? null : outcome]),
  )
}

/** When the journal begins. */
export function began(journal: readonly JournalEntry[]): Now {
  const first = journal[0]
  assert.ok(first !== undefined)
  return first.now
}

/** Has another node do what the entry says; returns what comes of it. */
export function replay(node: Node, { call, now }: JournalEntry): unknown {
  switch (call.type) {
    case 'handle':
      return node.handle(call.input, now)
    case 'inbound':
      return node.forwarding.inbound(call.remote.ip, call.remote.port, call.datagram, now.instant)
    case 'outbound':
      return node.forwarding.outbound(call.peer, call.datagram, now.instant)
  }
}
