import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../../src/base/random.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { SealedKnocks } from '../../../src/engine/directory/sealedKnocks.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input } from '../../../src/engine/inputs.js'
import { encodeKnock } from '../../../src/wire/knock.js'
import { SEALED_KNOCK_LENGTH } from '../../../src/wire/sealedKnock.js'
import {
  firstMessage,
  pairKeysOf,
  sealedRecordOf,
  signedRecordOf,
  type TestNode,
  testNode,
} from '../nodes.js'
import { nowAt, UNIX_START } from '../virtualTime.js'
import { ROUND_TRIP_MS, World } from '../world.js'
import { NodeByHand } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const CARL = testNode(3)
const BENS_RECORD = signedRecordOf(BEN, {
  candidates: [{ type: 'server-reflexive', address: { ip: '203.0.113.5', port: 40_000 } }],
})

describe('a knock that no stream can carry', () => {
  it('is gossiped, answered by gossip, and the ping gets through', () => {
    const { world, ana, ben } = gossiping()
    world.mesh.faults.losesKnock = () => true
    const took = world.awaitPing(ana.host.ping(ben.publicKey))
    // The stream is waited for a second.
    assert.ok(took <= SECOND + 6 * ROUND_TRIP_MS, `${took} ms`)
    // Our knock, and the answer to it.
    assert.ok(gossiped(world) >= 2 && gossiped(world) <= 3, `${gossiped(world)} gossips`)
  })

  it('is gossiped though the mesh has no record of the peer', () => {
    const { world, ana, ben } = gossiping()
    ana.host.wireguard.removePeer(ben.publicKey)
    world.queue.run(2 * SECOND)
    ana.host.wireguard.addPeer(ben.publicKey)
    world.queue.run(2 * SECOND)
    world.mesh.faults.lookUp = () => []
    world.mesh.faults.losesKnock = () => true
    const took = world.awaitPing(ana.host.ping(ben.publicKey))
    assert.ok(took <= SECOND + 6 * ROUND_TRIP_MS, `${took} ms`)
  })

  it('is not gossiped where a stream does it', () => {
    const { world, ana, ben } = gossiping()
    world.awaitPing(ana.host.ping(ben.publicKey))
    world.queue.run(MINUTE)
    assert.equal(gossiped(world), 0)
  })

  it('is not gossiped where a stream does it, and checks do not get through all the same', () => {
    const world = new World({ seed: 21, gossips: true })
    const ana = world.node('ana', world.place('symmetric'))
    const ben = world.node('ben', world.place('symmetric'))
    world.startFleet(ana, ben)
    world.queue.run(MINUTE)
    ana.host.ping(ben.publicKey)
    world.queue.run(10 * MINUTE)
    assert.ok(world.mesh.counts.knocks >= 3)
    assert.equal(gossiped(world), 0)
  })

  it('is gossiped ever more rarely for a peer that is dead', () => {
    const { world, ana, ben } = gossiping()
    ben.crash()
    for (let minute = 0; minute < 30; minute++) {
      ana.host.ping(ben.publicKey)
      world.queue.run(MINUTE)
    }
    assert.ok(gossiped(world) <= 12, `${gossiped(world)} gossips in half an hour`)
  })

  it('is gossiped for a few at once, however many are wanted', () => {
    const peers = Array.from({ length: 100 }, (_, index) => testNode(index + 10))
    const ana = new NodeByHand(ANA, peers)
    ana.tell({
      type: 'mesh-changed',
      connected: true,
      multiaddrs: [],
      reflectors: [],
      relays: [],
      gossips: true,
    })
    const effects = peers.flatMap((peer) => [
      ...ana.tell({
        type: 'wireguard-sent',
        peer: peer.publicKey,
        datagram: firstMessage(ANA, peer),
      }),
      ...ana.tell({ type: 'look-up-ended', peer: peer.publicKey }),
    ])
    assert.equal(gossipIn(effects).length, 10)
  })

  it('is gossiped as soon as somebody hears it', () => {
    const ana = new NodeByHand(ANA, [BEN])
    const mesh = {
      type: 'mesh-changed',
      connected: true,
      multiaddrs: [],
      reflectors: [],
      relays: [],
    } as const
    ana.tell({ ...mesh, gossips: false })
    ana.tell({ type: 'wireguard-sent', peer: BEN.publicKey, datagram: firstMessage(ANA, BEN) })
    assert.deepEqual(gossipIn(ana.tell({ type: 'look-up-ended', peer: BEN.publicKey })), [])
    ana.pass(SECOND)
    assert.equal(gossipIn(ana.tell({ ...mesh, gossips: true })).length, 1)
  })

  it('is gossiped also where no server is connected, but somebody who hears it', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.tell({
      type: 'mesh-changed',
      connected: false,
      multiaddrs: [],
      reflectors: [],
      relays: [],
      gossips: true,
    })
    const datagram = firstMessage(ANA, BEN)
    const effects = ana.tell({ type: 'wireguard-sent', peer: BEN.publicKey, datagram })
    assert.equal(gossipIn(effects).length, 1)
  })
})

