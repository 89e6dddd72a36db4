/** A node finds out before which gateway it stands, with nothing but two servers of the mesh. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Status } from '../../src/daemon/status.js'
import type { NatFiltering, NatMapping } from '../../src/wire/record.js'
import { until } from '../until.js'
import { Fleet } from './fleet.js'
import type { Gateway, GatewayKind } from './gateway.js'
import { Laboratory } from './laboratory.js'

const BEHAVIOURS: Readonly<Record<GatewayKind, readonly [NatMapping, NatFiltering]>> = {
  'full-cone': ['endpoint-independent', 'endpoint-independent'],
  'address-restricted': ['endpoint-independent', 'address-dependent'],
  'port-restricted': ['endpoint-independent', 'address-and-port-dependent'],
  symmetric: ['address-and-port-dependent', 'address-and-port-dependent'],
}
const KINDS = Object.keys(BEHAVIOURS) as GatewayKind[]

const DEADLINE_MS = 60_000

let lab: Laboratory
let fleet: Fleet
let homeGateway: Gateway

before(async () => {
  lab = await Laboratory.create()
  homeGateway = await lab.gateway('port-restricted')
  const blocked = await lab.host({ behind: homeGateway, name: 'blocked' })
  const kinds = Object.fromEntries(KINDS.map((kind) => [kind, kind] as const))
  fleet = await Fleet.create(lab, { ...kinds, open: 'open', blocked })
  await homeGateway.blockUdp(true)
  await Promise.all(fleet.machines.map((machine) => fleet.startMachine(machine)))
})

after(() => lab.close())

describe('A node names the gateway before it:', () => {
  for (const kind of KINDS) {
    test(kind, async () => {
      const { nat } = await untilNat(kind, ({ filtering }) => filtering !== 'unknown')
      assert.deepEqual([nat.mapping, nat.filtering], BEHAVIOURS[kind])
      assert.equal(nat.portPreserving, kind !== 'symmetric')
      await untilNat(kind, ({ hairpinning }) => hairpinning === false)
      assert.equal(nat.udp, true)
    })
  }

  test('none', async () => {
    const { nat } = await untilNat('open', ({ filtering }) => filtering !== 'unknown')
    assert.deepEqual([nat.mapping, nat.filtering], ['none', 'none'])
  })
})

test('A node says that no UDP gets out, when it does again, and what is before it', async () => {
  await untilNat('blocked', ({ udp }) => udp === false)
  await homeGateway.blockUdp(false)
  await untilNat('blocked', ({ udp }) => udp === true, 2 * DEADLINE_MS)
  await untilNat('blocked', ({ filtering }) => filtering === 'address-and-port-dependent')
})

test('Others read it in the record', async () => {
  const { publicKey } = fleet.machine('address-restricted').wireguard.keys
  await until('the record to say so', async () => {
    const { stdout } = await fleet.machine('open').daemon.cli('resolve', [publicKey, '--json'])
    return (JSON.parse(stdout) as Status).nat.filtering === 'address-dependent'
  })
})

async function untilNat(
  name: string,
  isSo: (nat: Status['nat']) => boolean,
  deadlineMs = DEADLINE_MS,
): Promise<Status> {
  let status: Status | undefined
  try {
    return await until(
      `${name} to know its NAT`,
      async () => {
        status = await fleet.machine(name).daemon.status()
        return isSo(status.nat) ? status : undefined
      },
      deadlineMs,
    )
  } catch (cause) {
    throw new Error(`${name} does not know its NAT: ${JSON.stringify(status?.nat)}`, { cause })
  }
}
