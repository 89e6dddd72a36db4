/** `tunnelbore why` between real daemons: each cause of a missing connection is named. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Explanation, Verdict } from '../../src/engine/why.js'
import { until } from '../until.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'

/** WireGuard sends a first message every 5 s, and only the second that goes unanswered says something. */
const DEADLINE_MS = 60_000

let lab: Laboratory
let fleet: Fleet
let alice: Machine
/** A peer of alice's with a preshared key that she has not. */
let guarded: Machine
/** Has no peer entry for alice, who has one for it. */
let stranger: Machine
/** As all should be, until it is stopped. */
let friend: Machine
/** Has never run. */
let absent: Machine

before(async () => {
  lab = await Laboratory.create()
  const presharedKey = randomBytes(32).toString('base64')
  fleet = await Fleet.create(
    lab,
    {
      alice: 'port-restricted',
      guarded: 'open',
      stranger: 'port-restricted',
      friend: 'port-restricted',
      absent: 'open',
    },
    {
      peer: (of, peer, usual) => {
        if (of !== 'alice' && peer !== 'alice') return undefined
        if (of === 'stranger') return undefined
        return of === 'guarded' ? { ...usual, presharedKey } : usual
      },
    },
  )
  ;[alice, guarded, stranger, friend, absent] = ['alice', 'guarded', 'stranger', 'friend', 'absent'].map(
    (name) => fleet.machine(name),
  ) as [Machine, Machine, Machine, Machine, Machine]
  const running = [alice, guarded, stranger, friend]
  for (const machine of running) await fleet.startMachine(machine)
  await Promise.all(running.map(({ daemon }) => daemon.untilPublished()))
})

after(() => lab.close())

describe('why, of a peer', () => {
  test('to whom nobody sent anything, says that it is idle', async () => {
    assert.match(await whyText(friend), /idle: nobody sent anything/)
  })

  test('that is reached, says since when it is direct', async () => {
    assert.equal((await alice.host.ping(friend.tunnelAddress)).received, 1)
    await untilVerdict(friend, 'direct')
    assert.match(await whyText(friend), /why: direct: to [\d.]+:\d+ for /)
  })

  test('with a preshared key on its side only, says that checks pass and the handshake is unanswered', async () => {
    const pinging = pingOn(guarded)
    await untilVerdict(guarded, 'handshake-unanswered')
    assert.match(
      await whyText(guarded),
      /checks pass, but the handshake is unanswered: preshared key or peer entry missing on one side/,
    )
    await pinging.stop()
  })

  test('that has no peer entry for us, says so', async () => {
    const pinging = pingOn(stranger)
    await untilVerdict(stranger, 'knock-closed')
    assert.match(await whyText(stranger), /the peer entry for this key is missing on its side/)
    await pinging.stop()
  })

  test('that is off, says that no knock arrived and no address answered', async () => {
    await friend.daemon.stop()
    const pinging = pingOn(friend)
    await untilVerdict(friend, 'knock-not-arrived')
    const text = await whyText(friend)
    assert.match(
      text,
      /record found, but no knock arrived: (none of its \d+ relays led to it|the relay of its circuit did not)/,
    )
    assert.match(text, /it is off, or offline/)
    assert.match(text, /\n {2}- knock over a stream .*: failed: /)
    await pinging.stop()
  })

  test('that never ran, says that there is no record of it', async () => {
    const pinging = pingOn(absent)
    await untilVerdict(absent, 'no-record')
    assert.match(await whyText(absent), /no record of it was found/)
    await pinging.stop()
  })
})

describe('why, of a key that is no peer', () => {
  test('says so in one line and ends with 1', async () => {
    const { stdout, stderr } = await alice.daemon.cli('why', [alice.wireguard.keys.publicKey], {
      exitCodes: [1],
    })
    assert.equal(stdout, '')
    assert.match(stderr, /^tunnelbore: .* is no peer of [^\n]+\n$/)
  })
})

/** Has alice's WireGuard want a session again and again. */
function pingOn(peer: Machine) {
  return alice.host.spawn('ping', ['-n', '-i', '0.5', peer.tunnelAddress])
}

async function untilVerdict(peer: Machine, type: Verdict['type']): Promise<void> {
  let last: Explanation | undefined
  try {
    await until(
      `the verdict ${type}`,
      async () => {
        const { stdout } = await alice.daemon.cli('why', [
          alice.wireguard.name,
          peer.wireguard.keys.publicKey,
          '--json',
        ])
        last = JSON.parse(stdout) as Explanation
        return last.verdict.type === type
      },
      DEADLINE_MS,
    )
  } catch (cause) {
    throw new Error(JSON.stringify(last, undefined, 1), { cause })
  }
}

async function whyText(peer: Machine): Promise<string> {
  const { stdout } = await alice.daemon.cli('why', [peer.wireguard.keys.publicKey])
  return stdout
}
