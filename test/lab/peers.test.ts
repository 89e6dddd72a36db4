/** Peers that come and go with `wg set` while the daemon runs. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { formatSocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { until } from '../until.js'
import { UpNode } from './daemons.js'
import { Laboratory } from './laboratory.js'
import { generateWireGuardKeys, WireGuard } from './wireguard.js'

/** This is promised, so it is no matter of how busy the machine is. */
const NOTICED_WITHIN_MS = 2_000

let lab: Laboratory
let wireguard: WireGuard
let node: UpNode
const [resident, newcomer, rover] = [1, 2, 3].map(() => generateWireGuardKeys().publicKey) as [
  PublicKey,
  PublicKey,
  PublicKey,
]

before(async () => {
  lab = await Laboratory.create()
  wireguard = await WireGuard.create(await lab.host(), {
    addresses: ['10.9.0.1'],
    peers: [{ publicKey: resident, allowedIps: ['10.9.0.2/32'] }],
  })
  node = await UpNode.start(wireguard)
})

after(() => lab.close())

describe('While the daemon runs', () => {
  test('a peer that is added is noticed, and gets a loopback endpoint', async () => {
    await wireguard.setPeer({ publicKey: newcomer, allowedIps: ['10.9.0.3/32'] })
    await untilPeersAre([resident, newcomer])
    await untilEndpointIsOurs(newcomer)
  })

  test('a peer that is added with an endpoint gets a loopback endpoint, and the other one back at the end', async () => {
    const endpoint = { ip: '203.0.113.200', port: 4_500 }
    await wireguard.setPeer({ publicKey: rover, allowedIps: ['10.9.0.4/32'], endpoint })
    await untilPeersAre([resident, newcomer, rover])
    await untilEndpointIsOurs(rover)
    await node.stop()
    assert.equal(await endpointOf(rover), formatSocketAddress(endpoint))
    node = await UpNode.start(wireguard)
  })

  test('a peer that is removed is noticed, and stays removed', async () => {
    const { loopback } = await node.peer(newcomer)
    await wireguard.removePeer(newcomer)
    await untilPeersAre([resident, rover])
    assert.ok(!(await listeningOn(loopback ?? '')), `${loopback} is still open`)
    assert.equal(await endpointOf(newcomer), undefined)
    assert.equal((await wireguard.peers()).length, 2)
  })

  test('an endpoint that is changed becomes the former one, and WireGuard sends to ours again', async () => {
    const endpoint = { ip: '203.0.113.201', port: 4_501 }
    await wireguard.setPeer({ publicKey: resident, allowedIps: ['10.9.0.2/32'], endpoint })
    await untilEndpointIsOurs(resident)
    const said = await node.process.waitForOutput(/\{[^\n]*somebody set the endpoint of a peer[^\n]*/)
    assert.ok(said[0].includes(resident) && said[0].includes(formatSocketAddress(endpoint)), said[0])
    await node.stop()
    assert.equal(await endpointOf(resident), formatSocketAddress(endpoint))
  })
})

async function untilPeersAre(keys: readonly PublicKey[]): Promise<void> {
  await until(
    `the daemon to know ${keys.length} peers`,
    async () => {
      const { peers } = await node.status()
      const known = new Set(peers.map(({ publicKey }) => publicKey))
      return known.size === keys.length && keys.every((key) => known.has(key))
    },
    NOTICED_WITHIN_MS,
  )
}

/** Until WireGuard sends to the loopback endpoint that the daemon has for a peer, and the daemon listens there. */
async function untilEndpointIsOurs(key: PublicKey): Promise<void> {
  await until('a loopback endpoint', async () => {
    const { loopback } = await node.peer(key)
    return loopback !== null && (await endpointOf(key)) === loopback
  })
  const { loopback } = await node.peer(key)
  assert.ok(await listeningOn(loopback ?? ''), `nobody listens on ${loopback}`)
}

async function endpointOf(key: PublicKey): Promise<string | undefined> {
  const endpoint = (await wireguard.peers()).find(({ publicKey }) => publicKey === key)?.endpoint
  return endpoint === undefined ? undefined : formatSocketAddress(endpoint)
}

/** True where a UDP socket of the host has this address. */
async function listeningOn(endpoint: string): Promise<boolean> {
  const { stdout } = await wireguard.host.run('ss', ['-nuaH'])
  return stdout.split(/\s+/).includes(endpoint)
}
