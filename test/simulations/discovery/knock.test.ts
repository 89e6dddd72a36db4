import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PASSED_MS } from '../../../simulations/discovery/knock.js'
import { MAX_KNOCKS_AT_ONCE, MAX_KNOCKS_AT_ONCE_EACH } from '../../../simulations/discovery/knockDesk.js'
import { LONGEST_MS, MOST_BYTES } from '../../../simulations/discovery/relayed.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { nth, ROUND_TRIP_MS, type TestMember, TestWorld } from './members.js'

const ANSWER = Uint8Array.of(1, 9)

/** From a member to another through a server, and back. */
const RELAYED_MS = 2 * ROUND_TRIP_MS

describe('a sealed knock', () => {
  it('is passed on by a relay, to and fro in one round trip, and leaves no connection', () => {
    const { world, ana, ben } = pair()
    for (const multiaddrs of [ben.circuits, []]) {
      ana.knock(ben, multiaddrs, Uint8Array.of(7), Uint8Array.of(9))
      assert.equal(world.until(ben, 'knock-passed'), 0.5 * RELAYED_MS)
      world.mesh.answerKnock(nth(ben.told('knock-passed'), -1 + ben.told('knock-passed').length).id, ANSWER)
      assert.equal(world.until(ana, 'knock-answered'), 0.5 * RELAYED_MS)
      assert.deepEqual(ana.told('knock-answered').at(-1), {
        type: 'knock-answered',
        peer: ben.publicKey,
        answer: ANSWER,
        sealed: true,
      })
    }
    assert.deepEqual(ben.times('knock-received'), [])
  })

  it('that is not answered in time is sent over a stream as well', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben, ben.circuits, Uint8Array.of(7), Uint8Array.of(9))
    assert.equal(world.until(ana, 'knock-answered'), PASSED_MS + 3 * RELAYED_MS)
  })
})

describe('a knock through a relay', () => {
  it('is answered after 3 round trips, and over the same connection after 1', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben)
    assert.equal(world.until(ben, 'knock-received'), 2.5 * RELAYED_MS)
    assert.equal(world.until(ana, 'knock-answered'), 0.5 * RELAYED_MS)
    ana.knock(ben)
    assert.equal(world.until(ana, 'knock-answered'), RELAYED_MS)
    // It is open for the other as well.
    ben.knock(ana)
    assert.equal(world.until(ben, 'knock-answered'), RELAYED_MS)
  })

  it('carries what was sent, the proved identity of the sender, and the answer', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben)
    world.until(ana, 'knock-answered')
    assert.deepEqual(ben.told('knock-received'), [
      { type: 'knock-received', id: 1, from: ana.identity, knock: Uint8Array.of(7) },
    ])
    assert.deepEqual(ana.told('knock-answered'), [
      { type: 'knock-answered', peer: ben.publicKey, answer: Uint8Array.of(1, 7) },
    ])
  })

  it('takes 2 round trips to the relay more where that is not connected', () => {
    const world = new TestWorld({ servers: 2 })
    const [ana, ben] = [world.member('ana'), world.member('ben')]
    const relay = '198.51.100.1'
    ana.delays.set(relay, undefined)
    for (const member of [ana, ben]) world.mesh.join(member)
    world.queue.run(20 * SECOND)
    // The last dial has failed, and the next one is seconds away.
    const { dials } = world.mesh.counts
    world.untilTrue(() => world.mesh.counts.dials > dials)
    world.queue.run(1_510)
    ana.delays.delete(relay)
    ana.knock(
      ben,
      ben.circuits.filter((circuit) => circuit.includes(relay)),
    )
    assert.equal(world.until(ana, 'knock-answered'), 2 * ROUND_TRIP_MS + 3 * RELAYED_MS)
  })

  it('goes through the servers that both know where the record names no relay', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben, [])
    assert.equal(world.until(ana, 'knock-answered'), 3 * RELAYED_MS)
    // Direct addresses, which are tried at once, have a head start over a guess.
    const cat = nth(world.settled('cat'), 0)
    cat.knock(ben, ['/ip4/192.0.2.1/tcp/51821'])
    assert.equal(world.until(cat, 'knock-answered'), 50 + 3 * RELAYED_MS)
  })

  it('goes through the second relay where the first one hangs', () => {
    const { world, ana, ben } = pair()
    const { circuits } = ben
    nth(world.servers, 0).hang()
    ana.knock(ben, circuits)
    assert.equal(world.until(ana, 'knock-answered'), 50 + 3 * RELAYED_MS)
  })

  it('is hedged after 700 ms where the connection that is open says nothing', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben)
    world.until(ana, 'knock-answered')
    nth(world.servers, 0).hang()
    ana.knock(ben)
    const took = world.until(ana, 'knock-answered')
    assert.equal(took, 700 + 50 + 3 * RELAYED_MS)
    assert.equal(ben.times('knock-received').length, 2)
  })

  it('is tried another way at once where the connection closes', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben)
    world.until(ana, 'knock-answered')
    const { circuits } = ben
    ben.onKnock = 'wait'
    ana.knock(ben, circuits)
    world.queue.run(RELAYED_MS)
    ben.onKnock = 'answer'
    nth(world.servers, 0).crash()
    // Half a round trip until that is known; the relay that is left was the second, with 50 ms for the first.
    assert.equal(world.until(ana, 'knock-answered'), ROUND_TRIP_MS / 2 + 50 + 3 * RELAYED_MS)
  })

  it('ends with the connection after 15 min, or when it has carried too much', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben)
    world.until(ana, 'knock-answered')
    world.queue.run(LONGEST_MS)
    ana.knock(ben)
    assert.equal(world.until(ana, 'knock-answered'), 3 * RELAYED_MS)
    const heavy = new Uint8Array(2_000)
    for (let knock = 0; knock < MOST_BYTES / heavy.length - 2; knock++) {
      ana.knock(ben, ben.circuits, heavy)
      assert.equal(world.until(ana, 'knock-answered'), RELAYED_MS, `knock ${knock}`)
    }
    for (let knock = 0; knock < 3; knock++) {
      ana.knock(ben, ben.circuits, heavy)
      world.until(ana, 'knock-answered')
    }
    assert.equal(ana.times('knock-failed').length, 0)
  })
})

