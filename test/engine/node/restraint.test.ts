/** What two peers do to each other by answering each other must come to an end. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { classify } from '../../../src/wire/classify.js'
import { encodeKnock } from '../../../src/wire/knock.js'
import { recordOf, signedRecordOf, testNode } from '../nodes.js'
import { nowAt, UNIX_START } from '../virtualTime.js'
import { World } from '../world.js'
import { checksTo, NodeByHand, sentOf } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const X: SocketAddress = { ip: '203.0.113.1', port: 1_000 }
const Y: SocketAddress = { ip: '203.0.113.2', port: 2_000 }

describe('a check over another path than ours', () => {
  it('makes us ask after ours, unless that was answered a moment ago', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, Y)
    ana.prove(BEN, X)
    assert.equal(ana.node.status(nowAt(ana.ms)).peers[0]?.path?.remote.ip, Y.ip)
    ana.pass(700)
    assert.deepEqual(checksTo(Y, sentOf(ana.check(BEN, X))), [])
    ana.pass(100)
    assert.equal(checksTo(Y, sentOf(ana.check(BEN, X))).length, 1)
  })

  it('has ours given up within a few round trips, if it is dead', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, Y)
    ana.prove(BEN, X)
    ana.pass(SECOND)
    ana.responder = { peer: BEN, remote: X }
    ana.check(BEN, X)
    ana.pass(300)
    assert.deepEqual(ana.node.forwarding.flowAt(X)?.path?.remote, X)
  })
})

describe('a peer whose record names an address of somebody else', () => {
  it('has a few paced checks sent there, then seven a minute at most, however often it knocks', (t) => {
    const victim = { ip: '198.51.100.1', port: 53 }
    const ana = new NodeByHand(ANA, [BEN])
    const packets: number[] = []
    for (let second = 0; second < 1_200; second++) {
      const candidates = [{ type: 'server-reflexive' as const, address: victim }]
      const knock = encodeKnock({
        version: 1,
        signedRecord: signedRecordOf(BEN, { candidates, sequence: UNIX_START + second + 1 }),
      })
      const from = recordOf(BEN).identity
      const effects = ana.tell({ type: 'knock-received', id: second, from, knock })
      const sent = [...sentOf(effects), ...ana.pass(SECOND)]
      packets.push(sent.filter(({ remote }) => remote.ip === victim.ip).length)
    }
    const sum = (part: readonly number[]) => part.reduce((total, count) => total + count, 0)
    const minutes = Array.from({ length: 20 }, (_, minute) =>
      sum(packets.slice(60 * minute, 60 * minute + 60)),
    )
    t.diagnostic(`checks in each minute: ${minutes}`)
    assert.ok(Math.max(...packets) <= 7, `${Math.max(...packets)} in a second`)
    assert.ok(sum(minutes.slice(0, 1)) <= 40, `${minutes}`)
    assert.ok(Math.max(...minutes.slice(2)) <= 7, `${minutes}`)
  })
})

describe('a peer whose every check bears another address', () => {
  const stranger = (number: number): SocketAddress => ({ ip: '198.51.100.1', port: 1_000 + number })

  it('is not chased from one to the next while there is a sound path', () => {
    const ana = new NodeByHand(ANA, [BEN])
    ana.prove(BEN, X)
    ana.responder = { peer: BEN, remote: X }
    const chased = new Set<number>()
    for (let number = 0; number < 600; number++) {
      const sent = [...sentOf(ana.check(BEN, stranger(number))), ...ana.pass(100)]
      for (const { remote, datagram } of sent)
        if (remote.ip === stranger(0).ip && datagram[0] === 0) chased.add(remote.port)
    }
    assert.ok(chased.size >= 1 && chased.size <= 10, `${chased.size} addresses in a minute`)
  })

  it('is chased to a few at once where there is none', () => {
    const ana = new NodeByHand(ANA, [BEN])
    const sent = Array.from({ length: 100 }, (_, number) => sentOf(ana.check(BEN, stranger(number)))).flat()
    const chased = new Set([...sent, ...ana.pass(50)].filter(({ datagram }) => datagram[0] === 0))
    assert.ok(chased.size >= 1 && chased.size <= 8, `${chased.size} addresses at once`)
  })
})

describe('two peers that cannot meet, and both want to', () => {
  it('try ever more rarely', () => {
    const world = new World({ seed: 3 })
    const ana = world.node('ana', world.place('symmetric'))
    const ben = world.node('ben', world.place('symmetric'))
    world.startFleet(ana, ben)
    let checks = 0
    world.internet.watchers.push(({ bytes }) => {
      if (classify(bytes) === 'stun' && bytes[0] === 0 && bytes.length > 50) checks += 1
      return true
    })
    const passes = (minutes: number) => {
      const before = { ...world.mesh.counts, checks }
      for (let second = 0; second < minutes * 60; second++) {
        ana.host.ping(ben.publicKey)
        ben.host.ping(ana.publicKey)
        world.queue.run(SECOND)
      }
      return { knocks: world.mesh.counts.knocks - before.knocks, checks: checks - before.checks }
    }
    passes(5)
    const { knocks, checks: sent } = passes(10)
    // Two attempts in three minutes, of four knocks or five, by each of the two.
    assert.ok(knocks <= 90, `${knocks} knocks in 10 minutes`)
    assert.ok(sent <= 1_500, `${sent} checks in 10 minutes`)
    assert.ok(world.queue.elapsed >= 15 * MINUTE)
  })
})
