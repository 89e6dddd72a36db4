import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { bindOtherPort, type OtherPort } from '../../src/io/otherPort.js'
import { markOf, socketsOpenedBy } from './descriptors.js'

const IP = '127.0.0.1'

test('what comes in is told, and answered from the same port', async () => {
  const other = bound()
  const asker = createSocket('udp4').bind(0, IP)
  try {
    await once(asker, 'listening')
    other.onDatagram((from, datagram) => other.send(from, datagram))
    asker.send('hello', other.port, IP)
    const [bytes, { port }] = await once(asker, 'message')
    assert.equal(String(bytes), 'hello')
    assert.equal(port, other.port)
  } finally {
    asker.close()
    other.close()
  }
})

test('to send to port 0, which anybody may send from, is no error', () => {
  const other = bound()
  try {
    assert.doesNotThrow(() => other.send({ ip: IP, port: 0 }, new Uint8Array(1)))
  } finally {
    other.close()
  }
})

test('to send from a port that is closed is no error', () => {
  const other = bound()
  other.close()
  assert.doesNotThrow(() => other.send({ ip: IP, port: 9 }, new Uint8Array(1)))
})

test('what is sent carries the mark that keeps it out of a full tunnel', () => {
  let other: OtherPort | undefined
  const opened = socketsOpenedBy(() => {
    other = bindOtherPort(IP, 0xca6c)
  })
  try {
    assert.deepEqual(opened.map(markOf), [0xca6c])
  } finally {
    other?.close()
  }
})

function bound(): OtherPort {
  return bindOtherPort(IP) ?? assert.fail('no port')
}