describe('a knock to an address', () => {
  it('is answered after 3 round trips of the way between the two', () => {
    const { world, ana, ben } = pair({ ips: ['203.0.113.1'] })
    ana.delays.set('203.0.113.1', 30)
    ana.knock(ben, ben.surroundings?.multiaddrs)
    assert.equal(world.until(ana, 'knock-answered'), 180)
    ana.knock(ben, ben.surroundings?.multiaddrs)
    assert.equal(world.until(ana, 'knock-answered'), 60)
  })

  it('where nobody is fails after 1.5 s where there is no other way', () => {
    const { world, ana, ben } = pair({ servers: 0 })
    ana.knock(ben, ['/ip4/192.0.2.1/tcp/51821'])
    assert.equal(world.until(ana, 'knock-failed'), 1_500)
  })

  it('of a private network reaches the peer from its own network only', () => {
    const { world, ana, ben } = pair({ servers: 0 })
    const multiaddrs = ben.surroundings?.multiaddrs
    ana.knock(ben, multiaddrs)
    assert.equal(world.until(ana, 'knock-failed'), 1_500)
    ben.neighbours = [ana]
    ana.knock(ben, multiaddrs)
    assert.equal(world.until(ana, 'knock-answered'), 3 * ROUND_TRIP_MS)
  })
})

