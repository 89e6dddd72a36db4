import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FORGERIES } from '../../../simulations/discovery/forgery.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { periodOf } from '../../../src/wire/period.js'
import { SEALED_KNOCK_LENGTH } from '../../../src/wire/sealedKnock.js'
import { nth, ROUND_TRIP_MS, type TestMember, TestWorld } from './members.js'

describe('a publication', () => {
  it('takes a round trip, and is acknowledged by all servers', () => {
    const world = new TestWorld({ servers: 3 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const record = ana.record(1)
    ana.publish(record)
    assert.equal(world.until(ana, 'publication-ended'), ROUND_TRIP_MS)
    assert.deepEqual(ana.told('publication-ended'), [
      { type: 'publication-ended', period: periodOf(ana.clock.unix), acknowledgements: 3 },
    ])
    for (const server of world.servers) assert.equal(server.record(ana.publicKey), record)
    assert.equal(world.mesh.record(ana.publicKey), record)
  })

  it('goes to the eight closest of twelve', () => {
    const world = new TestWorld({ servers: 12, seed: 2 })
    const stores = world.settled('ana', 'ben', 'cat').map((member) => {
      member.publish(member.record(1))
      world.until(member, 'publication-ended')
      assert.equal(member.told('publication-ended')[0]?.acknowledgements, 8)
      return world.servers.map((server) => Number(server.record(member.publicKey) !== undefined)).join('')
    })
    assert.ok(new Set(stores).size > 1)
  })

  it('goes to the next closest where some are gone', () => {
    const world = new TestWorld({ servers: 12 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    ana.publish(ana.record(1))
    world.until(ana, 'publication-ended')
    for (const server of world.servers.filter((one) => one.record(ana.publicKey)).slice(0, 3)) server.crash()
    world.queue.run(SECOND)
    ana.publish(ana.record(2))
    world.until(ana, 'publication-ended')
    assert.equal(ana.told('publication-ended')[1]?.acknowledgements, 8)
  })

  it('waits for a first server, and ends after 15 s without', () => {
    const world = new TestWorld({ servers: 1 })
    const ana = world.member('ana')
    world.mesh.join(ana)
    ana.publish(ana.record(1))
    assert.equal(world.until(ana, 'publication-ended'), 4 * ROUND_TRIP_MS)
    nth(world.servers, 0).crash()
    world.queue.run(SECOND)
    ana.publish(ana.record(2))
    assert.equal(world.until(ana, 'publication-ended'), 15 * SECOND)
    assert.deepEqual(
      ana.told('publication-ended').map(({ acknowledgements }) => acknowledgements),
      [1, 0],
    )
  })

  it('of an older record is not acknowledged where the newer one is', () => {
    const world = new TestWorld({ servers: 2 })
    const [ana] = world.settled('ana')
    assert.ok(ana)
    const [older, newer] = [ana.record(1), ana.record(2)]
    for (const record of [newer, older, newer]) {
      ana.publish(record)
      world.until(ana, 'publication-ended')
    }
    assert.deepEqual(
      ana.told('publication-ended').map(({ acknowledgements }) => acknowledgements),
      [2, 0, 2],
    )
    assert.equal(world.mesh.record(ana.publicKey), newer)
  })

  it('of what is no record of its author ends at once, unacknowledged', () => {
    const world = new TestWorld({ servers: 2 })
    const [ana, ben] = world.settled('ana', 'ben')
    assert.ok(ana && ben)
    for (const bytes of [ben.record(1), Uint8Array.of(1, 2, 3)]) {
      ana.publish(bytes)
      assert.equal(world.until(ana, 'publication-ended'), 0)
    }
    assert.ok(ana.told('publication-ended').every(({ acknowledgements }) => acknowledgements === 0))
  })

  it('is held up for 300 ms by one server that hangs, and not by one that is gone', () => {
    for (const [how, expected] of [
      ['hang', ROUND_TRIP_MS + 300],
      ['crash', ROUND_TRIP_MS],
    ] as const) {
      const world = new TestWorld({ servers: 3 })
      const [ana] = world.settled('ana')
      assert.ok(ana)
      nth(world.servers, 1)[how]()
      world.queue.run(SECOND / 2)
      ana.publish(ana.record(1))
      assert.equal(world.until(ana, 'publication-ended'), expected, how)
      assert.equal(ana.told('publication-ended')[0]?.acknowledgements, 2)
    }
  })
})

describe('a look-up', () => {
  it('takes a round trip to the first record, and ends with three', () => {
    const { world, ana, ben } = published(3)
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'record-found'), ROUND_TRIP_MS)
    assert.equal(world.until(ana, 'look-up-ended'), 0)
    assert.equal(ana.told('record-found').length, 1)
  })

  it('ends 300 ms after the first valid record where others are slow', () => {
    const { world, ana, ben } = published(3)
    for (const server of world.servers.slice(1)) server.behave({ type: 'slow', ms: SECOND })
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'record-found'), ROUND_TRIP_MS)
    assert.equal(world.until(ana, 'look-up-ended'), 300)
  })

  it('of nothing ends when all have answered, and one that hangs holds it up for 1.5 s', () => {
    const world = new TestWorld({ servers: 3 })
    const [ana, ben] = world.settled('ana', 'ben')
    assert.ok(ana && ben)
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'look-up-ended'), ROUND_TRIP_MS)
    nth(world.servers, 2).hang()
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'look-up-ended'), 1_500)
    assert.equal(ana.told('record-found').length, 0)
  })

  it('waits for a first server, and ends after 5 s without', () => {
    const { world, ana, ben } = published(1)
    const cat = world.member('cat')
    world.mesh.join(cat)
    cat.lookUp(ben)
    assert.equal(world.until(cat, 'record-found'), 4 * ROUND_TRIP_MS)
    nth(world.servers, 0).crash()
    world.queue.run(SECOND)
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'look-up-ended'), 5 * SECOND)
  })

  it('yields every valid record once, old ones as well', () => {
    const { world, ana, ben } = published(3)
    nth(world.servers, 0).behave({ type: 'stale' })
    const newer = ben.record(2)
    ben.publish(newer)
    world.queue.run(SECOND)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    const found = ana.told('record-found').map(({ sealedRecord }) => sealedRecord)
    assert.equal(found.length, 2)
    assert.equal(found[1], newer)
  })

  it('finds nothing where the store was lost with the process, until the author publishes again', () => {
    const { world, ana, ben } = published(1)
    const server = nth(world.servers, 0)
    server.crash()
    server.restore()
    world.queue.run(2 * SECOND)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    ben.publish(ben.record(2))
    world.until(ben, 'publication-ended')
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    assert.equal(ana.told('record-found').length, 1)
  })

  it('is given what was asked of a process that hung, if it goes on in time', () => {
    const { world, ana, ben } = published(1)
    const server = nth(world.servers, 0)
    server.hang()
    ana.lookUp(ben)
    world.queue.run(SECOND)
    server.restore()
    assert.equal(world.until(ana, 'record-found'), ROUND_TRIP_MS / 2)
  })

  it('is given no record that has expired', () => {
    const { world, ana, ben } = published(1)
    world.queue.run(5 * HOUR)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    assert.equal(ana.told('record-found').length, 0)
    assert.equal(nth(world.servers, 0).storer.size, 0)
  })

  it('judges by the clock of the reader', () => {
    const { world, ana, ben } = published(1)
    ana.drops.length = 0
    // What was gossiped is told to whoever comes, for some seconds.
    world.queue.run(MINUTE)
    ana.clock.jump(-3 * HOUR)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    assert.deepEqual([ana.told('record-found').length, ana.drops], [0, ['record-from-future']])
  })

  it('reaches a server that was lost a moment ago by dialling it', () => {
    const { world, ana, ben } = published(2)
    const [one, other] = [nth(world.servers, 0), nth(world.servers, 1)]
    one.behave({ type: 'silent' })
    other.hang()
    world.untilTrue(() => ana.surroundings?.reflectors.length === 1)
    // The first dial after the loss is over, and the next one is far away.
    world.queue.run(20 * SECOND)
    other.restore()
    world.queue.run(10)
    ana.lookUp(ben)
    // TCP, noise, the request.
    assert.ok(world.until(ana, 'record-found') <= 3 * ROUND_TRIP_MS)
  })
})

