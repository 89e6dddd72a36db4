/**
 * Both machines ping each other at the same instant, so that both WireGuards make a first message. Were both messages
 * let through, each WireGuard would throw its own state away for the other's, and both would try again after 5 s: so
 * what is counted is how many first messages WireGuard needed.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { wireguardType } from '../../src/wire/wireguard.js'
import type { Capture } from './capture.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'

const PAIRS = ['port-restricted', 'address-restricted', 'open'] as const

let lab: Laboratory
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(
    lab,
    Object.fromEntries(PAIRS.flatMap((kind) => [1, 2].map((number) => [`${kind}-${number}`, kind]))),
    { peer: (of, peer, usual) => (of.slice(0, -1) === peer.slice(0, -1) ? usual : undefined) },
  )
  await fleet.start()
})

after(() => lab.close())

describe('Two machines that ping each other at the same instant need one first message each', () => {
  for (const kind of PAIRS) {
    test(`while neither knows where the other is: ${kind}`, async () => {
      await assertNoGlare(fleet.machine(`${kind}-1`), fleet.machine(`${kind}-2`))
    })

    test(`while there is a path between them: ${kind}`, async () => {
      const pair = [fleet.machine(`${kind}-1`), fleet.machine(`${kind}-2`)] as const
      for (const { wireguard } of pair) await wireguard.forgetSessions()
      await assertNoGlare(...pair)
    })
  }
})

async function assertNoGlare(one: Machine, other: Machine): Promise<void> {
  const captures = await Promise.all([one.host.capture('lo'), other.host.capture('lo')])
  const pings = await Promise.all([one.host.ping(other.tunnelAddress), other.host.ping(one.tunnelAddress)])
  assert.deepEqual(
    pings.map(({ received }) => received),
    [1, 1],
  )
  const counts = await Promise.all([firstMessagesOf(one, captures[0]), firstMessagesOf(other, captures[1])])
  assert.ok(
    counts.every((count) => count <= 1),
    `first messages made: ${counts}`,
  )
}

/** How many first messages the machine's WireGuard has made. */
async function firstMessagesOf({ wireguard }: Machine, capture: Capture): Promise<number> {
  const port = await wireguard.listenPort()
  const packets = await capture.stop()
  return packets.filter(
    ({ transport }) => transport?.source.port === port && wireguardType(transport.payload) === 1,
  ).length
}
