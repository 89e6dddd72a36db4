import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { Host } from '../../../simulations/hosts/host.js'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import type { Place } from '../../../simulations/network/place.js'
import { SECOND } from '../../../src/base/time.js'

const REMOTE = { ip: '198.51.100.9', port: 9 }
const BYTES = Uint8Array.of(1, 2, 3)

describe('a host', () => {
  it('sends from its own addresses, and from no others', () => {
    const { host, home } = hostAt(['192.168.1.2'])
    for (const ip of ['192.168.1.2', '192.168.1.3']) host.send({ ip, port: 7 }, REMOTE, BYTES)
    assert.deepEqual(home.sent, [
      {
        from: { ip: '192.168.1.2', port: 7 },
        to: REMOTE,
        bytes: BYTES,
        author: 'host',
        unreachable: undefined,
      },
    ])
    host.detach('192.168.1.2')
    host.send({ ip: '192.168.1.2', port: 7 }, REMOTE, BYTES)
    assert.equal(home.sent.length, 1)
    assert.deepEqual(host.ips, [])
  })

  it('hears at the ports where somebody listens', () => {
    const { host, home } = hostAt(['192.168.1.2', '2001:db8::2'])
    const heard: string[] = []
    host.bind(7, ({ to }) => heard.push(to.ip))
    assert.throws(() => host.bind(7, () => undefined), /in use/)
    for (const ip of host.ips) for (const port of [7, 8]) home.deliver({ ip, port })
    host.unbind(7)
    home.deliver({ ip: '192.168.1.2', port: 7 })
    assert.deepEqual(heard, ['192.168.1.2', '2001:db8::2'])
  })

  it('neither sends nor hears while it sleeps, and has no way for a stream', () => {
    const { host, home, clock } = hostAt(['192.168.1.2'])
    let heard = 0
    host.bind(7, () => {
      heard += 1
    })
    clock.sleep()
    home.deliver({ ip: '192.168.1.2', port: 7 })
    host.send({ ip: '192.168.1.2', port: 7 }, REMOTE, BYTES)
    assert.deepEqual([heard, home.sent, host.streamDelay(REMOTE.ip)], [0, [], undefined])
    clock.wake()
    home.deliver({ ip: '192.168.1.2', port: 7 })
    assert.deepEqual([heard, host.streamDelay(REMOTE.ip)], [1, 20])
  })

  it('answers from where it was asked, or from where its routes lead', () => {
    const { host, home } = hostAt(['192.168.1.2'])
    const office = new FakePlace(['10.5.0.2', '2001:db8:5::2'])
    host.attach(office)
    const sources = (to: string, source?: string): readonly string[] => {
      host.sendFromAny(7, { ip: to, port: 9 }, BYTES, source)
      return [...home.sent.splice(0), ...office.sent.splice(0)].map(({ from }) => from.ip)
    }
    assert.deepEqual(sources(REMOTE.ip), ['192.168.1.2'])
    assert.deepEqual(sources(REMOTE.ip, '10.5.0.2'), ['10.5.0.2'])
    assert.deepEqual(sources(REMOTE.ip, '10.5.0.3'), ['192.168.1.2'])
    assert.deepEqual(sources('10.5.200.1'), ['10.5.0.2'])
    assert.deepEqual(sources('192.168.1.77'), ['192.168.1.2'])
    assert.deepEqual(sources('2001:db8:9::9'), ['2001:db8:5::2'])
    host.detach('2001:db8:5::2')
    assert.deepEqual(sources('2001:db8:9::9'), [])
  })

  it('has a device for each network, and gives its name to another when it has left', () => {
    const { host } = hostAt(['192.168.1.2'])
    const places = [1, 2].map((number) => new FakePlace([`10.${number}.0.2`], { number }))
    for (const place of places) host.attach(place)
    assert.deepEqual(
      host.ips.map((ip) => host.deviceOf(ip)),
      ['eth0', 'eth1', 'eth2'],
    )
    host.detach('10.1.0.2')
    assert.equal(host.deviceOf('10.2.0.2'), 'eth2')
    host.attach(new FakePlace(['10.3.0.2'], { number: 3 }))
    assert.equal(host.deviceOf('10.3.0.2'), 'eth1')
  })
})

class FakePlace implements Place {
  readonly gateway = undefined
  readonly site: Place['site']
  readonly ips: readonly string[]
  readonly sent: Datagram[] = []
  #receive: (datagram: Datagram) => void = () => undefined

  constructor(ips: readonly string[], site?: { readonly number: number }) {
    this.ips = ips
    // Only whether two are the same matters here.
    this.site = site as unknown as Place['site']
  }

  attach(_host: string, receive: (datagram: Datagram) => void): void {
    this.#receive = receive
  }

  detach(): void {
    this.#receive = () => undefined
  }

  send(datagram: Datagram): void {
    this.sent.push(datagram)
  }

  streamDelay(): number {
    return 20
  }

  deliver(to: Datagram['to']): void {
    this.#receive({ from: REMOTE, to, bytes: BYTES, author: 'somebody' })
  }
}

function hostAt(ips: readonly string[]) {
  const queue = new EventQueue(SECOND, 0)
  const clock = new HostClock(queue)
  const host = new Host({ name: 'host', clock, observers: [] })
  const home = new FakePlace(ips)
  host.attach(home)
  return { host, home, clock }
}