describe('a bad storer', () => {
  it('that is slow, or silent, keeps nobody from what the others have', () => {
    for (const behaviour of [{ type: 'slow', ms: 5 * SECOND }, { type: 'silent' }] as const) {
      const { world, ana, ben } = published(2)
      nth(world.servers, 0).behave(behaviour)
      ana.lookUp(ben)
      assert.equal(world.until(ana, 'look-up-ended'), ROUND_TRIP_MS + 300)
      assert.equal(ana.told('record-found').length, 1)
    }
  })

  it('that is silent leaves a look-up without anything after 1.5 s, and is not counted by the writer', () => {
    const { world, ana, ben } = published(1)
    nth(world.servers, 0).behave({ type: 'silent' })
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'look-up-ended'), 1_500)
    ben.publish(ben.record(2))
    assert.equal(world.until(ben, 'publication-ended'), 1_500)
    assert.equal(ben.told('publication-ended').at(-1)?.acknowledgements, 0)
  })

  it('that is slow answers so much later', () => {
    const { world, ana, ben } = published(1)
    nth(world.servers, 0).behave({ type: 'slow', ms: 200 })
    ana.lookUp(ben)
    assert.equal(world.until(ana, 'record-found'), ROUND_TRIP_MS + 200)
  })

  it('that is forgetful acknowledges and has nothing', () => {
    const { world, ana, ben } = published(1)
    nth(world.servers, 0).behave({ type: 'forgetful' })
    ben.publish(ben.record(2))
    world.until(ben, 'publication-ended')
    assert.equal(ben.told('publication-ended').at(-1)?.acknowledgements, 1)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    assert.equal(ana.told('record-found').length, 0)
  })

  it('that is refusing acknowledges nothing, at once, and gives what it had', () => {
    const { world, ana, ben } = published(1)
    nth(world.servers, 0).behave({ type: 'refusing' })
    ben.publish(ben.record(2))
    assert.equal(world.until(ben, 'publication-ended'), ROUND_TRIP_MS)
    assert.equal(ben.told('publication-ended').at(-1)?.acknowledgements, 0)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    assert.equal(ana.told('record-found').length, 1)
  })

  for (const forgery of FORGERIES) {
    it(`that forges (${forgery}) is refused by the reader's mesh part, or by the engine alone`, () => {
      for (const unjudged of [false, true]) {
        const world = new TestWorld({ servers: 2, unjudged })
        const [ana, ben, cat] = world.settled('ana', 'ben', 'cat')
        assert.ok(ana && ben && cat)
        for (const author of [ben, cat]) author.publish(author.record(1))
        world.queue.run(SECOND)
        nth(world.servers, 0).behave({ type: 'forged', forgery })
        ana.lookUp(ben)
        world.until(ana, 'look-up-ended')
        const found = ana.told('record-found').map(({ sealedRecord }) => sealedRecord)
        assert.ok(found.includes(world.mesh.record(ben.publicKey) ?? new Uint8Array()))
        assert.deepEqual([found.length, ana.drops.length], unjudged ? [2, 0] : [1, 1])
      }
    })
  }

  it('is good again when it is told so', () => {
    const { world, ana, ben } = published(1)
    const server = nth(world.servers, 0)
    server.behave({ type: 'forged' })
    server.behave(undefined)
    ana.lookUp(ben)
    world.until(ana, 'look-up-ended')
    assert.equal(ana.told('record-found').length, 1)
  })
})

