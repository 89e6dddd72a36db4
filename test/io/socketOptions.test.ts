import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import {
  allowFragments,
  interfaceMtu,
  markedTcpSocket,
  sendUnfragmented,
  setMark,
  socketOptionsAvailable,
  udpSocketFd,
} from '../../src/io/socketOptions.js'
import { markOf, optionOf } from './descriptors.js'

const IPPROTO_IP = 0
const IP_MTU_DISCOVER = 10
const IP_PMTUDISC_DONT = 0

describe('socket options', () => {
  it('can be set on this machine', () => {
    assert.deepEqual(socketOptionsAvailable(), { available: true })
  })

  it('a UDP socket carries the mark it was given, and no deprecation warning is printed', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const socket = await boundSocket()
    try {
      const fd = udpSocketFd(socket)
      assert.ok(fd !== undefined)
      assert.equal(markOf(fd), 0)
      assert.equal(setMark(fd, 0xca6c), true)
      assert.equal(markOf(fd), 0xca6c)
      assert.equal(setMark(fd, 0xffff_ffff), true)
      assert.equal(markOf(fd), 0xffff_ffff)
      assert.equal(setMark(fd, 0), true)
      assert.equal(markOf(fd), 0)
      await new Promise(setImmediate)
      assert.deepEqual(warnings, [])
    } finally {
      socket.close()
      process.off('warning', onWarning)
    }
  })

  it('a closed UDP socket has no descriptor', async () => {
    const socket = await boundSocket()
    socket.close()
    assert.equal(udpSocketFd(socket), undefined)
  })

  it('a mark on what is no socket is refused', () => {
    assert.equal(setMark(-1, 1), false)
  })

  for (const [family, host] of [
    [4, '127.0.0.1'],
    [6, '::1'],
  ] as const)
    it(`Node connects a marked TCP socket of family ${family} and carries data both ways over it`, async () => {
      const server = createServer((accepted) => accepted.pipe(accepted))
      server.listen(0, host)
      await once(server, 'listening')
      const fd = markedTcpSocket(family, 0x1234)
      assert.ok(fd !== undefined)
      const socket = connect({ fd, host, port: (server.address() as AddressInfo).port })
      try {
        await once(socket, 'connect')
        assert.equal(markOf(fd), 0x1234)
        assert.equal(socket.remoteAddress, host)
        socket.write('there and back')
        const [echoed] = (await once(socket, 'data')) as [Buffer]
        assert.equal(echoed.toString(), 'there and back')
      } finally {
        socket.destroy()
        server.close()
      }
    })

  it('a UDP socket may be fragmented before and after a datagram that may not', async () => {
    const socket = await boundSocket()
    try {
      const fd = udpSocketFd(socket)
      assert.ok(fd !== undefined)
      assert.equal(allowFragments(fd, 4), true)
      assert.equal(optionOf(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT)
      const { port } = socket.address()
      const received = once(socket, 'message')
      assert.equal(sendUnfragmented(fd, { ip: '127.0.0.1', port }, Buffer.alloc(100)), 'sent')
      assert.equal(((await received) as [Buffer])[0].length, 100)
      assert.equal(optionOf(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT)
      assert.equal(sendUnfragmented(fd, { ip: '127.0.0.1', port }, Buffer.alloc(70_000)), 'too-large')
      assert.equal(optionOf(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT)
      assert.equal(sendUnfragmented(fd, { ip: '::1', port }, Buffer.alloc(1)), 'failed')
      assert.equal(sendUnfragmented(-1, { ip: '127.0.0.1', port }, Buffer.alloc(1)), 'failed')
    } finally {
      socket.close()
    }
  })

  it('the MTU of an interface is read, and of none where there is none of that name', async () => {
    const mtu = Number(await readFile('/sys/class/net/lo/mtu', 'utf8'))
    assert.equal(interfaceMtu('lo'), mtu)
    assert.equal(interfaceMtu('no-such-device'), undefined)
    assert.equal(interfaceMtu('a-name-that-is-too-long'), undefined)
  })

  it('a marked TCP socket whose connection is refused is closed, not leaked', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const fd = markedTcpSocket(4, 1)
    assert.ok(fd !== undefined)
    const socket = connect({ fd, host: '127.0.0.1', port })
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED')
    await once(socket, 'close')
    assert.equal(markOf(fd), undefined)
  })
})

async function boundSocket(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}
