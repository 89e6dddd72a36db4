import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { perfectLink } from '../../../simulations/network/link.js'
import { delayBetween } from '../../../simulations/network/regions.js'
import type { LinkSpec } from '../../../simulations/topology.js'
import { HOME, LINK_MS, OPEN, SmallInternet } from './probes.js'

function delays(link: Partial<LinkSpec>, count: number): readonly (number | undefined)[] {
  const net = new SmallInternet([{ ...OPEN, link: { ...perfectLink(LINK_MS), ...link } }, OPEN])
  const [from, to] = [net.probe(0), net.probe(1)]
  return Array.from({ length: count }, () => from.place.streamDelay(to.at(1).ip))
}

describe('a TCP segment', () => {
  it('takes as long as a datagram where nothing is lost', () => {
    const net = new SmallInternet([{ ...HOME, region: 'asia' }, OPEN], {})
    const [from, to] = [net.probe(0), net.probe(1)]
    assert.equal(from.place.streamDelay(to.at(1).ip), 0.5 + 2 * LINK_MS + delayBetween('asia', 'europe'))
    const near = net.probe(0)
    assert.equal(from.place.streamDelay(near.at(1).ip), 1)
  })

  it('leaves through NATs and firewalls and blocked UDP, and enters through none', () => {
    const closed = [HOME, { ...OPEN, firewall: true, ipv6: 'firewalled' as const }, { ...HOME, behind: 0 }]
    const net = new SmallInternet([...closed.map((spec) => ({ ...spec, udp: false })), OPEN])
    const server = net.probe(3)
    for (const site of closed.keys()) {
      const inner = net.probe(site)
      for (const ip of server.place.ips) {
        const expected = inner.place.ips.some((own) => own.includes(':') === ip.includes(':'))
        assert.equal(inner.place.streamDelay(ip) !== undefined, expected)
      }
      for (const ip of [...inner.place.ips, ...(net.site(site).gateway?.addresses ?? [])])
        assert.equal(server.place.streamDelay(ip), undefined)
    }
  })

  it('finds no way from one family to the other, to nobody, or to its own gateway', () => {
    const net = new SmallInternet([{ ...OPEN, ipv4: false }, { ...OPEN, ipv6: 'none' }, HOME])
    const [six, four, inner] = [net.probe(0), net.probe(1), net.probe(2)]
    assert.equal(six.place.streamDelay(four.at(1).ip), undefined)
    assert.equal(four.place.streamDelay(six.at(1, 6).ip), undefined)
    assert.equal(four.place.streamDelay('192.0.2.250'), undefined)
    assert.equal(inner.place.streamDelay(net.site(2).gateway?.addresses[0] ?? ''), undefined)
    const { ip } = four.at(1)
    assert.notEqual(inner.place.streamDelay(ip), undefined)
    four.place.detach()
    assert.equal(inner.place.streamDelay(ip), undefined)
  })

  it('is sent again after 200 ms, then twice as long each time, for each loss (RFC 6298 section 5.5)', () => {
    const seen = delays({ loss: 0.5, lossBurst: 1 }, 4_000)
    const arrives = 2 * LINK_MS
    let share = 0.5
    for (const waited of [0, 200, 600, 1_400]) {
      const count = seen.filter((ms) => ms === arrives + waited).length
      assert.ok(Math.abs(count / seen.length - share) < 0.03, `${count} waited ${waited} ms`)
      share /= 2
    }
  })

  it('never arrives where everything is lost', () => {
    assert.deepEqual(new Set(delays({ loss: 1 }, 10)), new Set([undefined]))
  })

  it('is delayed by jitter, and by what waits in the queue', () => {
    const jittery = delays({ jitterMs: 8 }, 1_000)
    assert.ok(jittery.every((ms) => ms !== undefined && ms >= 2 * LINK_MS && ms < 2 * LINK_MS + 8))
    assert.ok(new Set(jittery).size > 900)

    const net = new SmallInternet([
      { ...OPEN, link: { ...perfectLink(LINK_MS), rate: 1_000, queue: 10_000 } },
      OPEN,
    ])
    const [from, to] = [net.probe(0), net.probe(1)]
    from.send(from.at(1), to.at(1), 500 - 28)
    assert.equal(from.place.streamDelay(to.at(1).ip), 2 * LINK_MS + 500)
    net.queue.run(400)
    assert.equal(from.place.streamDelay(to.at(1).ip), 2 * LINK_MS + 100)
  })

  it('does not shift what happens to datagrams', () => {
    const run = (alsoStreams: boolean) => {
      const lossy = { ...perfectLink(LINK_MS), loss: 0.3, lossBurst: 2, jitterMs: 4 }
      const net = new SmallInternet([{ ...OPEN, link: lossy }, OPEN])
      const [from, to] = [net.probe(0), net.probe(1)]
      for (let second = 0; second < 100; second++) {
        if (alsoStreams) from.place.streamDelay(to.at(1).ip)
        from.send(from.at(1), to.at(1))
        net.queue.run(1_000)
      }
      return to.received.map(({ at }) => at)
    }
    assert.deepEqual(run(true), run(false))
  })
})
