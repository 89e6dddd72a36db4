/** Clocks that differ, and midnight, with all the real parts but WireGuard. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { HOUR, SECOND } from '../../src/base/time.js'
import { PERIOD, periodOf } from '../../src/wire/period.js'
import { firstMessage, type TestNode, testNode } from '../engine/nodes.js'
import { addressOf } from '../io/mesh/meshes.js'
import { until } from '../until.js'
import { type RealNode, startRealNode } from './realNodes.js'

const ANA = testNode(1)
const BEN = testNode(2)

/** Two peers that know one server, each with its own clock. */
async function startPair(t: TestContext, aheadMs: { server: number; ana: number; ben: number }) {
  const server = await startRealNode(t, { keys: testNode(9).keys, serves: true, aheadMs: aheadMs.server })
  const bootstrap = [addressOf(server.mesh)]
  const start = (own: TestNode, peer: TestNode, ahead: number, ip: string) =>
    startRealNode(t, { keys: own.keys, peers: [peer.publicKey], bootstrap, aheadMs: ahead, ip })
  const [ana, ben] = await Promise.all([
    start(ANA, BEN, aheadMs.ana, '198.51.100.1'),
    start(BEN, ANA, aheadMs.ben, '203.0.113.5'),
  ])
  return { server, ana, ben }
}

/** WireGuard wants the peer, which is knocked over the mesh, and answers. */
async function knock(from: RealNode, own: TestNode, peer: TestNode): Promise<void> {
  const datagram = firstMessage(own, peer, { sentAt: from.clock().unix })
  from.loop.handle({ type: 'wireguard-sent', peer: peer.publicKey, datagram })
  await until('an answered knock', () => from.answers.includes('knock-answered'))
}

for (const [what, ahead] of [
  ['an hour behind', -HOUR],
  ['an hour ahead', HOUR],
] as const)
  test(`a node whose clock is ${what} finds its peer, and is found`, async (t) => {
    const { server, ana, ben } = await startPair(t, { server: 0, ana: 0, ben: ahead })
    await until('both to know each other', () => ana.knows(ben) && ben.knows(ana))
    await knock(ana, ANA, BEN)
    await knock(ben, BEN, ANA)
    for (const node of [server, ana, ben]) assert.deepEqual(untimely(node), {})
  })

test('a node on either side of midnight finds the other, with a clock that is right and one that is an hour off', async (t) => {
  const toMidnight = PERIOD - (Date.now() % PERIOD)
  const late = toMidnight - HOUR / 2
  const { server, ana, ben } = await startPair(t, { server: late, ana: late, ben: late + HOUR })
  assert.equal(periodOf(ben.clock().unix) - periodOf(ana.clock().unix), 1)
  await until('both to know each other', () => ana.knows(ben) && ben.knows(ana))
  await knock(ana, ANA, BEN)
  await knock(ben, BEN, ANA)
  for (const node of [server, ana, ben]) assert.deepEqual(untimely(node), {})
})

test('who comes after midnight finds who was there before, and both go on', async (t) => {
  const almost = PERIOD - (Date.now() % PERIOD) - 2 * SECOND
  const server = await startRealNode(t, {
    keys: testNode(9).keys,
    serves: true,
    aheadMs: almost,
    watches: true,
  })
  const bootstrap = [addressOf(server.mesh)]
  const common = { bootstrap, aheadMs: almost }
  const ana = await startRealNode(t, { ...common, keys: ANA.keys, peers: [BEN.publicKey] })
  const day = periodOf(server.clock().unix)
  await until('a publication', () => server.stored.length >= 2)
  await until('midnight', () => periodOf(server.clock().unix) === day + 1)
  const ben = await startRealNode(t, { ...common, keys: BEN.keys, peers: [ANA.publicKey], ip: '203.0.113.5' })
  await until('both to know each other', () => ana.knows(ben) && ben.knows(ana))
  await knock(ben, BEN, ANA)
  // What Ana says now is news on either day.
  ana.move('198.51.100.77')
  await until('the news', () =>
    ben.engine
      .knownRecord(ANA.publicKey, ben.clock())
      ?.candidates.some(({ address }) => address.ip === '198.51.100.77'),
  )
  for (const node of [server, ana, ben]) assert.deepEqual(untimely(node), {})
})

/** What it dropped for its time. */
function untimely(node: RealNode): Readonly<Record<string, number | undefined>> {
  const reasons = ['record-from-future', 'record-expired', 'record-wrong-period', 'knock-stale'] as const
  const drops = node.drops()
  return Object.fromEntries(
    reasons.filter((reason) => drops[reason] !== undefined).map((reason) => [reason, drops[reason]]),
  )
}
