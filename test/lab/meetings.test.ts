/**
 * Machines in networks of every kind meet, as meetings.ts has them: the first ping is answered, and in the end the path is
 * of the kind that is to be expected. All are in one closed network, whose bootstrap nodes relay.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Fleet } from './fleet.js'
import { Laboratory } from './laboratory.js'
import { MEETINGS, type Meeting } from './meetings.js'

const DEADLINE_MS = 30_000

let lab: Laboratory
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  const hosts = await Promise.all(
    MEETINGS.map(async ({ place }, index) => {
      const [from, to] = await place(lab, `m${index}`)
      return [
        [`m${index}-from`, from],
        [`m${index}-to`, to],
      ] as const
    }),
  )
  fleet = await Fleet.create(lab, Object.fromEntries(hosts.flat()), {
    isClosed: true,
    hasUdp: (name) => meetingOf(name).hasUdp,
    needsIpv6: (name) => meetingOf(name).needsIpv6 ?? false,
    peer: (of, peer, usual) => (meetingOf(of) === meetingOf(peer) ? usual : undefined),
  })
  await fleet.start()
})

after(() => lab.close())

describe('The first ping is answered, and the path is what it can be:', () => {
  for (const [index, { name, way }] of MEETINGS.entries()) {
    test(`${name} (${way})`, async (context) => {
      const [from, to] = [fleet.machine(`m${index}-from`), fleet.machine(`m${index}-to`)]
      const { received, rttsMs } = await from.host.ping(to.tunnelAddress, { timeoutMs: DEADLINE_MS })
      context.diagnostic(`answered after ${rttsMs[0]} ms`)
      assert.equal(received, 1, 'the first echo request was not answered')
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const)
        await one.daemon.untilPeer(
          other.wireguard.keys.publicKey,
          way,
          ({ state, path }) => state === way && path !== null,
          DEADLINE_MS,
        )
    })
  }
})

/** The meeting of a machine. */
function meetingOf(name: string): Meeting {
  return MEETINGS[Number(name.slice(1, name.indexOf('-')))] ?? assert.fail(name)
}