describe('a knock that fails', () => {
  it('says so at once where there is no address, and no server to guess at', () => {
    const { world, ana, ben } = pair({ servers: 0 })
    ana.knock(ben, [])
    assert.equal(world.until(ana, 'knock-failed'), 0)
    assert.equal(ana.told('knock-failed')[0]?.reason, 'no address to dial')
  })

  it('says so after a round trip where the relay knows no such member', () => {
    const { world, ana, ben } = pair({ servers: 1 })
    const { circuits } = ben
    world.mesh.leave(ben, 'clean')
    world.queue.run(SECOND)
    ana.knock(ben, circuits)
    assert.equal(world.until(ana, 'knock-failed'), ROUND_TRIP_MS)
    assert.equal(ana.told('knock-failed')[0]?.reason, 'it has no reservation at the relay')
  })

  it('is not tried again where the peer closes without an answer', () => {
    const { world, ana, ben } = pair()
    ben.onKnock = 'close'
    ana.knock(ben)
    assert.equal(world.until(ana, 'knock-failed'), 3 * RELAYED_MS)
    assert.equal(ana.told('knock-failed')[0]?.reason, 'the other side closed without an answer')
    world.queue.run(MINUTE)
    assert.equal(ben.times('knock-received').length, 1)
  })

  it('does so after 4 s at the latest', () => {
    const { world, ana, ben } = pair()
    ben.onKnock = 'wait'
    ana.knock(ben)
    assert.equal(world.until(ana, 'knock-failed'), 4 * SECOND)
    world.queue.run(MINUTE)
    assert.equal(ana.times('knock-failed').length, 1)
  })

  it('through an unknown relay takes 1.5 s', () => {
    const { world, ana, ben } = pair()
    ana.knock(ben, [`/ip4/192.0.2.7/tcp/51821/p2p/${nth(world.servers, 0).peerId}/p2p-circuit`])
    assert.equal(world.until(ana, 'knock-failed'), 1_500)
  })
})

describe('a peer that moved', () => {
  it('could not be knocked until its servers find its former connections dead, 30 to 35 s, by libp2p alone', () => {
    const practice = { followsMoves: false, closesFormerConnections: false }
    const { world, ana, ben } = pair({ servers: 1, practice })
    ben.ips = ['10.9.8.7']
    world.mesh.moved(ben)
    const moved = world.queue.elapsed
    world.untilTrue(() => ben.circuits.length === 0)
    world.untilTrue(() => ben.circuits.length === 1)
    while (ana.times('knock-answered').length === 0) {
      ana.knock(ben)
      world.queue.run(SECOND)
    }
    const took = world.queue.elapsed - moved
    // The server's pings are due every 30 s, and it began 1 s before.
    assert.ok(took >= 30 * SECOND && took <= 37 * SECOND, `${took} ms`)
  })

  it('can be as soon as it is connected again', () => {
    const { world, ana, ben } = pair({ servers: 1 })
    ben.ips = ['10.9.8.7']
    world.mesh.moved(ben)
    world.untilTrue(() => ben.circuits.length === 0)
    world.untilTrue(() => ben.circuits.length === 1)
    ana.knock(ben)
    assert.equal(world.until(ana, 'knock-answered'), 3 * RELAYED_MS)
  })
})

describe('too many knocks', () => {
  it('over one connection are reset, and the others answered', () => {
    const { world, ana, ben } = pair({ servers: 1 })
    ana.knock(ben)
    world.until(ana, 'knock-answered')
    ben.onKnock = 'wait'
    for (let count = 0; count < MAX_KNOCKS_AT_ONCE_EACH + 3; count++) ana.knock(ben, [])
    world.queue.run(RELAYED_MS / 2)
    assert.equal(ben.times('knock-received').length, 1 + MAX_KNOCKS_AT_ONCE_EACH)
  })

  it('from many are reset before the engine hears of them', () => {
    const world = new TestWorld({ servers: 1 })
    const [ben] = world.settled('ben')
    assert.ok(ben)
    ben.onKnock = 'wait'
    const crowd = world.settled(...Array.from({ length: MAX_KNOCKS_AT_ONCE + 10 }, (_, at) => `member ${at}`))
    for (const member of crowd) member.knock(ben)
    world.queue.run(3 * RELAYED_MS)
    assert.equal(ben.times('knock-received').length, MAX_KNOCKS_AT_ONCE)
    assert.ok(ben.drops.length >= 10 && ben.drops.every((reason) => reason === 'knock-rate-limited'))
  })
})

function pair(
  options: ConstructorParameters<typeof TestWorld>[0] & { readonly ips?: readonly string[] } = {},
): { readonly world: TestWorld; readonly ana: TestMember; readonly ben: TestMember } {
  const { ips, ...rest } = options
  const world = new TestWorld(rest)
  const [ana, ben] = [world.member('ana'), world.member('ben', ips)]
  for (const member of [ana, ben]) world.mesh.join(member)
  world.queue.run(SECOND)
  return { world, ana, ben }
}