describe('a gossiped knock', () => {
  it('makes us check the sender, and is answered once we know where we are', () => {
    const { ana, knock } = knocked()
    const effects = ana.tell(knock(0))
    assert.deepEqual(types(effects), ['gossip-knock', 'log', 'remember', 'send'])
    assert.equal(gossipIn(effects).length, 1)
  })

  it('that is replayed does nothing at all but count, a thousand times over', () => {
    const { ana, knock } = knocked()
    const first = knock(0)
    const second = knock(1)
    ana.tell(second)
    ana.pass(10 * SECOND)
    for (let turn = 0; turn < 1_000; turn++)
      for (const replayed of [first, second]) assert.deepEqual(types(ana.tell(replayed)), [])
    assert.deepEqual(ana.pass(MINUTE), [])
    assert.deepEqual(ana.node.drops.toJSON(), { 'knock-replayed': 2_000 })
    // It took nothing of what honest knocks may take.
    assert.equal(gossipIn(ana.tell(knock(2))).length, 1)
  })

  it('that is stale, or from the future, does nothing either', () => {
    const { ana, knock } = knocked()
    const stale = knock(0)
    const early = knock(4 * HOUR + MINUTE)
    assert.deepEqual(types(ana.tell(early)), [])
    ana.pass(2 * HOUR + 1)
    assert.deepEqual(types(ana.tell(stale)), [])
    const { 'knock-stale': late = 0, 'knock-for-others': unknown = 0 } = ana.node.drops.toJSON()
    assert.equal(late + unknown, 2)
  })

  it('is answered within the limits of knocks', () => {
    const { ana, knock } = knocked()
    let answers = 0
    for (let turn = 0; turn < 100; turn++) answers += gossipIn(ana.tell(knock(turn))).length
    assert.ok(answers <= 5, `${answers} answers`)
    assert.ok((ana.node.drops.toJSON()['knock-rate-limited'] ?? 0) >= 90)
  })

  it('is answered while others knock over streams with its record as often as they like', () => {
    const { ana, knock } = knocked()
    const random = seededRandom(3)
    const borrowed = encodeKnock({ version: 1, signedRecord: BENS_RECORD })
    for (let id = 0; id < 1_000; id++)
      ana.tell({ type: 'knock-received', id, from: random.bytes(32), knock: borrowed })
    assert.ok((ana.node.drops.toJSON()['knock-rate-limited'] ?? 0) > 900)
    assert.equal(gossipIn(ana.tell(knock(0))).length, 1)
  })

  it('with the record of another than the one who sealed it is refused', () => {
    const { ana } = knocked()
    const bens = knocksOf(BEN, ANA)
    const sealedKnock = bens.seal(
      ANA.publicKey,
      'knock',
      { version: 1, signedRecord: signedRecordOf(CARL) },
      UNIX_START,
    )
    assert.ok(sealedKnock)
    assert.deepEqual(types(ana.tell({ type: 'knock-gossiped', sealedKnock })), [])
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-unknown-author': 1 })
  })

  it('that a relay passed on is answered there and nowhere else, and ended where it is not believed', () => {
    const { ana, knock } = knocked()
    const passed = knock(0)
    assert.ok(passed.type === 'knock-gossiped')
    const { sealedKnock } = passed
    const answers = (id: number) =>
      ana
        .tell({ type: 'knock-passed', id, sealedKnock })
        .filter(({ type }) => type === 'answer-knock' || type === 'gossip-knock')
    const [answer, ...more] = answers(5)
    assert.ok(answer?.type === 'answer-knock' && answer.answer !== undefined)
    assert.deepEqual([answer.id, answer.answer.length, more], [5, SEALED_KNOCK_LENGTH, []])
    assert.deepEqual(answers(6), [{ type: 'answer-knock', id: 6, answer: undefined }])
    assert.deepEqual(ana.node.drops.toJSON(), { 'knock-replayed': 1 })
  })

  it('that is answered in a seal counts as answered only by the peer that was knocked on', () => {
    const { ana } = knocked()
    const content = { version: 1, signedRecord: BENS_RECORD } as const
    const bens = knocksOf(BEN, ANA)
    const answer = bens.seal(ANA.publicKey, 'answer', content, UNIX_START)
    const asKnock = bens.seal(ANA.publicKey, 'knock', content, UNIX_START)
    assert.ok(answer && asKnock)
    const tell = (bytes: Uint8Array) =>
      ana.tell({ type: 'knock-answered', peer: BEN.publicKey, answer: bytes, sealed: true })
    assert.ok(types(tell(answer)).includes('remember'))
    tell(answer)
    tell(asKnock)
    tell(Uint8Array.of(1))
    assert.deepEqual(ana.node.drops.toJSON(), {
      'knock-malformed': 1,
      'knock-replayed': 1,
      'knock-unasked': 1,
    })
  })

  it('that is an answer is taken only while it was asked for', () => {
    const { ana } = knocked()
    const bens = knocksOf(BEN, ANA)
    const sealedKnock = bens.seal(
      ANA.publicKey,
      'answer',
      { version: 1, signedRecord: signedRecordOf(BEN) },
      UNIX_START,
    )
    assert.ok(sealedKnock)
    assert.deepEqual(types(ana.tell({ type: 'knock-gossiped', sealedKnock })), [])
    assert.equal(ana.node.knownRecord(BEN.publicKey, nowAt(ana.ms)), undefined)
    assert.deepEqual(ana.node.drops.toJSON(), { 'knock-unasked': 1 })
  })

  it('for others, or of no form at all, is counted', () => {
    const { ana } = knocked()
    const forCarl = knocksOf(BEN, CARL).seal(
      CARL.publicKey,
      'knock',
      { version: 1, signedRecord: signedRecordOf(BEN) },
      UNIX_START,
    )
    assert.ok(forCarl)
    for (const sealedKnock of [forCarl, new Uint8Array(7), seededRandom(1).bytes(forCarl.length)])
      assert.deepEqual(types(ana.tell({ type: 'knock-gossiped', sealedKnock })), [])
    assert.deepEqual(ana.node.drops.toJSON(), { 'knock-malformed': 2, 'knock-for-others': 1 })
  })
})

