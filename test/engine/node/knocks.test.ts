import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { decodeKnock, encodeKnock } from '../../../src/wire/knock.js'
import { signedRecordOf, testNode } from '../nodes.js'
import { World } from '../world.js'
import { NodeByHand } from './byHand.js'

describe('a knock', () => {
  it('is answered, with fresh addresses, and makes us check at once', () => {
    const { world, ana, knock } = anaIsKnocked()
    const effects = ana.node.handle({ type: 'knock-received', ...knock, id: 77 }, world.queue.now)
    assert.ok(effects.some(({ type }) => type === 'send'))
    world.queue.run(SECOND)
    assert.deepEqual(ana.node.drops.toJSON(), {})
  })

  it('by somebody who is not the author of its record is refused', () => {
    const { world, ana, mallory, knock } = anaIsKnocked()
    const effects = ana.node.handle(
      { type: 'knock-received', id: 77, knock: knock.knock, from: mallory.identity },
      world.queue.now,
    )
    assert.deepEqual(effects.at(-1), { type: 'answer-knock', id: 77, answer: undefined })
    // The record itself is Ben's, and true.
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['remember', 'answer-knock'],
    )
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-wrong-author': 1 })
  })

  it('of a node that is no peer is refused', () => {
    const { world, ana, mallory } = anaIsKnocked()
    const signedRecord = world.mesh.signedRecord(mallory.publicKey)
    assert.ok(signedRecord !== undefined)
    const effects = ana.node.handle(
      {
        type: 'knock-received',
        id: 77,
        knock: encodeKnock({ version: 1, signedRecord }),
        from: mallory.identity,
      },
      world.queue.now,
    )
    assert.deepEqual(effects, [{ type: 'answer-knock', id: 77, answer: undefined }])
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-unknown-author': 1 })
  })

  it('that is a replay is refused as soon as a newer record is known', () => {
    const { world, ana, ben, knock } = anaIsKnocked()
    world.queue.run(15 * MINUTE)
    world.mesh.lookUpUnasked(ana, ben.publicKey)
    world.queue.run(SECOND)
    const effects = ana.node.handle({ type: 'knock-received', ...knock, id: 77 }, world.queue.now)
    assert.deepEqual(effects, [{ type: 'answer-knock', id: 77, answer: undefined }])
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-rollback': 1 })
  })

  it('is refused beyond a rate, and every one is answered or ended', () => {
    const { world, ana, knock } = anaIsKnocked()
    const answered = new Set<number>()
    for (let id = 0; id < 1_000; id++) {
      const effects = ana.node.handle({ type: 'knock-received', ...knock, id }, world.queue.now)
      for (const effect of effects) if (effect.type === 'answer-knock') answered.add(effect.id)
      world.queue.run(1)
    }
    ana.journal = []
    world.queue.run(SECOND)
    for (const { call, outcome } of ana.journal) {
      assert.ok(call.type === 'handle' && Array.isArray(outcome))
      for (const effect of outcome) if (effect.type === 'answer-knock') answered.add(effect.id)
    }
    assert.ok((ana.node.drops.toJSON()['knock-rate-limited'] ?? 0) >= 990)
    assert.equal(answered.size, 1_000)
  })

  it('of a peer is heard while strangers knock as often as they like', () => {
    const [own, peer, stranger] = [testNode(1), testNode(2), testNode(3)]
    const ana = new NodeByHand(own, [peer])
    const random = seededRandom(3)
    const knocks = [
      random.bytes(100),
      encodeKnock({ version: 1, signedRecord: random.bytes(100) }),
      encodeKnock({ version: 1, signedRecord: signedRecordOf(stranger) }),
    ]
    for (let id = 0; id < 999; id++) {
      const [knock = random.bytes(1)] = knocks.slice(id % knocks.length)
      ana.tell({ type: 'knock-received', id, from: random.bytes(32), knock })
    }
    const drops = Object.values(ana.node.drops.toJSON())
    assert.equal(
      drops.reduce((sum, count) => sum + count, 0),
      999,
    )
    assert.deepEqual(answersIn(ana.knock(peer, 1_000)), [[1_000, true]])
  })

  it('with an answer of somebody else is a knock that failed', () => {
    const { world, ana, ben, mallory } = anaIsKnocked()
    ana.host.ping(ben.publicKey)
    world.queue.run(1)
    const signedRecord = world.mesh.signedRecord(mallory.publicKey)
    assert.ok(signedRecord !== undefined)
    ana.handle({
      type: 'knock-answered',
      peer: ben.publicKey,
      answer: encodeKnock({ version: 1, signedRecord }),
    })
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-unknown-author': 1 })
    assert.match(ana.status(ben.publicKey).reason, /not usable/)
  })
})

