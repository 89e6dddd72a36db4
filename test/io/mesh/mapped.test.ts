/** Ports that gateways have opened, and further ports that are listened on, as the mesh tells and probes them. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { addressOf, soon, startServers, startTestMesh, until } from './meshes.js'

/** A gateway's outer port: what comes there goes to `port`. */
async function openedPort(t: TestContext, port: number): Promise<number> {
  const gateway = createServer((outer) => {
    const inner = connect(port, '127.0.0.1')
    outer.pipe(inner).pipe(outer)
    outer.on('error', () => inner.destroy())
    inner.on('error', () => outer.destroy())
  })
  gateway.listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  t.after(() => gateway.close())
  return (gateway.address() as AddressInfo).port
}

function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)/.exec(address)?.[1])
}

test('a mapped address is told to others, until it is no more', async (t) => {
  const mesh = await startTestMesh(t, { serves: true })
  mesh.setMapped([{ ip: '203.0.113.10', port: 40_000 }])
  const mapped = `/ip4/203.0.113.10/tcp/40000/p2p/${mesh.peerId}`
  assert.ok(mesh.state().addresses.includes(mapped))
  mesh.setMapped([])
  assert.ok(!mesh.state().addresses.includes(mapped))
})

test('a probe asks for the outer port that a gateway has opened', async (t) => {
  const [server] = await startServers(t, 2)
  const client = await startTestMesh(t, {
    bootstrap: [addressOf(server)],
    listen: [{ ip: '127.0.0.1', port: 0 }],
  })
  await until(() => client.state().bootstrap[0]?.connected === true)
  const own = client.state().addresses.find((address) => !address.includes('p2p-circuit')) ?? ''
  const outer = await openedPort(t, portOf(own))

  client.setMapped([{ ip: '127.0.0.1', port: outer }])

  await until(async () => (await client.probeReachability(soon())).reachable === true)
  // The port of a gateway that does not open it is not reached.
  client.setMapped([{ ip: '127.0.0.1', port: 1 }])
  await until(async () => (await client.probeReachability(soon())).reachable === false)
})

test('a node that listens on two ports is reached at both', async (t) => {
  const listen = [
    { ip: '127.0.0.1', port: 0 },
    { ip: '127.0.0.1', port: 0 },
  ]
  const server = await startTestMesh(t, { serves: true, listen })
  const { addresses } = server.state()
  assert.equal(new Set(addresses.map(portOf)).size, 2)
  for (const address of addresses) {
    const client = await startTestMesh(t, { bootstrap: [address] })
    await until(() => client.state().bootstrap[0]?.connected === true)
  }
})
