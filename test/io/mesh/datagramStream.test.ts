/** Streams of a relay, over a registrar and streams of the test's own. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { senderBlock } from '../../../src/base/address.js'
import { DatagramStream } from '../../../src/io/mesh/datagramStream.js'
import type { Parts } from '../../../src/io/mesh/parts.js'
import { RelayStreams } from '../../../src/io/mesh/relayStreams.js'
import { encodeRelayFrame } from '../../../src/wire/relayFrame.js'

type Handler = (stream: Stream, connection: Pick<Connection, 'remoteAddr'>) => void

test('a stream by which nothing comes or goes is ended, and one in use is not', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const closed: string[] = []
  const stream = fakeStream('open')
  new DatagramStream(stream, {
    onFrame: () => undefined,
    onClose: (reason) => closed.push(reason),
    onOverflow: () => undefined,
  })
  for (let minute = 0; minute < 10; minute++) {
    t.mock.timers.tick(60_000)
    const data = encodeRelayFrame({ port: 1, datagram: new Uint8Array(1) })
    stream.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
  assert.deepEqual(closed, [])
  t.mock.timers.tick(240_000)
  assert.deepEqual(closed, ['nothing came or went'])
})

test('one address has no more than its share of the streams, however many identities it has', async () => {
  let handler: Handler | undefined
  const registrar = {
    handle: async (_protocol: string, taken: Handler) => {
      handler = taken
    },
  } as unknown as Parts['registrar']
  const sources: (string | undefined)[] = []
  const streams = new RelayStreams('test', {
    onInbound: (_, source) => sources.push(source),
    onDatagram: () => undefined,
    onClose: () => undefined,
    onOverflow: () => undefined,
  })
  await streams.setServing({ registrar }, true)
  const from = (address: string) => ({ remoteAddr: multiaddr(address) })
  for (let port = 1; port <= 200; port++) handler?.(fakeStream('open'), from(`/ip4/192.0.2.7/tcp/${port}`))
  for (let host = 1; host <= 200; host++)
    handler?.(fakeStream('open'), from(`/ip6/2001:db8:1:2::${host.toString(16)}/tcp/1`))
  handler?.(fakeStream('open'), from('/ip4/192.0.2.8/tcp/1'))
  const count = (block: string) => sources.filter((source) => senderBlock(source ?? '') === block).length
  assert.equal(count('192.0.2.7'), 64)
  assert.equal(count('2001:db8:1:2::/64'), 64)
  assert.equal(count('192.0.2.8'), 1)
  streams.stop()
})

test('streams that were reset before they were taken take no place of others', async () => {
  let handler: Handler | undefined
  const registrar = {
    handle: async (_protocol: string, taken: Handler) => {
      handler = taken
    },
  } as unknown as Parts['registrar']
  const heard: number[] = []
  const streams = new RelayStreams('test', {
    onInbound: () => undefined,
    onDatagram: (id) => heard.push(id),
    onClose: () => undefined,
    onOverflow: () => undefined,
  })
  await streams.setServing({ registrar }, true)
  const connection = { remoteAddr: multiaddr('/ip4/192.0.2.7/tcp/1') }
  for (let count = 0; count < 600; count++) handler?.(fakeStream('reset'), connection)
  const stream = fakeStream('open')
  handler?.(stream, connection)
  const data = encodeRelayFrame({ port: 1, datagram: new Uint8Array(1) })
  stream.dispatchEvent(Object.assign(new Event('message'), { data }))
  assert.equal(heard.length, 1)
  streams.stop()
})

function fakeStream(status: string): Stream {
  return Object.assign(new EventTarget(), { status, abort: () => undefined }) as unknown as Stream
}