describe('a knock that waits for the reflectors', () => {
  it('is ended without an answer when its peer is no peer any more; others wait on', () => {
    const [own, gone, stays] = [testNode(1), testNode(2), testNode(3)]
    const node = new NodeByHand(own, [gone, stays])
    const reflectors = [{ ip: '203.0.113.9', port: 3_478 }]
    node.tell({
      type: 'mesh-changed',
      connected: true,
      multiaddrs: [],
      reflectors,
      relays: [],
      gossips: false,
    })
    assert.deepEqual(answersIn([...node.knock(gone, 1), ...node.knock(stays, 2), ...node.knock(gone, 3)]), [])
    assert.deepEqual(answersIn(node.readInterface([stays])), [
      [1, false],
      [3, false],
    ])
    node.pass(299)
    assert.deepEqual(answersIn(node.tell({ type: 'woken' })), [])
    node.pass(1)
    assert.deepEqual(answersIn(node.tell({ type: 'woken' })), [[2, true]])
  })
})

describe('a record from the mesh', () => {
  it('of another peer than was looked up changes nothing', () => {
    const { world, ana, ben, mallory } = anaIsKnocked()
    const sealedRecord = world.mesh.record(mallory.publicKey)
    assert.ok(sealedRecord !== undefined)
    assert.deepEqual(
      ana.node.handle({ type: 'record-found', peer: ben.publicKey, sealedRecord }, world.queue.now),
      [],
    )
    assert.equal(ana.node.knownRecord(ben.publicKey, world.queue.now), undefined)
    assert.equal(ana.node.knownRecord(mallory.publicKey, world.queue.now), undefined)
  })

  it('that is older than one known changes nothing', () => {
    const { world, ana, ben } = anaIsKnocked()
    const older = world.mesh.record(ben.publicKey)
    assert.ok(older !== undefined)
    world.queue.run(15 * MINUTE)
    world.mesh.lookUpUnasked(ana, ben.publicKey)
    world.queue.run(SECOND)
    const known = ana.node.knownRecord(ben.publicKey, world.queue.now)
    ana.handle({ type: 'record-found', peer: ben.publicKey, sealedRecord: older })
    assert.deepEqual(ana.node.knownRecord(ben.publicKey, world.queue.now), known)
    assert.deepEqual(ana.node.drops.toJSON(), { 'record-rollback': 1 })
  })
})

/** The knocks that are ended, and whether with an answer. */
function answersIn(effects: readonly Effect[]): readonly (readonly [id: number, answered: boolean])[] {
  return effects.flatMap((effect) =>
    effect.type === 'answer-knock' ? [[effect.id, effect.answer !== undefined] as const] : [],
  )
}

/** Ana and Ben are peers and never spoke; Ben's knock is on its way to her. Mallory is in the mesh, and nobody's peer. */
function anaIsKnocked() {
  const world = new World({ seed: 12 })
  const ana = world.node('ana', world.place('port-restricted'))
  const ben = world.node('ben', world.place('port-restricted'))
  const mallory = world.node('mallory', world.place('open'))
  mallory.start()
  world.startFleet(ana, ben)
  let knock: Uint8Array | undefined
  world.mesh.faults.losesKnock = () => true
  ben.journal = []
  ben.host.ping(ana.publicKey)
  world.queue.run(20 * SECOND)
  for (const { outcome } of ben.journal) {
    if (!Array.isArray(outcome)) continue
    for (const effect of outcome) if (effect.type === 'knock') knock ??= effect.knock
  }
  ben.journal = undefined
  world.mesh.faults.losesKnock = () => false
  assert.ok(knock !== undefined && !isDropped(decodeKnock(knock)))
  return { world, ana, ben, mallory, knock: { knock, from: ben.identity } }
}