describe('a gossiped record', () => {
  it('of a peer is known at once, and remembered', () => {
    const { ana } = knocked()
    const effects = ana.tell({ type: 'record-gossiped', sealedRecord: sealedRecordOf(BEN) })
    assert.deepEqual(types(effects), ['log', 'remember'])
    assert.equal(ana.node.knownRecord(BEN.publicKey, nowAt(ana.ms))?.sequence, UNIX_START)
  })

  it('of anybody else, or of no form at all, is counted and nothing more', () => {
    const { ana } = knocked()
    for (const sealedRecord of [sealedRecordOf(CARL), new Uint8Array(9)])
      assert.deepEqual(types(ana.tell({ type: 'record-gossiped', sealedRecord })), [])
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-malformed': 1, 'record-unknown-author': 1 })
  })

  it('under the key of a peer, and sealed by another, is refused', () => {
    const { ana } = knocked()
    const sealedRecord = sealedRecordOf(BEN)
    sealedRecord[1_500] = (sealedRecord[1_500] ?? 0) ^ 1
    assert.deepEqual(types(ana.tell({ type: 'record-gossiped', sealedRecord })), [])
    assert.equal(ana.node.knownRecord(BEN.publicKey, nowAt(ana.ms)), undefined)
  })

  it('that is our own, and newer than we remember, puts us ahead of it', () => {
    const { ana } = knocked()
    const sequence = UNIX_START + HOUR
    const sealedRecord = sealedRecordOf(ANA, { sequence: UNIX_START + MINUTE }, { sequence })
    assert.deepEqual(types(ana.tell({ type: 'record-gossiped', sealedRecord })), ['log'])
    // The first publication is still under way.
    ana.tell({ type: 'publication-ended', period: Math.floor(UNIX_START / (24 * HOUR)), acknowledgements: 1 })
    const published: number[] = []
    for (let turn = 0; turn < 3; turn++) {
      ana.pass(100)
      for (const effect of ana.tell({ type: 'woken' }))
        if (effect.type === 'publish') published.push(effect.sequence)
    }
    assert.ok(published.length === 1 && (published[0] ?? 0) > sequence)
  })

  it('reaches a peer that has an old one: a host that moved is known where it is, with no look-up', () => {
    const { world, ana, ben } = gossiping()
    ben.host.detach(ben.host.ips[0] ?? '')
    ben.host.attach(world.place('full-cone'))
    ben.changeSockets()
    const { lookUps } = world.mesh.counts
    world.queue.run(2 * SECOND)
    assert.equal(world.mesh.counts.lookUps, lookUps)
    const record = ana.node.knownRecord(ben.publicKey, world.queue.now)
    assert.ok(record?.candidates.some(({ address }) => ben.host.ips.includes(address.ip)))
  })
})

