/**
 * The first ping between every two kinds of access: both daemons are up, and neither knows of the other one but its key.
 * Each kind has two machines, so that a pair of one kind can meet as well.
 *
 * The simulator says of each pair how it comes to talk. What is developed there is worth something only as far as the
 * laboratory, with real gateways and real WireGuard, says the same. But nobody relays here: direct paths must do without.
 * Meetings where there are relays are in meetings.test.ts.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type MatrixCell, natMatrixCells } from '../../simulations/scenarios/natMatrix.js'
import type { CandidateType } from '../../src/wire/candidate.js'
import { Fleet, type Machine } from './fleet.js'
import { ACCESS_KINDS, type Access, Laboratory } from './laboratory.js'

/** What the other side's address may be in a direct path to it. */
const DIRECT_TYPES: Readonly<Record<'open' | 'behind a NAT', readonly CandidateType[]>> = {
  open: ['host', 'server-reflexive', 'peer-reflexive'],
  'behind a NAT': ['server-reflexive', 'peer-reflexive'],
}

const SIMULATED = natMatrixCells(1)

/** More than an attempt takes that has something to hope for until its end. */
const FAILURE_DEADLINE_MS = 30_000

/** Luck needs 30 s at most as a rule; where it fails, the next effort is a minute later. */
const GUESSING_DEADLINE_MS = 240_000

let lab: Laboratory
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  const names = ACCESS_KINDS.flatMap((kind) => [first(kind), second(kind)])
  const arePeers = (a: string, b: string): boolean =>
    SIMULATED.some(({ from, to }) => a === first(from) && b === second(to))
  fleet = await Fleet.create(lab, Object.fromEntries(names.map((name) => [name, kindOf(name)])), {
    relays: false,
    peer: (of, peer, usual) => (arePeers(of, peer) || arePeers(peer, of) ? usual : undefined),
  })
  await fleet.start()
})

after(() => lab.close())

test('The simulator knows every pair', () => {
  const pairs = ACCESS_KINDS.flatMap((from, index) => ACCESS_KINDS.slice(index).map((to) => `${from} ${to}`))
  assert.deepEqual(
    SIMULATED.map(({ from, to }) => `${from} ${to}`),
    pairs,
  )
})

describe('Over a direct path, as in the simulator, the first ping is answered', () => {
  for (const cell of SIMULATED.filter((of) => of.way === 'direct' && !isGuessed(of))) {
    test(`between ${cell.from} and ${cell.to}`, async (context) => {
      const { from, to } = machinesOf(cell)

      const { received, rttsMs } = await from.host.ping(to.tunnelAddress)

      context.diagnostic(`answered after ${rttsMs[0]} ms`)
      assert.equal(received, 1, 'the first echo request was not answered')
      await assertDirect(from, to, cell.to)
      await assertDirect(to, from, cell.from)
    })
  }
})

describe('As in the simulator there is a direct path in the end', () => {
  for (const cell of SIMULATED.filter((of) => of.way === 'direct' && isGuessed(of))) {
    test(`between ${cell.from} and ${cell.to}`, async (context) => {
      const { from, to } = machinesOf(cell)
      const begunAt = performance.now()
      let isDirect = false
      const decision = from.daemon
        .untilPeer(
          to.wireguard.keys.publicKey,
          'direct',
          ({ state }) => state === 'direct',
          GUESSING_DEADLINE_MS,
        )
        .finally(() => {
          isDirect = true
        })

      while (!isDirect) await from.host.ping(to.tunnelAddress, { timeoutMs: 1_000 })
      await decision

      context.diagnostic(`direct after ${Math.round(performance.now() - begunAt)} ms`)
      await assertDirect(from, to, cell.to)
      await assertDirect(to, from, cell.from)
      const { received } = await from.host.ping(to.tunnelAddress, { timeoutMs: 10_000 })
      assert.equal(received, 1, 'an echo request was not answered over the direct path')
    })
  }
})

describe('Where the simulator knows of a relay at best, there is no path', { concurrency: true }, () => {
  for (const cell of SIMULATED.filter(({ way }) => way !== 'direct')) {
    test(`between ${cell.from} and ${cell.to}`, async () => {
      const { from, to } = machinesOf(cell)
      let isDecided = false
      const decision = from.daemon
        .untilPeer(
          to.wireguard.keys.publicKey,
          'unreachable',
          ({ state }) => state === 'unreachable',
          FAILURE_DEADLINE_MS,
        )
        .finally(() => {
          isDecided = true
        })

      while (!isDecided) {
        const { received } = await from.host.ping(to.tunnelAddress, { timeoutMs: 1_000 })
        assert.equal(received, 0, 'an echo request was answered')
      }
      await decision
    })
  }
})

/** Ports have to be guessed: checks alone do not get through. */
function isGuessed({ canBeDirect }: MatrixCell): boolean {
  return canBeDirect === 'by-guessing'
}

async function assertDirect(from: Machine, to: Machine, kind: Access): Promise<void> {
  const { path } = await from.daemon.untilDirect(to.wireguard.keys.publicKey)
  const plausible = DIRECT_TYPES[kind === 'open' ? 'open' : 'behind a NAT']
  assert.ok(path !== null && plausible.includes(path.type), path?.type)
}

function machinesOf({ from, to }: MatrixCell<Access>): { readonly from: Machine; readonly to: Machine } {
  return { from: fleet.machine(first(from)), to: fleet.machine(second(to)) }
}

function first(kind: Access): string {
  return `${kind}-1`
}

function second(kind: Access): string {
  return `${kind}-2`
}

function kindOf(name: string): Access {
  const kind = ACCESS_KINDS.find((known) => name.startsWith(known))
  assert.ok(kind !== undefined)
  return kind
}
