/** Batches over real sockets of loopback. */

import assert from 'node:assert/strict'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SocketAddress } from '../../src/base/address.js'
import { DatagramBatches } from '../../src/io/datagramBatches.js'
import { batchingOf, bindUdpSocket, closeUdpSocket, enlargeBuffers, receive } from '../../src/io/udpSocket.js'
import { until } from '../until.js'

const open = (ip = '127.0.0.1'): Socket => {
  const socket = bindUdpSocket({ ip, port: 0 })
  enlargeBuffers(socket)
  return socket
}
const addressOf = (socket: Socket): SocketAddress => {
  const { address, port } = socket.address()
  return { ip: address, port }
}
const sendAll = async (from: Socket, to: Socket, datagrams: readonly Uint8Array[]): Promise<void> => {
  const { ip, port } = addressOf(to)
  let sent = 0
  for (const datagram of datagrams) from.send(datagram, port, ip, () => sent++)
  await until('all to be sent', () => sent === datagrams.length)
}
/** Which one it is, in its first four bytes, and filled up with a byte of its own. */
const numbered = (number: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(Math.max(4, length)).fill(number)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

/** Passes what comes to `inbound` on to `sink`, in batches. */
function relay(batches: DatagramBatches, inbound: Socket, outbound: Socket, sink: SocketAddress) {
  const errors: string[] = []
  const onError = (_remote: SocketAddress | undefined, code: string) => errors.push(code)
  const incoming = batchingOf(inbound, batches, onError)
  const outgoing = batchingOf(outbound, batches, onError)
  assert(incoming !== undefined && outgoing !== undefined)
  const passed = { batched: 0, singly: 0 }
  receive(
    inbound,
    (bytes) => {
      if (batches.send(outgoing.batched, sink, bytes)) passed.batched++
      else {
        passed.singly++
        outbound.send(bytes, sink.port, sink.ip)
      }
    },
    incoming,
  )
  return { passed, errors, incoming, outgoing }
}

for (const ip of ['127.0.0.1', '::1'])
  test(`bursts of any lengths pass as they are, in order, over ${ip}`, async () => {
    const batches = DatagramBatches.open()
    assert(batches !== undefined)
    const [source, inbound, outbound, sink] = [open(ip), open(ip), open(ip), open(ip)]
    const { passed, errors } = relay(batches, inbound, outbound, addressOf(sink))
    const arrived: Uint8Array[] = []
    sink.on('message', (bytes) => arrived.push(Uint8Array.from(bytes)))
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(fc.constant(1_452), fc.constant(100), fc.integer({ min: 4, max: 9_000 })), {
            minLength: 1,
            maxLength: 100,
          }),
          async (lengths) => {
            arrived.length = 0
            const datagrams = lengths.map((length, number) => numbered(number, length))
            await sendAll(source, inbound, datagrams)
            await until('all to arrive', () => arrived.length >= datagrams.length)
            assert.deepEqual(arrived, datagrams)
          },
        ),
        { numRuns: 50 },
      )
      assert(passed.batched > 0, 'there was no burst')
      assert.deepEqual(errors, [])
    } finally {
      for (const socket of [source, inbound, outbound, sink]) socket.close()
    }
  })

test('what came in a burst and is kept is a copy, and anything else is itself', async () => {
  const batches = DatagramBatches.open()
  assert(batches !== undefined)
  const [source, inbound] = [open(), open()]
  const incoming = batchingOf(inbound, batches, () => undefined)
  const kept: Uint8Array[] = []
  let copies = 0
  receive(
    inbound,
    (bytes, ip, port) => {
      assert.deepEqual({ ip, port }, addressOf(source))
      const copy = batches.kept(bytes)
      if (copy !== bytes) copies++
      kept.push(copy)
    },
    incoming,
  )
  const datagrams = Array.from({ length: 300 }, (_, number) => numbered(number, 40))
  await sendAll(source, inbound, datagrams)
  await until('all to arrive', () => kept.length === datagrams.length)
  assert.deepEqual(
    kept.map((bytes) => Uint8Array.from(bytes)),
    datagrams,
  )
  assert(copies > 0, 'there was no burst')
  for (const socket of [source, inbound]) socket.close()
})

test('a socket that is closed in the midst of a burst sends what it had, and nothing of another socket is read', async () => {
  const batches = DatagramBatches.open()
  assert(batches !== undefined)
  const [source, inbound, outbound, sink] = [open(), open(), open(), open()]
  const errors: string[] = []
  const incoming = batchingOf(inbound, batches, (_, code) => errors.push(code))
  const outgoing = batchingOf(outbound, batches, (_, code) => errors.push(code))
  assert(incoming !== undefined && outgoing !== undefined)
  const to = addressOf(sink)
  const arrived: number[] = []
  sink.on('message', (bytes) => arrived.push(bytes.readUInt32BE()))
  let taken = 0
  let isOver = false
  receive(
    inbound,
    (bytes) => {
      if (isOver || !batches.send(outgoing.batched, to, bytes)) return
      taken++
      if (taken < 5) return
      isOver = true
      closeUdpSocket(outbound, outgoing)
      closeUdpSocket(inbound, incoming)
      assert.equal(batches.send(outgoing.batched, to, bytes), true)
    },
    incoming,
  )
  const closed = once(inbound, 'close')
  await sendAll(
    source,
    inbound,
    Array.from({ length: 200 }, (_, number) => numbered(number, 100)),
  )
  await closed
  await until('five to arrive', () => arrived.length === 5)
  assert.deepEqual(errors, [])
  for (const socket of [source, sink]) socket.close()
})

test('where nobody listens, the error is told and the rest goes on', async () => {
  const batches = DatagramBatches.open()
  assert(batches !== undefined)
  const [source, inbound, outbound, sink] = [open(), open(), open(), open()]
  const gone = addressOf(sink)
  await new Promise<void>((resolve) => sink.close(resolve))
  // Only a connected socket is told.
  outbound.connect(gone.port, gone.ip)
  const errors: string[] = []
  const incoming = batchingOf(inbound, batches, () => undefined)
  const outgoing = batchingOf(outbound, batches, (_, code) => errors.push(code))
  assert(incoming !== undefined && outgoing !== undefined)
  outbound.on('error', () => undefined)
  let taken = 0
  receive(
    inbound,
    (bytes) => {
      taken++
      batches.send(outgoing.batched, undefined, bytes)
    },
    incoming,
  )
  const datagrams = Array.from({ length: 200 }, (_, number) => numbered(number, number))
  await sendAll(source, inbound, datagrams)
  await until('all to be taken', () => taken === datagrams.length)
  assert(errors.length > 0)
  for (const code of errors) assert.equal(code, 'ECONNREFUSED')
  for (const socket of [source, inbound, outbound]) socket.close()
})
