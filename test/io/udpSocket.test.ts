import assert from 'node:assert/strict'
import type { Socket } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { streamAddress } from '../../src/base/streamAddress.js'
import { receiveFrom } from '../../src/io/udpSocket.js'

test('what comes over UDP from an address that stands for a stream is dropped and counted, whoever wrote it there', () => {
  const { received, forged, arrives } = listening('::1')
  arrives('2001:db8::1', 7)
  for (const stream of [0, 7, 70_000]) arrives(streamAddress(stream).ip, 1)
  arrives(streamAddress(3, '192.0.2.1').ip, 9)
  arrives('100:ffff::', 1)
  assert.deepEqual(received, ['2001:db8::1 7'])
  assert.equal(forged(), 5)
})

test('what cannot be answered is not handed on', () => {
  const { received, arrives } = listening('::1')
  arrives('fe80::1%lo', 7)
  arrives('2001:db8::1', 0)
  assert.deepEqual(received, [])
})

function listening(ip: string) {
  const socket = new EventEmitter()
  const received: string[] = []
  let forged = 0
  receiveFrom(
    socket as unknown as Socket,
    ip,
    (remoteIp, port) => received.push(`${remoteIp} ${port}`),
    () => {
      forged += 1
    },
  )
  const arrives = (address: string, port: number) =>
    socket.emit('message', new Uint8Array(1), { address, port, family: 'IPv6', size: 1 })
  return { received, forged: () => forged, arrives }
}
