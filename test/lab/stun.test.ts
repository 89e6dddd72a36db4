/** Reflectors that the user gives: any STUN server, without a mesh. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../until.js'
import { UpNode } from './daemons.js'
import type { Host } from './host.js'
import { Laboratory } from './laboratory.js'
import { WireGuard } from './wireguard.js'

const STUN_RESPONDER = fileURLToPath(new URL('./programs/stunResponder.js', import.meta.url))

let lab: Laboratory
let server: Host
let port: string

before(async () => {
  lab = await Laboratory.create()
  server = await lab.host()
  const responder = server.spawn(process.execPath, [STUN_RESPONDER])
  port = (await responder.waitForOutput(/port (\d+)/))[1] ?? ''
})

after(() => lab.close())

test('A node that knows nothing but a STUN server learns the address of its NAT there', async () => {
  const gateway = await lab.gateway('port-restricted')
  const host = await lab.host({ behind: gateway })
  const wireguard = await WireGuard.create(host, { addresses: ['10.9.0.1'] })
  const node = await UpNode.start(wireguard, { args: ['--stun', `${server.address}:${port}`] })
  const reflexive = await until('the reflexive address', async () => (await node.status()).nat.reflexive[0])
  assert.equal(reflexive.split(':')[0], gateway.address)
  await node.stop()
})

test('A name that cannot be resolved holds nothing up, and is said', async () => {
  const host = await lab.hostWith('port-restricted')
  const wireguard = await WireGuard.create(host, { addresses: ['10.9.0.2'] })
  const args = ['--stun', 'no-such-name.invalid:3478', '--stun', `${server.address}:${port}`]
  const node = await UpNode.start(wireguard, { args })
  await until('the reflexive address', async () => (await node.status()).nat.reflexive[0])
  await node.process.waitForOutput(/"level":40[^\n]*no-such-name\.invalid/)
  // The system's resolver cannot be cancelled, and an orderly end of a process waits for it.
  await node.process.stop('SIGKILL')
})
