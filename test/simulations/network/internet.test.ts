import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { perfectLink } from '../../../simulations/network/link.js'
import { NAT_KINDS } from '../../../simulations/network/natKinds.js'
import { delayBetween, REGIONS } from '../../../simulations/network/regions.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import { HOME, LINK_MS, OPEN, type Probe, SmallInternet } from './probes.js'

describe('the internet', () => {
  it('brings a datagram over both links and the way between the regions', () => {
    for (const from of REGIONS) {
      for (const to of REGIONS) {
        const net = new SmallInternet(
          [
            { ...OPEN, region: from },
            { ...OPEN, region: to },
          ],
          {},
        )
        const [sender, receiver] = [net.probe(0), net.probe(1)]
        const [received] = net.passes(sender, sender.at(1), receiver, receiver.at(2))
        assert.equal(received?.at, 2 * LINK_MS + delayBetween(from, to))
      }
    }
  })

  it('takes a datagram as it is, with its author, whatever address it is from', () => {
    const net = new SmallInternet([OPEN, OPEN])
    const [sender, receiver] = [net.probe(0), net.probe(1)]
    const bytes = Uint8Array.of(1, 2, 3)
    const datagram = {
      from: { ip: '192.0.2.77', port: 7 },
      to: receiver.at(2),
      bytes,
      author: sender.name,
    }
    sender.place.send(datagram)
    net.queue.run(100)
    assert.deepEqual(receiver.received[0]?.datagram, datagram)
  })

  it('knows no way to private addresses, to addresses that nobody has, or to the other family', () => {
    const net = new SmallInternet([OPEN, HOME])
    const [sender, inner] = [net.probe(0), net.probe(1)]
    for (const to of [inner.at(1), { ip: '192.0.2.200', port: 1 }, { ip: '2001:db8:77::1', port: 1 }])
      sender.send(sender.at(1), to)
    const other = net.server()
    sender.send(sender.at(1), other.at(1, 6))
    net.queue.run(1_000)
    assert.deepEqual([inner.received, other.received], [[], []])
  })

  it('shows every datagram that crosses it as it is there, and loses what a watcher says', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [inner, outer] = [net.probe(0), net.probe(1)]
    let passes = true
    const seen: (string | undefined)[] = []
    net.internet.watchers.push(({ from }) => {
      seen.push(from.ip)
      return passes
    })
    assert.equal(net.passes(inner, inner.at(1), outer, outer.at(1)).length, 1)
    passes = false
    assert.equal(net.passes(inner, inner.at(1), outer, outer.at(1)).length, 0)
    const gateway = net.site(0).gateway?.addresses[0]
    assert.deepEqual(seen, [gateway, gateway])
    const neighbour = net.probe(0)
    assert.equal(net.passes(inner, inner.at(1), neighbour, neighbour.at(1)).length, 1)
    assert.equal(seen.length, 2)
  })

  it('has public places, which are of no site', () => {
    const net = new SmallInternet([OPEN])
    const [server, other] = [net.server('one'), net.server('other')]
    assert.equal(server.place.site, undefined)
    assert.equal(net.internet.sites.length, 1)
    for (const family of [4, 6] as const)
      assert.equal(
        net.passes(server, server.at(1, family), other, other.at(1, family))[0]?.datagram.author,
        'one',
      )
    assert.deepEqual(
      net.internet.publicPlace('asia', perfectLink(1), false).ips.map((ip) => ip.includes(':')),
      [false],
    )
  })

  it('may get more sites later, also with a subnet that another one has', () => {
    const net = new SmallInternet([HOME, OPEN])
    net.internet.addSite(HOME, 0)
    const [here, server, there] = [net.probe(0), net.probe(1), net.probe(2)]
    net.internet.addSite({ ...HOME, behind: 0 })
    const ips = [here, there].map(({ place }) => place.ips[0])
    assert.deepEqual(ips, ['192.168.0.2', '192.168.0.2'])
    for (const probe of [here, there, net.probe(3)])
      assert.equal(net.passes(probe, probe.at(1), server, server.at(1)).length, 1)
    assert.deepEqual(
      net.internet.sites.map(({ index }) => index),
      [0, 1, 2, 3],
    )
    assert.throws(() => net.internet.addSite({ ...HOME, behind: 9 }), /no site 9/)
  })

  it('takes sites in any order, and refuses those behind themselves or behind nobody', () => {
    const net = new SmallInternet([{ ...HOME, behind: 2 }, OPEN, { ...HOME, behind: 3 }, HOME])
    const [inner, server] = [net.probe(0), net.probe(1)]
    assert.equal(net.seen(inner, inner.at(1), server, server.at(1))?.ip, net.site(3).gateway?.addresses[0])
    assert.match(inner.place.ips[0] ?? '', /^192\.168\.0\./)
    assert.match(net.site(0).gateway?.addresses[0] ?? '', /^10\.2\.0\./)
    assert.match(net.site(2).gateway?.addresses[0] ?? '', /^100\.67\.0\./)
    for (const behind of [0, 1, 7])
      assert.throws(
        () =>
          new SmallInternet([
            { ...HOME, behind },
            { ...HOME, behind: 0 },
          ]),
        /behind/,
      )
  })

  it('says when ways for streams open or close, and when a gateway forgets', () => {
    const net = new SmallInternet([HOME, OPEN])
    const changes: (string | number)[] = []
    net.internet.onChange = (what) => changes.push(what === 'ways' ? what : what.forgotBy.index)
    const [home, open] = [net.site(0), net.site(1)]
    for (const isUp of [false, true]) open.setUp(isUp)
    net.internet.partition(new Map([[home, 1]]))
    net.internet.heal()
    assert.deepEqual(changes, ['ways', 'ways', 'ways', 'ways'])
    home.rebootGateway()
    home.renumberGateway()
    open.renumberGateway()
    assert.deepEqual(changes.slice(4), [0, 0])
  })

  it('does the same for the same seed', () => {
    const lossy: SiteSpec = {
      ...HOME,
      nat: NAT_KINDS.symmetric,
      link: { ...perfectLink(5), loss: 0.3, lossBurst: 2, jitterMs: 4, duplicate: 0.2 },
    }
    const run = (seed: number) => {
      const net = new SmallInternet([lossy, OPEN], {}, seed)
      const [inner, server] = [net.probe(0), net.probe(1)]
      for (let port = 1; port <= 100; port++) {
        inner.send(inner.at(1), server.at(port))
        net.queue.run(1)
      }
      net.queue.run(1_000)
      return server.received.map(({ at, datagram }) => [at, datagram.from.port, datagram.to.port])
    }
    fc.assert(
      fc.property(fc.nat(), (seed) => assert.deepEqual(run(seed), run(seed))),
      { numRuns: 20 },
    )
    assert.notDeepEqual(run(1), run(2))
  })
})

