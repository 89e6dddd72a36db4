import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JournalEntry } from '../../../simulations/hosts/engineLoop.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, asInstant, MINUTE, type Now, SECOND } from '../../../src/base/time.js'
import { Node } from '../../../src/engine/node.js'
import { RelayNode } from '../relayNode.js'
import { World } from '../world.js'

describe('a node', () => {
  it('does the same for the same seed', () => {
    for (const seed of [1, 2]) assert.deepEqual(outcomes(life(seed)), outcomes(life(seed)))
  })

  it('does other things for another seed', () => {
    assert.notDeepEqual(outcomes(life(1)), outcomes(life(2)))
  })

  it('does the same on a monotonic clock that began at another time', () => {
    assert.deepEqual(outcomes(life(3, 1_000_000_000)), outcomes(life(3)))
  })

  it('does nothing when it is woken early, and nothing else afterwards', () => {
    for (const seed of [1, 2, 3]) {
      const { journal, daemon } = life(seed)
      const random = seededRandom(seed)
      const node = new Node({ ...daemon.nodeOptions, random: seededRandom(0) }, began(journal))
      const undisturbed = new Node({ ...daemon.nodeOptions, random: seededRandom(0) }, began(journal))
      let last = began(journal)
      for (const entry of journal) {
        const now = between(last, entry.now, (random.bytes(1)[0] ?? 0) / 256)
        if (now.instant < (node.nextWake ?? Number.POSITIVE_INFINITY))
          assert.deepEqual(node.handle({ type: 'woken' }, now), [], `woken at ${now.instant}`)
        assert.deepEqual(replay(node, entry), replay(undisturbed, entry))
        assert.equal(node.nextWake, undisturbed.nextWake)
        last = entry.now
      }
    }
  })

  it('has done what was due when an input comes that was faster than the timer', () => {
    for (const seed of [1, 2, 3]) {
      const { journal, daemon } = life(seed)
      const node = new Node({ ...daemon.nodeOptions, random: seededRandom(0) }, began(journal))
      let overdue = 0
      let handled = 0
      for (const entry of journal) {
        if (entry.call.type === 'handle' && entry.call.input.type === 'woken') continue
        if (entry.call.type === 'handle' && (node.nextWake ?? entry.now.instant) < entry.now.instant)
          overdue += 1
        replay(node, entry)
        if (entry.call.type !== 'handle') continue
        handled += 1
        assert.ok(
          node.nextWake === undefined || node.nextWake >= entry.now.instant,
          `seed ${seed}: after ${entry.call.input.type} at ${entry.now.instant}, to be woken at ${node.nextWake}`,
        )
      }
      assert.ok(overdue > 50, `${overdue} of ${handled} inputs came after what was due`)
    }
  })

  it('never wants to be woken in the past, however it fares', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { ana, ben } = life(seed)
      for (const daemon of [ana, ben]) assert.equal(daemon.lateWakes, 0, `seed ${seed}, ${daemon.host.name}`)
    }
  })
})

/** Twenty eventful minutes of two nodes. */
function life(seed: number, start?: number) {
  const world = new World({ seed, uneven: true, ...(start === undefined ? {} : { start }) })
  const relays = [101, 102, 103].map((number) => new RelayNode(world, number))
  world.mesh.relays = relays.map((relay) => relay.offer())
  const house = world.house('port-restricted', { lifetimeMs: 60 * SECOND })
  const ana = world.node('ana', world.placeIn(house, 2))
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

/** What came of everything that the node was told, with the times since the beginning; a line each. */
function outcomes({ journal }: { readonly journal: readonly JournalEntry[] }): readonly string[] {
  const start = began(journal).instant
  return journal.map(({ now, call, outcome }) =>
    // A path says when it was proved.
    JSON.stringify([now.instant - start, call, call.type === 'outbound' ? null : outcome]),
  )
}

function began(journal: readonly JournalEntry[]): Now {
  const first = journal[0]
  assert.ok(first !== undefined)
  return first.now
}

function between(from: Now, to: Now, share: number): Now {
  const ms = (to.instant - from.instant) * share
  return { instant: asInstant(after(from.instant, ms)), unix: after(from.unix, ms) }
}

function replay(node: Node, { call, now }: JournalEntry): unknown {
  switch (call.type) {
    case 'handle':
      return node.handle(call.input, now)
    case 'inbound':
      return node.forwarding.inbound(call.remote.ip, call.remote.port, call.datagram, now.instant)
    case 'outbound':
      return node.forwarding.outbound(call.peer, call.datagram, now.instant)
  }
}