/** Ana and Ben, behind gateways, in a mesh that gossips. */
function gossiping() {
  const world = new World({ seed: 21, gossips: true })
  const ana = world.node('ana', world.place('port-restricted'))
  const ben = world.node('ben', world.place('port-restricted'))
  world.startFleet(ana, ben)
  world.queue.run(MINUTE)
  return { world, ana, ben }
}

/** What was gossiped besides records. */
function gossiped({ mesh }: World): number {
  return mesh.counts.gossipedKnocks
}

/** Ana has Ben as a peer, is in the mesh and hears gossip; `knock` makes a knock of Ben's, each newer than the last. */
function knocked() {
  const ana = new NodeByHand(ANA, [BEN])
  ana.tell({
    type: 'mesh-changed',
    connected: true,
    multiaddrs: [],
    reflectors: [],
    relays: [],
    gossips: true,
  })
  ana.tell({ type: 'look-up-ended', peer: BEN.publicKey })
  ana.tell({ type: 'look-up-ended', peer: ANA.publicKey })
  const bens = knocksOf(BEN, ANA)
  const knock = (ms: number): Input => {
    const sealedKnock = bens.seal(
      ANA.publicKey,
      'knock',
      { version: 1, signedRecord: BENS_RECORD },
      nowAt(ms).unix,
    )
    assert.ok(sealedKnock)
    return { type: 'knock-gossiped', sealedKnock }
  }
  return { ana, knock }
}

function knocksOf(own: TestNode, peer: TestNode): SealedKnocks {
  const knocks = new SealedKnocks(seededRandom(1))
  knocks.add(peer.publicKey, pairKeysOf(own, peer))
  return knocks
}

function types(effects: readonly Effect[]): readonly string[] {
  return [...new Set(effects.map(({ type }) => type))].sort()
}

function gossipIn(effects: readonly Effect[]): readonly Effect[] {
  return effects.filter(({ type }) => type === 'gossip-knock')
}