describe('a table that is full', () => {
  it('loses the record stored longest ago', () => {
    const world = new TestWorld({ servers: 0 })
    const server = world.server({ maxRecords: 2 })
    const members = world.settled('ana', 'ben', 'cat')
    for (const member of members) {
      member.publish(member.record(1))
      world.until(member, 'publication-ended')
    }
    assert.deepEqual(
      members.map(({ publicKey }) => server.record(publicKey) !== undefined),
      [false, true, true],
    )
  })
})

describe('gossip', () => {
  it('reaches every connected member that has the author as a peer, once, after two hops', () => {
    const { world, ana, ben, others } = gossiping(2)
    const record = ben.record(1)
    const before = world.queue.elapsed
    ben.publish(record)
    world.queue.run(MINUTE)
    assert.deepEqual(
      ana.heard.flatMap(({ atMs, input }) =>
        input.type === 'record-gossiped' ? [[atMs - before, input.sealedRecord]] : [],
      ),
      [[ROUND_TRIP_MS + 20, record]],
    )
    for (const other of others) assert.equal(other.times('record-gossiped').length, 0)
  })

  it('goes from server to server where the two have none in common', () => {
    const { world, ana, ben } = gossiping(2)
    ana.delays.set('198.51.100.1', undefined)
    ben.delays.set('198.51.100.2', undefined)
    world.mesh.waysChanged()
    world.queue.run(MINUTE)
    const before = world.queue.elapsed
    ben.publish(ben.record(1))
    world.queue.run(MINUTE)
    assert.deepEqual(
      ana.times('record-gossiped').map((atMs) => atMs - before),
      [ROUND_TRIP_MS + 30 + 40],
    )
  })

  it('that nobody hears is held until somebody does, and a knock is not', () => {
    const { world, ana, ben } = gossiping(1)
    ben.isPlugged = false
    world.mesh.waysChanged(ben)
    world.untilTrue(() => !ben.isOnline, 5 * MINUTE)
    const record = ben.record(1)
    ben.publish(record)
    world.mesh.gossipKnock(ben, new Uint8Array(SEALED_KNOCK_LENGTH).fill(1))
    world.queue.run(SECOND)
    assert.equal(ana.times('record-gossiped').length, 0)
    ben.isPlugged = true
    world.mesh.waysChanged(ben)
    world.until(ana, 'record-gossiped', 5 * MINUTE)
    assert.deepEqual(ana.told('record-gossiped'), [{ type: 'record-gossiped', sealedRecord: record }])
    assert.equal(ana.times('knock-gossiped').length, 0)
  })

  it('is told to whoever comes a few seconds later', () => {
    const { world, ben } = gossiping(1)
    ben.publish(ben.record(1))
    world.queue.run(5 * SECOND)
    const late = world.member('late')
    late.peers.add(ben.publicKey)
    world.mesh.join(late)
    world.queue.run(5 * SECOND)
    assert.equal(late.times('record-gossiped').length, 1)
  })

  it('is refused where it is older than what was gossiped of its author, or more than the author may', () => {
    const { world, ana, ben } = gossiping(1)
    const records = Array.from({ length: 9 }, (_, index) => ben.record(index))
    for (const record of [2, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((at) => records[at] ?? [])) {
      ben.publish(record)
      world.queue.run(100)
    }
    world.queue.run(SECOND)
    assert.deepEqual(
      ana.told('record-gossiped').map(({ sealedRecord }) => records.indexOf(sealedRecord)),
      [2, 3, 4, 5, 6],
    )
  })

  it('can be off', () => {
    const world = new TestWorld({ gossip: 'off' })
    const [ana, ben] = world.settled('ana', 'ben')
    assert.ok(ana && ben)
    ana.peers.add(ben.publicKey)
    ben.publish(ben.record(1))
    world.queue.run(MINUTE)
    assert.equal(ana.times('record-gossiped').length, 0)
  })
})

/** Ben's record is at all servers. */
function published(servers: number): {
  readonly world: TestWorld
  readonly ana: TestMember
  readonly ben: TestMember
} {
  const world = new TestWorld({ servers })
  const [ana, ben] = world.settled('ana', 'ben')
  assert.ok(ana && ben)
  ben.publish(ben.record(1))
  world.until(ben, 'publication-ended')
  return { world, ana, ben }
}

/** Ana has Ben as a peer, and the others don't. Servers are 40 ms apart. */
function gossiping(servers: number) {
  const world = new TestWorld({ servers: 0, gossip: { hopMs: 10 } })
  for (let count = 0; count < servers; count++) world.server({ streamDelay: () => 40 })
  const [ana, ben, ...others] = world.settled('ana', 'ben', 'cat', 'dan')
  assert.ok(ana && ben)
  ana.peers.add(ben.publicKey)
  return { world, ana, ben, others }
}
