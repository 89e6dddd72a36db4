import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { describe, it } from 'node:test'
import { SharedSockets } from '../../src/io/sharedSockets.js'
import { until } from '../until.js'

/** On loopback an ICMP error is there as soon as the datagram was sent, so each of them fails the next call. */
describe('ICMP errors of shared sockets', () => {
  for (const ip of ['127.0.0.1', '::1'])
    it(`are told with where the datagram from ${ip} was to go`, async () => {
      const node = await listening(ip)
      try {
        node.sockets.send(0, { ip, port: node.closed }, Buffer.from('to nobody'))
        await until('the error', () => node.unreachable.length > 0)
        assert.deepEqual(node.unreachable, [[0, ip, node.closed, 'port']])
        assert.deepEqual(node.failed, [])
      } finally {
        node.close()
      }
    })

  for (const ip of ['127.0.0.1', '::1'])
    it(`about one address lose no datagram for another, from ${ip}`, async () => {
      const node = await listening(ip)
      try {
        const expected: string[] = []
        for (let count = 0; count < 100; count++) {
          node.sockets.send(0, { ip, port: node.closed }, Buffer.from('to nobody'))
          node.sockets.send(0, node.open, Buffer.from(`${count}`))
          assert.equal(
            node.sockets.sendUnfragmented(0, { ip, port: node.closed }, Buffer.from('to nobody')),
            true,
          )
          assert.equal(node.sockets.sendUnfragmented(0, node.open, Buffer.from(`whole ${count}`)), true)
          expected.push(`${count}`, `whole ${count}`)
          await new Promise((resolve) => setImmediate(resolve))
        }
        await until('all of them', () => node.received.length >= expected.length)
        assert.deepEqual(node.received.toSorted(), expected.toSorted())
        assert.deepEqual(node.failed, [])
        assert.ok(node.unreachable.length > 0)
      } finally {
        node.close()
      }
    })

  it('beyond what is read in a second are not listened to for a while, and everything else goes on', async () => {
    const ip = '127.0.0.1'
    const node = await listening(ip)
    try {
      const expected: string[] = []
      for (let count = 0; count < 500; count++) {
        for (let nobody = 0; nobody < 10; nobody++)
          node.sockets.send(0, { ip, port: node.closed }, Buffer.from('to nobody'))
        node.sockets.send(0, node.open, Buffer.from(`${count}`))
        expected.push(`${count}`)
        if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await until('all datagrams', () => node.received.length >= expected.length)
      assert.deepEqual(node.received.toSorted(), expected.toSorted())
      assert.ok(node.floods() > 0)
      assert.ok(node.unreachable.length < 2_500, `${node.unreachable.length} of 5000`)

      const before = node.unreachable.length
      await until('it to listen again', () => {
        node.sockets.send(0, { ip, port: node.closed }, Buffer.from('to nobody'))
        return node.unreachable.length > before
      })
    } finally {
      node.close()
    }
  })

  it('leave nothing behind that keeps the event loop busy', async () => {
    for (const tooLarge of [false, true]) {
      const node = await listening('127.0.0.1')
      try {
        // A datagram that our own device does not take is in the queue as well.
        if (tooLarge) node.sockets.send(0, node.open, Buffer.alloc(65_536))
        node.sockets.send(0, { ip: '127.0.0.1', port: node.closed }, Buffer.from('to nobody'))
        assert.equal(node.sockets.sendUnfragmented(0, node.open, Buffer.alloc(65_000)), true)
        assert.equal(node.sockets.sendUnfragmented(0, node.open, Buffer.alloc(65_600)), false)
        await until('the error', () => node.unreachable.length > 0)
        let turns = 0
        await until('the event loop to rest', () => {
          const turnsBefore = turns
          turns = performance.nodeTiming.uvMetricsInfo.loopCount
          return turnsBefore > 0 && turns - turnsBefore < 10
        })
      } finally {
        node.close()
      }
    }
  })
})

async function listening(ip: string) {
  const received: string[] = []
  const failed: string[] = []
  const unreachable: [number, string, number, string][] = []
  let floods = 0
  const sockets = new SharedSockets(
    { port: 0, mark: 0 },
    {
      onDatagram: () => undefined,
      onSendError: (_id, _remote, code) => failed.push(code),
      onUnreachable: (id, remote, what) => unreachable.push([id, remote.ip, remote.port, what]),
      onIcmpFlood: () => {
        floods += 1
      },
    },
  )
  sockets.setAddresses([ip])
  const other = await boundSocket(ip)
  other.on('message', (bytes) => received.push(bytes.toString()))
  // Ports that were just free are not given away again at once.
  const gone = await boundSocket(ip)
  const closed = gone.address().port
  gone.close()
  return {
    sockets,
    received,
    failed,
    unreachable,
    floods: () => floods,
    closed,
    open: { ip, port: other.address().port },
    close() {
      sockets.close()
      other.close()
    },
  }
}

async function boundSocket(ip: string): Promise<Socket> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, ip)
  await once(socket, 'listening')
  socket.setRecvBufferSize(4 * 1024 * 1024)
  return socket
}
