import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import { streamAddress } from '../../src/base/streamAddress.js'
import { isStreamSocket, StreamSockets } from '../../src/io/streamSockets.js'

const RELAY = { identity: new Uint8Array(32).fill(1), ip: '203.0.113.7' }

function scene() {
  const sent: string[] = []
  const got: string[] = []
  let next = 4
  const streams = new StreamSockets(
    {
      open: async ({ length }) => {
        if (length !== 32) throw new Error('no such relay')
        return next++
      },
      send: (stream, port, bytes) => sent.push(`${stream} ${port} ${toText(bytes)}`),
      close: (stream) => sent.push(`close ${stream}`),
    },
    {
      onDatagram: (socket, ip, port, bytes) => got.push(`${socket} ${ip} ${port} ${toText(bytes)}`),
      onRelayed: (from, port, bytes) => got.push(`${from.ip} ${port} ${toText(bytes)}`),
      onChange: () => got.push('change'),
    },
  )
  return { streams, sent, got }
}

test('a stream of ours is a socket whose datagrams come from its relay', async () => {
  const { streams, sent, got } = scene()
  await streams.open(RELAY)
  const [socket] = streams.sockets()
  assert(socket !== undefined && isStreamSocket(socket.id))
  assert.deepEqual(
    { purpose: socket.purpose, relay: socket.relay, address: socket.address },
    { purpose: 'stream', relay: RELAY, address: streamAddress(4) },
  )
  streams.sendFrom(socket.id, 40_000, fromString('a'))
  streams.received(4, 40_000, fromString('b'))
  assert.deepEqual(sent, ['4 40000 a'])
  assert.deepEqual(got, ['change', `${socket.id} 203.0.113.7 40000 b`])
})

test('what comes through the stream of another node is for a port of ours, and is answered to its address', () => {
  const { streams, sent, got } = scene()
  const from = '198.51.100.7'
  streams.opened(9, from)
  streams.received(9, 51_821, fromString('a'))
  assert.deepEqual(got, [`${streamAddress(9, from).ip} 51821 a`])
  streams.sendTo(streamAddress(9, from), 51_821, fromString('b'))
  streams.sendTo(streamAddress(8, from), 51_821, fromString('another stream'))
  streams.sendTo({ ip: '203.0.113.1', port: 1 }, 51_821, fromString('no stream'))
  assert.deepEqual(sent, ['9 51821 b'])
  assert.deepEqual(streams.sockets(), [])
  streams.ended(9)
  streams.sendTo(streamAddress(9, from), 51_821, fromString('late'))
  assert.deepEqual(sent, ['9 51821 b'])
})

test('a stream that ended is no socket any more, and its id is not used again', async () => {
  const { streams, sent, got } = scene()
  await streams.open(RELAY)
  const [first] = streams.sockets()
  streams.ended(4)
  streams.ended(4)
  assert.deepEqual(streams.sockets(), [])
  streams.sendFrom(first?.id ?? 0, 1, fromString('late'))
  streams.close(first?.id ?? 0)
  assert.deepEqual(sent, [])
  assert.deepEqual(got, ['change', 'change'])
  await streams.open(RELAY)
  assert.notEqual(streams.sockets()[0]?.id, first?.id)
  streams.close(streams.sockets()[0]?.id ?? 0)
  assert.deepEqual(sent, ['close 5'])
})

test('a stream that cannot be opened is an error, and no socket', async () => {
  const { streams } = scene()
  await assert.rejects(streams.open({ ...RELAY, identity: new Uint8Array(1) }), /no such relay/)
  assert.deepEqual(streams.sockets(), [])
})
