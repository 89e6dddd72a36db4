import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import { SharedSockets } from '../../src/io/sharedSockets.js'
import { until } from '../until.js'

describe('shared sockets', () => {
  it('are one for each address, all on one port', () => {
    const { sockets } = recording()
    try {
      assert.deepEqual(sockets.setAddresses(['127.0.0.1', '127.0.0.2', '::1']), [])
      assert.ok(sockets.port > 0)
      assert.deepEqual(
        sockets.sockets().map(({ address }) => address),
        ['127.0.0.1', '127.0.0.2', '::1'].map((ip) => ({ ip, port: sockets.port })),
      )
    } finally {
      sockets.close()
    }
  })

  it('stay open for addresses that stay, and no number is given twice', () => {
    const { sockets } = recording()
    try {
      sockets.setAddresses(['127.0.0.1', '127.0.0.2'])
      sockets.setAddresses(['127.0.0.2', '127.0.0.3'])
      assert.deepEqual(idsAndIps(sockets), [
        [1, '127.0.0.2'],
        [2, '127.0.0.3'],
      ])
      sockets.setAddresses(['127.0.0.1', '127.0.0.2'])
      assert.deepEqual(idsAndIps(sockets), [
        [1, '127.0.0.2'],
        [3, '127.0.0.1'],
      ])
      sockets.setAddresses([])
      assert.deepEqual(idsAndIps(sockets), [])
    } finally {
      sockets.close()
    }
  })

  it('have spare ones beside them, on ports of their own, which addresses do not open or close', async () => {
    const { sockets, received } = recording()
    const remote = await boundSocket('127.0.0.1')
    try {
      sockets.setAddresses(['127.0.0.1'])
      const spare = sockets.openSpare('127.0.0.1')
      assert.notEqual(spare.address.port, sockets.port)
      sockets.setAddresses(['127.0.0.1', '127.0.0.2'])
      assert.deepEqual(
        sockets.sockets().map(({ address }) => address.port),
        [sockets.port, sockets.port],
      )
      remote.send('hello', spare.address.port, '127.0.0.1')
      await until('the spare socket to receive', () => received.length === 1)
      const [shared] = sockets.sockets()
      sockets.closeSpare(shared?.id ?? -1)
      assert.equal(sockets.sockets().length, 2)
      sockets.closeSpare(spare.id)
      sockets.openSpare('127.0.0.1')
    } finally {
      sockets.close()
      remote.close()
    }
  })

  for (const [ip, other] of [
    ['127.0.0.1', '127.0.0.2'],
    ['::1', '::1'],
  ] as const)
    it(`carry datagrams both ways from ${ip}, and say by which socket and from whom`, async () => {
      const { sockets, received } = recording()
      const remote = await boundSocket(other)
      try {
        sockets.setAddresses([ip])
        const [shared] = sockets.sockets()
        assert.ok(shared !== undefined)
        sockets.send(shared.id, { ip: other, port: remote.address().port }, Buffer.from('there'))
        const [bytes, from] = (await once(remote, 'message')) as [Buffer, SocketAddress]
        assert.equal(bytes.toString(), 'there')
        assert.equal(from.port, sockets.port)
        remote.send('back', sockets.port, ip)
        await until('the answer', () => received.length > 0)
        assert.deepEqual(received, [[shared.id, other, remote.address().port, 'back']])
      } finally {
        sockets.close()
        remote.close()
      }
    })

  it('are not opened where another program has the port, which is reported, and the others are', async () => {
    const taken = await boundSocket('127.0.0.3')
    const { port } = taken.address()
    const sockets = new SharedSockets({ port, mark: 0 }, { onDatagram: fail, onSendError: fail })
    try {
      sockets.setAddresses(['127.0.0.1'])
      assert.deepEqual(sockets.setAddresses(['127.0.0.3', '127.0.0.2']), [
        { ip: '127.0.0.3', code: 'EADDRINUSE' },
      ])
      assert.deepEqual(idsAndIps(sockets), [[1, '127.0.0.2']])
    } finally {
      sockets.close()
      taken.close()
    }
  })

  it('cannot be opened where another program holds the port on every address', async () => {
    const taken = await boundSocket('0.0.0.0')
    const sockets = new SharedSockets(
      { port: taken.address().port, mark: 0 },
      { onDatagram: fail, onSendError: fail },
    )
    try {
      assert.deepEqual(sockets.setAddresses(['127.0.0.1']), [{ ip: '127.0.0.1', code: 'EADDRINUSE' }])
    } finally {
      sockets.close()
      taken.close()
    }
  })

  it('an address that the machine does not have is reported, and the others are opened', () => {
    const { sockets } = recording()
    try {
      assert.deepEqual(sockets.setAddresses(['192.0.2.77', '127.0.0.1']), [
        { ip: '192.0.2.77', code: 'EADDRNOTAVAIL' },
      ])
      assert.deepEqual(
        sockets.sockets().map(({ address }) => address.ip),
        ['127.0.0.1'],
      )
    } finally {
      sockets.close()
    }
  })

  it('report what could not be sent, and never throw', async () => {
    const { sockets, sendErrors } = recording()
    try {
      sockets.setAddresses(['127.0.0.1'])
      const bytes = Buffer.from('lost')
      // From a loopback address nothing leaves the machine (EINVAL); the rest cannot be addressed at all.
      sockets.send(0, { ip: '192.0.2.1', port: 9 }, bytes)
      sockets.send(0, { ip: '2001:db8::1', port: 9 }, bytes)
      sockets.send(0, { ip: '127.0.0.1', port: 0 }, bytes)
      sockets.send(0, { ip: '127.0.0.1', port: 9 }, Buffer.alloc(65_536))
      sockets.send(7, { ip: '127.0.0.1', port: 9 }, bytes)
      await until('five errors', () => sendErrors.length === 5)
      assert.deepEqual(sendErrors.toSorted(), [
        [0, '127.0.0.1', 0, 'ERR_SOCKET_BAD_PORT'],
        [0, '127.0.0.1', 9, 'EMSGSIZE'],
        [0, '192.0.2.1', 9, 'EINVAL'],
        [0, '2001:db8::1', 9, 'EINVAL'],
        [7, '127.0.0.1', 9, 'EBADF'],
      ])
    } finally {
      sockets.close()
    }
  })

  it('carry the mark they are given, and lose it again', () => {
    const sockets = new SharedSockets({ port: 0, mark: 0xca6c }, { onDatagram: fail, onSendError: fail })
    try {
      sockets.setAddresses(['127.0.0.1', '::1'])
      sockets.openPunching('127.0.0.1', 1)
      assert.deepEqual(
        sockets.sockets().map(({ marked }) => marked),
        [true, true, true],
      )
      sockets.closePunching(2)
      sockets.setMark(0)
      assert.deepEqual(
        sockets.sockets().map(({ marked }) => marked),
        [true, true],
      )
    } finally {
      sockets.close()
    }
  })

  it('for punching have each a port of its own, and are closed one by one, or with their address', async () => {
    const { sockets, received } = recording()
    const remote = await boundSocket('127.0.0.1')
    try {
      sockets.setAddresses(['127.0.0.1', '127.0.0.2'])
      assert.equal(sockets.openPunching('127.0.0.1', 256), undefined)
      const punching = sockets.sockets().filter(({ purpose }) => purpose === 'punching')
      const ports = [...punching.map(({ address }) => address.port), sockets.port]
      assert.equal(new Set(ports).size, 257)
      assert.deepEqual(sockets.sharedAddresses().length, 2)
      const [first, second] = punching
      assert.ok(first !== undefined && second !== undefined)

      sockets.send(first.id, { ip: '127.0.0.1', port: remote.address().port }, Buffer.from('there'))
      const [, from] = (await once(remote, 'message')) as [Buffer, SocketAddress]
      assert.equal(from.port, first.address.port)
      remote.send('back', from.port, '127.0.0.1')
      await until('the answer', () => received.some(([id]) => id === first.id))

      sockets.closePunching(first.id)
      sockets.closePunching(first.id)
      sockets.closePunching(0)
      sockets.setAddresses(['127.0.0.1'])
      assert.equal(sockets.sockets().length, 256)
      sockets.setAddresses([])
      assert.deepEqual(sockets.sockets(), [])
    } finally {
      sockets.close()
      remote.close()
    }
  })

  it('for punching are not opened at an address that is not ours', () => {
    const { sockets } = recording()
    try {
      sockets.setAddresses(['127.0.0.1'])
      assert.deepEqual(sockets.openPunching('127.0.0.2', 3), { ip: '127.0.0.2', code: 'EADDRNOTAVAIL' })
      assert.equal(sockets.sockets().length, 1)
    } finally {
      sockets.close()
    }
  })

  it('hold a burst that comes while nobody reads', async () => {
    const { sockets, received } = recording()
    const remote = await boundSocket('127.0.0.1')
    try {
      sockets.setAddresses(['127.0.0.1'])
      const count = 1_000
      const bytes = Buffer.alloc(1_400)
      for (let sent = 0; sent < count; sent++) sockets.send(0, { ip: '127.0.0.1', port: sockets.port }, bytes)
      await until('the whole burst', () => received.length === count)
    } finally {
      sockets.close()
      remote.close()
    }
  })
})

function recording() {
  const received: [number, string, number, string][] = []
  const sendErrors: [number, string, number, string][] = []
  const sockets = new SharedSockets(
    { port: 0, mark: 0 },
    {
      onDatagram: (id, ip, port, bytes) => received.push([id, ip, port, Buffer.from(bytes).toString()]),
      onSendError: (id, { ip, port }, code) => sendErrors.push([id, ip, port, code]),
    },
  )
  return { sockets, received, sendErrors }
}

function idsAndIps(sockets: SharedSockets): [number, string][] {
  return sockets.sockets().map(({ id, address }) => [id, address.ip])
}

async function boundSocket(ip: string): Promise<Socket> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, ip)
  await once(socket, 'listening')
  return socket
}

function fail(): void {
  assert.fail('nothing was to be received or to fail')
}