describe('a partition of the internet', () => {
  it('keeps datagrams and streams to each side, until it is healed', () => {
    const net = new SmallInternet([OPEN, OPEN, OPEN])
    const [ana, ben, cleo] = [net.probe(0), net.probe(1), net.probe(2)]
    const server = net.server()
    const hears = (to: Probe) => {
      const hasStream = ana.place.streamDelay(to.at(1).ip) !== undefined
      const hasPassed = net.passes(ana, ana.at(1), to, to.at(1)).length > 0
      assert.equal(hasPassed, hasStream)
      return hasPassed
    }
    net.internet.partition(
      new Map<(typeof net.internet.sites)[number] | typeof server.place, number>([
        [net.site(0), 1],
        [net.site(1), 1],
        [server.place, 2],
      ]),
    )
    assert.deepEqual([ben, cleo, server].map(hears), [true, false, false])
    net.internet.partition(new Map([[server.place, 1]]))
    assert.deepEqual([ben, cleo, server].map(hears), [true, true, false])
    net.internet.heal()
    assert.deepEqual([ben, cleo, server].map(hears), [true, true, true])
  })

  it('goes through a gateway where an inner site is on another side; else inner sites are on the outer one’s', () => {
    const net = new SmallInternet([HOME, { ...HOME, behind: 0 }, { ...HOME, behind: 0 }, OPEN])
    const [ana, ben, server] = [net.probe(1), net.probe(2), net.probe(3)]
    const reach = () =>
      [ana, ben].map((probe) => net.passes(probe, probe.at(1), server, server.at(1)).length > 0)
    net.internet.partition(new Map([[net.site(0), 1]]))
    assert.deepEqual(reach(), [false, false])
    net.internet.partition(
      new Map([
        [net.site(0), 1],
        [net.site(3), 1],
      ]),
    )
    assert.deepEqual(reach(), [true, true])
    net.internet.partition(new Map([[net.site(1), 1]]))
    assert.deepEqual(reach(), [false, true])
  })

  it('lets arrive what has crossed the middle already', () => {
    const net = new SmallInternet([OPEN, OPEN])
    const [ana, ben] = [net.probe(0), net.probe(1)]
    ana.send(ana.at(1), ben.at(1))
    net.internet.partition(new Map([[net.site(0), 1]]))
    net.queue.run(100)
    assert.equal(ben.received.length, 1)
  })
})
