/**
 * The first ping between every two kinds of access that can meet without a relay: both daemons are up, and neither knows
 * of the other one but its key. Each kind has two machines, so that a pair of one kind can meet as well.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { CandidateType } from '../../src/wire/candidate.js'
import { Fleet, type Machine } from './fleet.js'
import { type Access, Laboratory } from './laboratory.js'

const KINDS = ['open', 'full-cone', 'address-restricted', 'port-restricted'] as const satisfies Access[]

/** Unordered pairs, a kind with itself included. */
const PAIRS = KINDS.flatMap((first, index) => KINDS.slice(index).map((second) => [first, second] as const))

/** What the other side's address may be in a direct path to it. */
const DIRECT_TYPES: Readonly<Record<'open' | 'behind a NAT', readonly CandidateType[]>> = {
  open: ['host', 'server-reflexive', 'peer-reflexive'],
  'behind a NAT': ['server-reflexive', 'peer-reflexive'],
}

let lab: Laboratory
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  const names = KINDS.flatMap((kind) => [first(kind), second(kind)])
  const arePeers = (a: string, b: string): boolean =>
    PAIRS.some(([one, other]) => a === first(one) && b === second(other))
  fleet = await Fleet.create(lab, Object.fromEntries(names.map((name) => [name, kindOf(name)])), {
    peer: (of, peer, usual) => (arePeers(of, peer) || arePeers(peer, of) ? usual : undefined),
  })
  await fleet.start()
})

after(() => lab.close())

describe('The first ping is answered, over a direct path,', () => {
  for (const [one, other] of PAIRS) {
    test(`between ${one} and ${other}`, async (context) => {
      const from = fleet.machine(first(one))
      const to = fleet.machine(second(other))

      const { received, rttsMs } = await from.host.ping(to.tunnelAddress)

      context.diagnostic(`answered after ${rttsMs[0]} ms`)
      assert.equal(received, 1, 'the first echo request was not answered')
      await assertDirect(from, to, other)
      await assertDirect(to, from, one)
    })
  }
})

async function assertDirect(from: Machine, to: Machine, kind: Access): Promise<void> {
  const { path } = await from.daemon.untilDirect(to.wireguard.keys.publicKey)
  const plausible = DIRECT_TYPES[kind === 'open' ? 'open' : 'behind a NAT']
  assert.ok(path !== null && plausible.includes(path.type), path?.type)
}

function first(kind: Access): string {
  return `${kind}-1`
}

function second(kind: Access): string {
  return `${kind}-2`
}

function kindOf(name: string): Access {
  const kind = KINDS.find((known) => name.startsWith(known))
  assert.ok(kind !== undefined)
  return kind
}
