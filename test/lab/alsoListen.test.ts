/** A reachable node that takes libp2p on a second TCP port, for those whose networks let little else out. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { until } from '../until.js'
import { BootstrapNode } from './daemons.js'
import { Laboratory } from './laboratory.js'

let lab: Laboratory

before(async () => {
  lab = await Laboratory.create()
})

after(() => lab.close())

test('A node is reached at the further port that it listens on, and tells others of it', async () => {
  const host = await lab.host({ name: 'server' })
  const server = await BootstrapNode.start(host, { args: ['--also-listen', '443'] })
  const { addresses, peerId } = await server.status()
  const further = `/ip4/${host.address}/tcp/443/p2p/${peerId}`
  assert.ok(addresses.includes(further), addresses.join(' '))

  const other = await BootstrapNode.start(await lab.host({ name: 'other' }), { bootstrap: [further] })

  await until('the other node to be connected', async () =>
    (await other.status()).bootstrap.every(({ connected }) => connected),
  )
})

test('A further port that is taken is said, and nothing is started', async () => {
  const host = await lab.host({ name: 'busy' })
  const holder = "require('net').createServer().listen(443, () => console.log('listening'))"
  await host.spawn('node', ['-e', holder]).waitForOutput(/listening/)
  await assert.rejects(
    BootstrapNode.start(host, { args: ['--also-listen', '443'] }),
    /TCP port 443 is in use: choose another with --also-listen/,
  )
})
