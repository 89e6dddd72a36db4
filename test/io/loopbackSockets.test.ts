import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo, Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import { canUseLoopbackRange, LoopbackSockets } from '../../src/io/loopbackSockets.js'
import { until } from '../until.js'

describe('loopback sockets', () => {
  it('can have addresses of their own on this machine', () => {
    assert.equal(canUseLoopbackRange(), true)
  })

  for (const [wireGuardIp, first, second] of [
    ['127.0.0.1', '127.77.1.2', '127.77.1.3'],
    ['::1', '::1', '::1'],
  ] as const)
    it(`carry datagrams between WireGuard on ${wireGuardIp} and each peer's endpoint`, async () => {
      const wireGuard = await boundSocket(wireGuardIp)
      const { sockets, received } = recording(wireGuard)
      const endpoints = [
        { ip: first, port: await freePort(first) },
        { ip: second, port: await freePort(second) },
      ] as const
      try {
        sockets.open('a', endpoints[0])
        sockets.open('b', endpoints[1])
        wireGuard.send('to a', endpoints[0].port, first)
        wireGuard.send('to b', endpoints[1].port, second)
        await until('both', () => received.length === 2)
        assert.deepEqual(received.toSorted(), [
          ['a', 'to a'],
          ['b', 'to b'],
        ])
        sockets.send('b', Buffer.from('from b'))
        const [bytes, { address, port }] = (await once(wireGuard, 'message')) as [Buffer, RemoteInfo]
        assert.equal(bytes.toString(), 'from b')
        assert.deepEqual({ ip: address, port }, endpoints[1])
      } finally {
        sockets.closeAll()
        wireGuard.close()
      }
    })

  it('take nothing from another local program', async () => {
    const wireGuard = await boundSocket('127.0.0.1')
    const stranger = await boundSocket('127.0.0.1')
    const strangeAddress = createSocket('udp4')
    const { sockets, received, foreign } = recording(wireGuard)
    const endpoint = await freeEndpoint()
    try {
      strangeAddress.bind(wireGuard.address().port, '127.0.0.9')
      await once(strangeAddress, 'listening')
      sockets.open('a', endpoint)
      await sent(stranger, 'wrong port', endpoint)
      await sent(strangeAddress, 'wrong address', endpoint)
      await sent(wireGuard, 'right', endpoint)
      await until('what WireGuard sent', () => received.length > 0)
      assert.deepEqual(received, [['a', 'right']])
      assert.deepEqual(foreign, [])
    } finally {
      sockets.closeAll()
      wireGuard.close()
      stranger.close()
      strangeAddress.close()
    }
  })

  it("take nothing that is waiting from WireGuard's former port", async () => {
    const former = await boundSocket('127.0.0.1')
    const later = await boundSocket('127.0.0.1')
    const { sockets, received, foreign } = recording(former)
    const endpoint = await freeEndpoint()
    try {
      sockets.open('a', endpoint)
      // Sent, and thus in the socket's buffer, before the socket is connected to the later port.
      former.connect(endpoint.port, endpoint.ip)
      await once(former, 'connect')
      former.send('too late')
      sockets.reconnect(later.address().port)
      later.send('in time', endpoint.port, endpoint.ip)
      await until('what the later WireGuard sent', () => received.length > 0)
      assert.deepEqual(received, [['a', 'in time']])
      assert.deepEqual(foreign, ['a'])
    } finally {
      sockets.closeAll()
      former.close()
      later.close()
    }
  })

  it("follow WireGuard's port and keep their own", async () => {
    const former = await boundSocket('127.0.0.1')
    const later = await boundSocket('127.0.0.1')
    const { sockets, received } = recording(former)
    const endpoint = await freeEndpoint()
    try {
      sockets.open('a', endpoint)
      sockets.reconnect(later.address().port)
      sockets.send('a', Buffer.from('here I am'))
      const [, { address, port }] = (await once(later, 'message')) as [Buffer, RemoteInfo]
      assert.deepEqual({ ip: address, port }, endpoint)
      former.send('out of date', endpoint.port, endpoint.ip)
      later.send('current', endpoint.port, endpoint.ip)
      await until('a datagram', () => received.length > 0)
      assert.deepEqual(received, [['a', 'current']])
    } finally {
      sockets.closeAll()
      former.close()
      later.close()
    }
  })

  it('survive a WireGuard that is gone for a while', async () => {
    const before = await boundSocket('127.0.0.1')
    const { port } = before.address()
    const { sockets, received, sendErrors } = recording(before)
    const endpoint = await freeEndpoint()
    before.close()
    sockets.open('a', endpoint)
    const again = createSocket('udp4')
    try {
      for (let count = 0; count < 10; count++) sockets.send('a', Buffer.from('nobody there'))
      await until('a refusal', () => sendErrors.length > 0)
      assert.deepEqual([...new Set(sendErrors)], ['ECONNREFUSED'])
      again.bind(port, '127.0.0.1')
      await once(again, 'listening')
      again.send('back', endpoint.port, endpoint.ip)
      await until('a datagram', () => received.length > 0)
      sockets.send('a', Buffer.from('welcome'))
      const [bytes] = (await once(again, 'message')) as [Buffer]
      assert.equal(bytes.toString(), 'welcome')
    } finally {
      sockets.closeAll()
      again.close()
    }
  })

  it('that could not follow WireGuard to another port are connected when something is to be sent', async (t) => {
    const former = await boundSocket('127.0.0.1')
    const later = await boundSocket('127.0.0.1')
    const { sockets, sendErrors } = recording(former)
    const endpoint = await freeEndpoint()
    try {
      sockets.open('a', endpoint)
      const connect = t.mock.method(Socket.prototype, 'connect', () => {
        throw Object.assign(new Error('no way there'), { code: 'ENETUNREACH' })
      })
      sockets.reconnect(later.address().port)
      sockets.send('a', Buffer.from('lost'))
      sockets.reconnect(later.address().port)
      assert.deepEqual(sendErrors, ['ENETUNREACH', 'ENETUNREACH', 'ENETUNREACH'])
      connect.mock.restore()
      sockets.send('a', Buffer.from('here I am'))
      const [bytes] = (await once(later, 'message')) as [Buffer]
      assert.equal(bytes.toString(), 'here I am')
    } finally {
      sockets.closeAll()
      former.close()
      later.close()
    }
  })

  it('are silent once closed, and can be opened again on the same address', async () => {
    const wireGuard = await boundSocket('127.0.0.1')
    const { sockets, received } = recording(wireGuard)
    const endpoint = await freeEndpoint()
    try {
      sockets.open('a', endpoint)
      assert.throws(() => sockets.open('a', endpoint), RangeError)
      assert.throws(() => sockets.open('b', endpoint), { code: 'EADDRINUSE' })
      assert.throws(() => sockets.open('b', { ...endpoint, port: 0 }), RangeError)
      sockets.close('a')
      sockets.close('a')
      sockets.send('a', Buffer.from('nothing happens'))
      sockets.open('b', endpoint)
      wireGuard.send('to b', endpoint.port, endpoint.ip)
      await until('a datagram', () => received.length > 0)
      assert.deepEqual(received, [['b', 'to b']])
    } finally {
      sockets.closeAll()
      wireGuard.close()
    }
  })
})

function recording(wireGuard: Socket) {
  const received: [string, string][] = []
  const foreign: string[] = []
  const sendErrors: string[] = []
  const sockets = new LoopbackSockets<string>(wireGuard.address().port, {
    onDatagram: (handle, bytes) => received.push([handle, Buffer.from(bytes).toString()]),
    onForeignDatagram: (handle) => foreign.push(handle),
    onSendError: (_handle, code) => sendErrors.push(code),
  })
  return { sockets, received, foreign, sendErrors }
}

async function boundSocket(ip: string): Promise<Socket> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, ip)
  await once(socket, 'listening')
  return socket
}

async function freePort(ip: string): Promise<number> {
  const socket = await boundSocket(ip)
  const { port } = socket.address()
  socket.close()
  return port
}

async function freeEndpoint(): Promise<SocketAddress> {
  return { ip: '127.77.9.9', port: await freePort('127.77.9.9') }
}

function sent(socket: Socket, text: string, to: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, to.port, to.ip, (error) => (error === null ? resolve() : reject(error)))
  })
}
