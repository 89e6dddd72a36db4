import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { logChanges } from '../../src/daemon/interfaceChanges.js'
import type { PeerDump } from '../../src/io/wireguard/interfaceDump.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { recordingLogger } from './recordingLogger.js'

const [ana, ben] = [sampleKey(1), sampleKey(2)]
const somewhere = { ip: '203.0.113.1', port: 51_820 }
const elsewhere = { ip: '203.0.113.2', port: 51_820 }

function reading(peers: readonly (readonly [PublicKey, SocketAddress?])[], listenPort = 51_820) {
  const dumped = peers.map(
    ([publicKey]): PeerDump => ({
      publicKey,
      endpoint: undefined,
      zonedEndpoint: undefined,
      allowedIps: [],
      latestHandshake: undefined,
      rxBytes: 0,
      txBytes: 0,
      persistentKeepalive: undefined,
    }),
  )
  return { dump: { listenPort, peers: dumped }, former: new Map(peers.map(([key, at]) => [key, at])) }
}

function said(before: ReturnType<typeof reading>, after: ReturnType<typeof reading>) {
  const { log, lines } = recordingLogger()
  logChanges(before, after, log)
  return lines.map(({ message, fields }) => [message.replace(/:.*/, ''), fields])
}

test('an interface that stays as it is is not worth a line', () => {
  assert.deepEqual(said(reading([[ana, somewhere], [ben]]), reading([[ana, { ...somewhere }], [ben]])), [])
  // One that is down has no port.
  assert.deepEqual(said(reading([]), reading([], 0)), [])
})

test('peers that come and go are named, and so is another port', () => {
  assert.deepEqual(said(reading([[ana]]), reading([[ben, somewhere]], 51_900)), [
    ['the interface has more peers', { count: 1, peers: [ben] }],
    ['peers of the interface were removed', { count: 1, peers: [ana] }],
    ['WireGuard listens on another port', { listenPort: 51_900 }],
  ])
})

test('of many peers eight are named', () => {
  const keys = Array.from({ length: 200 }, (_, n) => [sampleKey(n + 1)] as const)
  assert.deepEqual(said(reading([]), reading(keys)), [
    ['the interface has more peers', { count: 200, peers: keys.slice(0, 8).map(([key]) => key) }],
  ])
})

test('an endpoint that somebody set is said, the first as well as another one', () => {
  const line = ['somebody set the endpoint of a peer', { peer: ana, endpoint: '203.0.113.2:51820' }]
  assert.deepEqual(said(reading([[ana]]), reading([[ana, elsewhere]])), [line])
  assert.deepEqual(said(reading([[ana, somewhere]]), reading([[ana, elsewhere]])), [line])
})
