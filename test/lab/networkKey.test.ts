/** Closed networks, as those meet them who start a daemon: who has the wrong key, or none, is told in one line. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CLOSED_NETWORK, WRONG_NETWORK_KEY } from '../../src/io/mesh/networkGate.js'
import { until } from '../until.js'
import { BootstrapNode, UpNode } from './daemons.js'
import { Laboratory } from './laboratory.js'
import { writeNetworkKey } from './networkKeyFile.js'
import { WireGuard } from './wireguard.js'

let lab: Laboratory
let server: BootstrapNode
let key: readonly string[]

before(async () => {
  lab = await Laboratory.create()
  key = ['--network-key', await writeNetworkKey(lab, 'right')]
  server = await BootstrapNode.start(await lab.host({ name: 'bootstrap' }), { args: key })
})

after(() => lab.close())

describe('tunnelbore up, in a network that is closed,', () => {
  test('with the network’s key is let in', async () => {
    const node = await start('member', key)
    await node.process.waitForOutput(/"msg":"connected to a bootstrap node"/)
  })

  for (const [name, what, says, refusal] of [
    ['other', 'with another key', WRONG_NETWORK_KEY, 'mesh-wrong-network-key'],
    ['open', 'without a key', CLOSED_NETWORK, 'mesh-no-network-key'],
  ] as const)
    test(`${what} says in one line within seconds what is wrong, and goes on`, async () => {
      const node = await start(
        name,
        name === 'open' ? [] : ['--network-key', await writeNetworkKey(lab, name)],
      )
      await node.process.waitForOutput(new RegExp(`"level":40[^\\n]*${says}`), 30_000)
      await until('it to be refused several times', async () => {
        const { drops } = await server.status()
        return (drops[refusal] ?? 0) >= 3
      })
      const told = node.process.stderr
        .split('\n')
        .filter((each) => /"level":[4-6]0/.test(each) && each.includes(says))
      assert.equal(told.length, 1, node.process.stderr)
      assert.equal(node.process.end, undefined)
      assert.equal((await node.status()).bootstrap[0]?.lastError, says)
    })
})

async function start(name: string, args: readonly string[]): Promise<UpNode> {
  const wireguard = await WireGuard.create(await lab.host({ name }), { addresses: ['10.9.0.1'] })
  return UpNode.start(wireguard, { bootstrap: [server.multiaddr], args })
}
