import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { type PortRange, RelaySockets } from '../../src/io/relaySockets.js'
import { until } from '../until.js'
import { usedMemory } from '../usedMemory.js'
import { optionOf, socketsOpenedBy } from './descriptors.js'

interface Received {
  readonly session: number
  readonly local: string
  readonly from: string
  readonly port: number
  readonly bytes: string
}

describe('the ports of relayed sessions', () => {
  it('are one on each address, and say for which session what came to them, and from whom', async (t) => {
    const { relay, received } = recording(t)
    const one = relay.open(1, ['127.0.0.1', '::1'])
    const two = relay.open(2, ['127.0.0.1'])
    assert.deepEqual(
      one.map(({ ip }) => ip),
      ['127.0.0.1', '::1'],
    )
    assert.equal(relay.size, 3)
    const [v4, v6] = [await client(t, '127.0.0.1'), await client(t, '::1')]
    v4.send('a', one[0]?.port ?? 0, '127.0.0.1')
    v6.send('b', one[1]?.port ?? 0, '::1')
    v4.send('c', two[0]?.port ?? 0, '127.0.0.1')
    await until('three datagrams', () => received.length === 3)
    const expected: readonly Received[] = [
      { session: 1, local: '127.0.0.1', from: '127.0.0.1', port: v4.address().port, bytes: 'a' },
      { session: 1, local: '::1', from: '::1', port: v6.address().port, bytes: 'b' },
      { session: 2, local: '127.0.0.1', from: '127.0.0.1', port: v4.address().port, bytes: 'c' },
    ]
    const byBytes = (a: Received, b: Received) => (a.bytes < b.bytes ? -1 : 1)
    assert.deepEqual([...received].sort(byBytes), expected)
  })

  it('name their session by their number alone, on whichever address', (t) => {
    const { relay } = recording(t)
    const ips = ['127.0.0.1', '::1']
    for (let session = 0; session < 300; session++) relay.open(session, ips)
    for (let session = 0; session < 300; session++)
      for (const ip of ips) assert.equal(relay.at(relay.portOf(session, ip) ?? 0)?.session, session)
  })

  it('have another number on an address where theirs is taken', async (t) => {
    const ip = '127.83.1.2'
    const taken = await client(t, '127.0.0.1')
    const { port } = taken.address()
    const { relay } = recording(t, { first: port, last: Math.min(port + 50, 65_535) })
    const [one, other] = relay.open(1, [ip, '127.0.0.1'])
    assert.equal(one?.port, port)
    assert.ok(other !== undefined && other.port !== port)
  })

  it('send from the port that is named', async (t) => {
    const { relay } = recording(t)
    const [address] = relay.open(1, ['127.0.0.1', '::1'])
    const to = await client(t, '127.0.0.1')
    const heard = once(to, 'message')
    relay.send(1, '127.0.0.1', { ip: '127.0.0.1', port: to.address().port }, Buffer.from('x'))
    const [bytes, { port }] = await heard
    assert.equal(String(bytes), 'x')
    assert.equal(port, address?.port)
  })

  it('never throw where nothing can be sent', (t) => {
    const { relay } = recording(t)
    relay.open(1, ['127.0.0.1'])
    relay.send(9, '127.0.0.1', { ip: '127.0.0.1', port: 9 }, Buffer.from('x'))
    relay.send(1, '::1', { ip: '::1', port: 9 }, Buffer.from('x'))
    relay.send(1, '127.0.0.1', { ip: '127.0.0.1', port: 0 }, Buffer.from('x'))
    relay.send(1, '127.0.0.1', { ip: '::1', port: 9 }, Buffer.from('x'))
    relay.send(1, '127.0.0.1', { ip: '127.0.0.1', port: 9 }, Buffer.alloc(70_000))
    relay.close(9)
  })

  it('are opened where they can be, and not at all where they can be nowhere', (t) => {
    const { relay } = recording(t)
    assert.deepEqual(
      relay.open(1, ['203.0.113.1', '127.0.0.1']).map(({ ip }) => ip),
      ['127.0.0.1'],
    )
    assert.throws(() => relay.open(2, ['203.0.113.1']), { code: 'EADDRNOTAVAIL' })
    assert.equal(relay.size, 1)
  })

  it('lie in a range where one is given, each in turn, and fail when it is used up', async (t) => {
    // Three ports in a row that are free now, on an address of their own.
    const ip = '127.83.1.1'
    const probe = await client(t, ip)
    const first = Math.min(probe.address().port, 65_000) + 1
    const { relay } = recording(t, { first, last: first + 2 })
    const ports = [1, 2, 3].map((session) => relay.open(session, [ip])[0]?.port)
    assert.deepEqual(ports, [first, first + 1, first + 2])
    assert.throws(() => relay.open(4, [ip]), { code: 'EADDRINUSE' })
    relay.close(2)
    await until('the port given back', () => {
      try {
        return relay.open(4, [ip])[0]?.port === first + 1
      } catch {
        return false
      }
    })
  })

  it('let routers fragment what is passed on, as its own senders do', (t) => {
    const { relay } = recording(t)
    const opened = socketsOpenedBy(() => {
      relay.open(1, ['127.0.0.1'])
    })
    // IP_MTU_DISCOVER, and IP_PMTUDISC_DONT: ip(7).
    assert.deepEqual(
      opened.map((fd) => optionOf(fd, 0, 10)),
      [0],
    )
  })

  it('are closed with their session, and all at the end', (t) => {
    const { relay } = recording(t)
    const before = openSockets()
    for (let session = 0; session < 10; session++) relay.open(session, ['127.0.0.1', '::1'])
    assert.equal(openSockets(), before + 20)
    relay.close(3)
    assert.equal(openSockets(), before + 18)
    relay.closeAll()
    assert.equal(openSockets(), before)
  })

  it('of 1,000 idle sessions on two families take under 20 MB', (t) => {
    const { relay } = recording(t)
    const before = usedMemory()
    const residentBefore = process.memoryUsage.rss()
    for (let session = 0; session < 1_000; session++) relay.open(session, ['127.0.0.1', '::1'])
    const used = usedMemory() - before
    const resident = process.memoryUsage.rss() - residentBefore
    t.diagnostic(`${(used / 1e6).toFixed(1)} MB of heap, ${(resident / 1e6).toFixed(1)} MB resident`)
    assert.ok(used < 20e6, `${used} bytes`)
  })
})

function recording(t: TestContext, ports?: PortRange) {
  const received: Received[] = []
  const relay = new RelaySockets(
    { mark: 0, ports },
    {
      onDatagram: (session, local, from, port, bytes) =>
        received.push({ session, local, from, port, bytes: String(Buffer.from(bytes)) }),
    },
  )
  t.after(() => relay.closeAll())
  return { relay, received }
}

async function client(t: TestContext, ip: string): Promise<Socket> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  t.after(() => socket.close())
  socket.bind(0, ip)
  await once(socket, 'listening')
  return socket
}

/** Descriptors that this process has open. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').length
}
