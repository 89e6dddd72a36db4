/** The WireGuard interface changes under the daemon: its key, its port, or altogether. */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { formatSocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { until } from '../until.js'
import { UpNode } from './daemons.js'
import { Laboratory } from './laboratory.js'
import { generateWireGuardKeys, WireGuard } from './wireguard.js'

const ENDPOINT = { ip: '203.0.113.200', port: 4_500 }

let lab: Laboratory
let wireguard: WireGuard
let node: UpNode
const peer = { publicKey: generateWireGuardKeys().publicKey, allowedIps: ['10.9.0.2/32'] }

before(async () => {
  lab = await Laboratory.create()
  const host = await lab.host()
  wireguard = await WireGuard.create(host, {
    addresses: ['10.9.0.1'],
    peers: [{ ...peer, endpoint: ENDPOINT }],
  })
  node = await UpNode.start(wireguard)
  await untilEndpointIsOurs()
})

after(() => lab.close())

describe('While the daemon runs', () => {
  test('another private key makes it the node of that key, with the same loopback endpoint for the peer', async () => {
    const { publicKey: formerKey } = await node.status()
    const { loopback } = await node.peer(peer.publicKey)
    const keys = generateWireGuardKeys()
    const file = join(wireguard.host.namespace.scope.directory, 'another.key')
    await writeFile(file, keys.privateKey, { mode: 0o600 })
    await wireguard.host.run('wg', ['set', wireguard.name, 'private-key', file])
    await untilNodeOf(keys.publicKey)
    assert.notEqual(keys.publicKey, formerKey)
    await untilEndpointIsOurs()
    assert.equal((await node.peer(peer.publicKey)).loopback, loopback)
  })

  test('an interface that was deleted and made again, with its first key, has its endpoints set again', async () => {
    await wireguard.remake()
    await wireguard.setPeer({ ...peer, endpoint: ENDPOINT })
    await untilNodeOf(wireguard.keys.publicKey)
    await untilEndpointIsOurs()
  })

  test('at its end the former endpoint is there again', async () => {
    await node.stop()
    assert.equal(await endpoint(), formatSocketAddress(ENDPOINT))
  })
})

async function untilNodeOf(key: PublicKey): Promise<void> {
  await until('the node of the key', async () => {
    try {
      return (await node.status()).publicKey === key
    } catch {
      // Between the two there is nobody to ask.
      return false
    }
  })
}

async function untilEndpointIsOurs(): Promise<void> {
  await until('a loopback endpoint', async () => {
    const { loopback } = await node.peer(peer.publicKey)
    return loopback !== null && (await endpoint()) === loopback
  })
}

async function endpoint(): Promise<string | undefined> {
  const found = (await wireguard.peers()).find(({ publicKey }) => publicKey === peer.publicKey)?.endpoint
  return found === undefined ? undefined : formatSocketAddress(found)
}
