/** Machines that share a gateway, or stand one gateway behind another. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseSocketAddress } from '../../src/base/address.js'
import { Fleet } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'

let lab: Laboratory
let outer: Gateway
let inner: Gateway
let fleet: Fleet

before(async () => {
  lab = await Laboratory.create()
  outer = await lab.gateway('port-restricted')
  inner = await lab.gateway('port-restricted', { behind: outer })
  const [alice, bob, nested] = await Promise.all([
    lab.host({ name: 'alice', behind: outer }),
    lab.host({ name: 'bob', behind: outer }),
    lab.host({ name: 'nested', behind: inner }),
  ])
  fleet = await Fleet.create(lab, { alice, bob, nested, open: 'open', cone: 'full-cone' })
  await fleet.start()
})

after(() => lab.close())

describe('Two machines behind the same gateway', () => {
  test('use their LAN addresses', async () => {
    await assertFirstPing('alice', 'bob')
    assert.equal(await remoteIp('alice', 'bob'), fleet.machine('bob').host.address)
    assert.equal(await remoteIp('bob', 'alice'), fleet.machine('alice').host.address)
  })
})

describe('A machine behind a gateway that is behind another one', () => {
  test('reaches one in the open directly', async () => {
    await assertFirstPing('nested', 'open')
    assert.equal(await remoteIp('nested', 'open'), fleet.machine('open').host.address)
    assert.equal(await remoteIp('open', 'nested'), outer.address)
  })

  test('reaches one behind a full cone directly', async () => {
    await assertFirstPing('cone', 'nested')
    assert.equal(await remoteIp('cone', 'nested'), outer.address)
  })

  test('reaches one between the two gateways over the LAN between them', async () => {
    await assertFirstPing('nested', 'alice')
    assert.equal(await remoteIp('nested', 'alice'), fleet.machine('alice').host.address)
    assert.equal(await remoteIp('alice', 'nested'), inner.address)
  })
})

async function assertFirstPing(from: string, to: string): Promise<void> {
  const { received } = await fleet.machine(from).host.ping(fleet.machine(to).tunnelAddress)
  assert.equal(received, 1, 'the first echo request was not answered')
}

/** Where the path in use leads to. */
async function remoteIp(from: string, to: string): Promise<string | undefined> {
  const { path } = await fleet.machine(from).daemon.untilDirect(fleet.machine(to).wireguard.keys.publicKey)
  return parseSocketAddress(path?.remote ?? '')?.ip
}
