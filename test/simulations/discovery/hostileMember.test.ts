import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { strangersRecords } from '../../../simulations/discovery/forgery.js'
import { HOSTILE_KNOCKS, HostileMember } from '../../../simulations/discovery/hostileMember.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { nodeKeys } from '../../../src/crypto/nodeKeys.js'
import { openSignedRecord } from '../../../src/crypto/signedRecord.js'
import { decodeKnock, encodeKnock } from '../../../src/wire/knock.js'
import { TestWorld } from './members.js'

describe('a hostile member', () => {
  for (const kind of HOSTILE_KNOCKS) {
    it(`knocks (${kind}) under its own identity, with nothing that proves another`, () => {
      const { world, ana, ben, mallory } = hostile()
      mallory.attack(ana.publicKey, kind, 20, 500)
      world.queue.run(MINUTE)
      const knocks = ana.told('knock-received').filter(({ from }) => from === mallory.identity)
      assert.equal(knocks.length, 20)
      for (const { knock } of knocks) {
        const decoded = decodeKnock(knock)
        const record = isDropped(decoded) ? decoded : openSignedRecord(decoded.signedRecord)
        if (isDropped(record)) assert.notEqual(kind, 'borrowed')
        else assert.notDeepEqual(record.identity, mallory.identity)
        assert.ok(isDropped(record) || kind === 'stranger' || record.publicKey === ben.publicKey)
      }
      assert.equal(mallory.outcomes.answered + mallory.outcomes.failed, 20)
    })
  }

  it('floods no faster than four at once over a connection', () => {
    const { world, ana, mallory } = hostile()
    ana.onKnock = 'wait'
    mallory.attack(ana.publicKey, 'junk', 1_000, 1)
    world.queue.run(2 * SECOND)
    assert.ok(ana.told('knock-received').length <= 64)
    world.queue.run(MINUTE)
    assert.equal(mallory.outcomes.failed, 1_000)
  })
})

/** Mallory knows the records of both, and Ben has knocked at her. */
function hostile() {
  const world = new TestWorld({ servers: 2 })
  const [ana, ben] = world.settled('ana', 'ben')
  assert.ok(ana && ben)
  const random = seededRandom(4)
  const mallory = new HostileMember({
    name: 'mallory',
    identity: random.bytes(32),
    mesh: world.mesh,
    queue: world.queue,
    random,
    ips: ['203.0.113.66'],
    streamDelay: () => 20,
    strangersRecord: strangersRecords(world.queue, nodeKeys),
  })
  world.mesh.join(mallory)
  for (const member of [ana, ben]) member.publish(member.record(1))
  world.queue.run(SECOND)
  mallory.spyOn(ana.publicKey, ben.publicKey)
  const knock = encodeKnock({ version: 1, signedRecord: ben.record(2) })
  world.mesh.knock(ben, {
    type: 'knock',
    peer: ana.publicKey,
    identity: mallory.identity,
    multiaddrs: ['/ip4/203.0.113.66/tcp/51821'],
    knock,
  })
  world.queue.run(SECOND)
  return { world, ana, ben, mallory }
}
