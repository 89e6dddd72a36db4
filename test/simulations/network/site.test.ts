import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { perfectLink } from '../../../simulations/network/link.js'
import { NAT_KINDS } from '../../../simulations/network/natKinds.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import { canonicalIp } from '../../../src/base/address.js'
import { MINUTE } from '../../../src/base/time.js'
import { HOME, LINK_MS, OPEN, type Probe, SmallInternet } from './probes.js'

/** A network with public addresses behind a firewall. */
const FIREWALLED: SiteSpec = { ...OPEN, firewall: true, ipv6: 'firewalled' }
const IPV6_ONLY: SiteSpec = { ...OPEN, ipv4: false }

describe('the places of a site', () => {
  it('have the addresses that its specification says', () => {
    const net = new SmallInternet([OPEN, HOME, { ...HOME, ipv6: 'open' }, IPV6_ONLY])
    const ips = net.internet.sites.map((site) => site.place().ips)
    assert.deepEqual(
      ips.map((of) => of.map((ip) => ip.replace(/[.:][^.:]*$/, ''))),
      [['203.0.113', '2001:db8:1:'], ['192.168.1'], ['192.168.2', '2001:db8:3:'], ['2001:db8:4:']],
    )
    for (const ip of ips.flat()) assert.equal(canonicalIp(ip), ip)
  })

  it('have fresh addresses, or those with a number where one is given', () => {
    const net = new SmallInternet([OPEN, HOME])
    const site = net.site(1)
    const given = [site.place(), site.place(7), site.place(), net.site(0).place(), net.site(0).place()]
    assert.equal(new Set(given.flatMap(({ ips }) => ips)).size, 7)
    assert.deepEqual(
      given.slice(0, 3).map(({ ips }) => ips[0]),
      ['192.168.1.2', '192.168.1.9', '192.168.1.10'],
    )
    assert.throws(() => {
      for (const name of ['one', 'two']) site.place(3).attach(name, () => undefined)
    }, /is there already/)
  })

  it('say which site they are of', () => {
    const net = new SmallInternet([OPEN, HOME])
    for (const site of net.internet.sites) assert.equal(site.place().site, site)
  })

  it('are reached only while a host is there', () => {
    const net = new SmallInternet([OPEN, HOME])
    const server = net.probe(0)
    const place = net.site(0).place()
    const ip = place.ips[0] ?? ''
    const heard: string[] = []
    const attach = (name: string) => place.attach(name, () => heard.push(name))
    const send = () => {
      server.send(server.at(1), { ip, port: 1 })
      net.queue.run(100)
    }
    send()
    attach('one')
    assert.throws(() => attach('two'), /two comes where one is/)
    send()
    place.detach()
    send()
    place.detach()
    attach('two')
    send()
    assert.deepEqual(heard, ['one', 'two'])
    place.detach()
    place.send({ from: { ip, port: 1 }, to: server.at(1), bytes: new Uint8Array(0), author: 'two' })
    net.queue.run(100)
    assert.equal(server.received.length, 0)
    assert.equal(place.streamDelay(server.at(1).ip), undefined)
  })
})

describe('hosts in the same site', () => {
  it('reach each other over the network of the site: soon, whatever becomes of its gateway and link', () => {
    for (const spec of [OPEN, HOME, FIREWALLED]) {
      const net = new SmallInternet([spec])
      net.internet.watchers.push(() => assert.fail('it crossed the internet'))
      const [ana, ben] = [net.probe(0), net.probe(0)]
      net.site(0).setUdp(false)
      net.site(0).setUp(false)
      const [received] = net.passes(ana, ana.at(1), ben, ben.at(2))
      assert.equal(received?.at, 1)
      assert.deepEqual(received?.datagram.from, ana.at(1))
    }
  })

  it('reach each other at outer addresses where the NAT hairpins, and only there', () => {
    for (const hairpin of [true, false]) {
      const net = new SmallInternet([{ ...HOME, nat: { ...NAT_KINDS['full-cone'], hairpin } }, OPEN])
      const [ana, ben, server] = [net.probe(0), net.probe(0), net.probe(1)]
      const outer = net.seen(ben, ben.at(6), server, server.at(1))
      assert.ok(outer !== undefined)
      net.internet.watchers.push(() => assert.fail('it crossed the internet'))
      const [received] = net.passes(ana, ana.at(5), ben, outer)
      assert.deepEqual(received?.datagram.from, hairpin ? { ip: outer.ip, port: 5 } : undefined)
    }
  })

  it('speak to themselves as well', () => {
    for (const isolated of [false, true]) {
      const net = new SmallInternet([{ ...HOME, isolated }])
      const ana = net.probe(0)
      assert.equal(net.passes(ana, ana.at(1), ana, ana.at(2)).length, 1)
    }
  })

  it('that keeps them apart reach each other only where the NAT hairpins, and the outside as ever', () => {
    for (const hairpin of [true, false]) {
      const guests = { ...HOME, isolated: true, nat: { ...NAT_KINDS['full-cone'], hairpin } }
      const net = new SmallInternet([guests, OPEN])
      const [ana, ben, server] = [net.probe(0), net.probe(0), net.probe(1)]
      assert.equal(net.passes(ana, ana.at(1), ben, ben.at(2)).length, 0)
      assert.equal(ana.place.streamDelay(ben.at(2).ip), undefined)
      const outer = net.seen(ben, ben.at(6), server, server.at(1)) ?? assert.fail()
      assert.equal(net.passes(server, server.at(1), ben, outer).length, 1)
      assert.equal(net.passes(ana, ana.at(5), ben, outer).length, hairpin ? 1 : 0)
    }
  })
})

describe('a site behind a NAT', () => {
  it('is half a millisecond from its gateway, which is where its link begins', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    const out = net.passes(inner, inner.at(1), server, server.at(1))
    assert.equal(out[0]?.at, 2 * LINK_MS + 0.5)
    const began = net.queue.elapsed
    const back = net.passes(server, server.at(1), inner, out[0]?.datagram.from ?? assert.fail())
    assert.equal((back[0]?.at ?? 0) - began, 2 * LINK_MS + 0.5)
  })

  it('lets answers in though they come when the mapping is nearly over, and nothing when the gateway was restarted meanwhile', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    const mapped = net.seen(inner, inner.at(1), server, server.at(1)) ?? assert.fail()
    net.queue.run(2 * MINUTE - 1_000 - 3 * LINK_MS)
    assert.equal(net.passes(server, server.at(1), inner, mapped).length, 1)
    server.send(server.at(1), mapped)
    net.queue.run(LINK_MS)
    net.site(0).rebootGateway()
    net.queue.run(1_000)
    assert.equal(inner.received.length, 1)
  })

  it('has other ports after its gateway was restarted, and another address after it was renumbered', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    const mapped = () => net.seen(inner, inner.at(51_821), server, server.at(1)) ?? assert.fail()
    const before = mapped()
    net.site(0).rebootGateway()
    const rebooted = mapped()
    assert.equal(rebooted.ip, before.ip)
    assert.notEqual(rebooted.port, before.port)
    net.site(0).renumberGateway()
    const renumbered = mapped()
    assert.notEqual(renumbered.ip, before.ip)
    assert.deepEqual(net.site(0).gateway?.addresses, [renumbered.ip])
    for (const [to, arrives] of [
      [before, 0],
      [rebooted, 0],
      [renumbered, 1],
    ] as const)
      assert.equal(net.passes(server, server.at(1), inner, to).length, arrives)
  })

  it('keeps its IPv6 addresses when it is renumbered', () => {
    const net = new SmallInternet([{ ...HOME, ipv6: 'open' }, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    net.site(0).renumberGateway()
    assert.equal(net.passes(server, server.at(1, 6), inner, inner.at(1, 6)).length, 1)
  })

  it('passes on nothing with an address of another network (RFC 3704), and any with one of its own', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [inner, neighbour, server] = [net.probe(0), net.probe(0), net.probe(1)]
    for (const ip of ['192.0.2.9', '192.168.77.2', net.site(0).gateway?.addresses[0] ?? ''])
      assert.equal(net.passes(inner, { ip, port: 9 }, server, server.at(1)).length, 0)
    assert.equal(net.site(0).gateway?.mappings, 0)
    const mapped = net.seen(inner, neighbour.at(9), server, server.at(1))
    assert.equal(net.passes(server, server.at(1), neighbour, mapped ?? assert.fail()).length, 1)
  })

  it('says how many mappings there are', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [ana, ben, server] = [net.probe(0), net.probe(0), net.probe(1)]
    for (const port of [1, 2, 3]) ana.send(ana.at(port), server.at(1))
    ben.send(ben.at(1), server.at(1))
    const gateway = net.site(0).gateway ?? assert.fail()
    assert.deepEqual([gateway.mappings, gateway.mappingsOf(ana.at(1).ip)], [4, 3])
    net.queue.run(2 * MINUTE + 1)
    assert.deepEqual([gateway.mappings, gateway.mappingsOf(ana.at(1).ip)], [0, 0])
    assert.equal(net.site(1).gateway, undefined)
  })
})

describe('a site behind a site', () => {
  const NESTED = [
    { ...HOME, link: perfectLink(3) },
    { ...HOME, behind: 0, link: perfectLink(4) },
    { ...HOME, behind: 0, link: perfectLink(5) },
    OPEN,
  ]

  it('is reached over both links', () => {
    const net = new SmallInternet(NESTED)
    const [inner, server] = [net.probe(1), net.probe(3)]
    const [out] = net.passes(inner, inner.at(1), server, server.at(1))
    assert.equal(out?.at, 0.5 + 4 + 0.5 + 3 + LINK_MS)
    const began = net.queue.elapsed
    const [back] = net.passes(server, server.at(1), inner, out?.datagram.from ?? assert.fail())
    assert.equal((back?.at ?? 0) - began, LINK_MS + 3 + 0.5 + 4 + 0.5)
  })

  it('has an address of the outer one, at which its neighbours see it', () => {
    const net = new SmallInternet(NESTED)
    net.internet.watchers.push(() => assert.fail('it crossed the internet'))
    const [ana, ben] = [net.probe(1), net.probe(2)]
    const [anas = '', bens = ''] = [1, 2].map((site) => net.site(site).gateway?.addresses[0])
    assert.match(anas, /^100\.64\./)
    assert.equal(net.passes(ana, ana.at(1), ben, { ip: bens, port: 1 }).length, 0)
    const [received] = net.passes(ben, ben.at(1), ana, { ip: anas, port: 1 })
    assert.deepEqual(received?.datagram.from, { ip: bens, port: 1 })
    assert.equal((received?.at ?? 0) - 1_000, 0.5 + 5 + 1 + 4 + 0.5)
  })

  it('without a NAT of its own is a part of the outer one, behind a link', () => {
    const net = new SmallInternet([HOME, { ...HOME, behind: 0, nat: undefined }, OPEN])
    const [outer, inner, server] = [net.probe(0), net.probe(1), net.probe(2)]
    assert.match(inner.place.ips[0] ?? '', /^100\.64\./)
    assert.equal(net.passes(outer, outer.at(1), inner, inner.at(1))[0]?.at, 1 + LINK_MS)
    const mapped = net.seen(inner, inner.at(5), server, server.at(1))
    assert.deepEqual(mapped, { ip: net.site(0).gateway?.addresses[0], port: 5 })
    assert.equal(net.passes(server, server.at(1), inner, mapped ?? assert.fail()).length, 1)
  })

  it('has IPv6 where all sites between have it', () => {
    for (const outer of ['none', 'open', 'firewalled'] as const) {
      const net = new SmallInternet([
        { ...HOME, ipv6: outer },
        { ...HOME, behind: 0, ipv6: 'open' },
        { ...HOME, behind: 0, ipv6: 'open' },
        OPEN,
      ])
      const [inner, neighbour, server] = [net.probe(1), net.probe(2), net.probe(3)]
      const comesIn = () => net.passes(server, server.at(1, 6), inner, inner.at(1, 6)).length > 0
      assert.equal(comesIn(), outer === 'open')
      const asked = net.passes(inner, inner.at(1, 6), server, server.at(1, 6)).length > 0
      assert.equal(asked, outer !== 'none')
      assert.equal(comesIn(), outer !== 'none')
      const near = net.passes(inner, inner.at(1, 6), neighbour, neighbour.at(1, 6)).length > 0
      assert.equal(near, outer !== 'none')
    }
  })
})

describe('a site with a firewall', () => {
  it('lets in what answers, and nothing else, in both families', () => {
    const net = new SmallInternet([FIREWALLED, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    for (const family of [4, 6] as const) {
      const comesIn = (port: number) =>
        net.passes(server, server.at(port, family), inner, inner.at(1, family)).length > 0
      assert.equal(comesIn(1), false)
      assert.deepEqual(
        net.seen(inner, inner.at(1, family), server, server.at(1, family)),
        inner.at(1, family),
      )
      assert.deepEqual([comesIn(1), comesIn(2)], [true, false])
      net.site(0).rebootGateway()
      assert.equal(comesIn(1), false)
    }
  })

  it('has the one for IPv6 apart from the one for IPv4', () => {
    const net = new SmallInternet([
      { ...OPEN, firewall: true, ipv6: 'open' },
      { ...OPEN, ipv6: 'firewalled' },
      OPEN,
    ])
    const server = net.probe(2)
    const open = [0, 1].map((site) => {
      const probe = net.probe(site)
      return ([4, 6] as const).map(
        (family) => net.passes(server, server.at(1, family), probe, probe.at(1, family)).length > 0,
      )
    })
    assert.deepEqual(open, [
      [false, true],
      [true, false],
    ])
  })
})

describe('a site in which one family is broken', () => {
  it('has its addresses, and nothing of it passes: no UDP, no TCP; the other one does, and both inside', () => {
    for (const broken of ['ipv4', 'ipv6'] as const) {
      for (const spec of [OPEN, FIREWALLED, { ...HOME, ipv6: 'open' as const }]) {
        const net = new SmallInternet([{ ...spec, broken }, OPEN])
        const [ana, ben, server] = [net.probe(0), net.probe(0), net.probe(1)]
        for (const family of [4, 6] as const) {
          const works = broken !== `ipv${family}`
          const seen = net.seen(ana, ana.at(1, family), server, server.at(1, family))
          assert.equal(seen !== undefined, works)
          assert.equal(ana.place.streamDelay(server.at(1, family).ip) !== undefined, works)
          if (!works) assert.equal(net.passes(server, server.at(1, family), ana, ana.at(1, family)).length, 0)
          assert.equal(net.passes(ana, ana.at(1, family), ben, ben.at(2, family)).length, 1)
        }
      }
    }
  })
})

describe('the link of a site', () => {
  it('carries no UDP, in or out, where that is blocked', () => {
    for (const spec of [OPEN, HOME, { ...HOME, ipv6: 'open' as const }]) {
      const net = new SmallInternet([{ ...spec, udp: false }, OPEN])
      const [inner, server] = [net.probe(0), net.probe(1)]
      const reaches = () => net.seen(inner, inner.at(1), server, server.at(1))
      assert.equal(reaches(), undefined)
      assert.equal(net.site(0).gateway?.mappings ?? 0, 0)
      net.site(0).setUdp(true)
      const mapped = reaches() ?? assert.fail()
      net.site(0).setUdp(false)
      assert.equal(net.passes(server, server.at(1), inner, mapped).length, 0)
      assert.notEqual(inner.place.streamDelay(server.at(1).ip), undefined)
    }
  })

  it('carries nothing while it is down, and what comes to it then is lost', () => {
    const net = new SmallInternet([HOME, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    const mapped = net.seen(inner, inner.at(1), server, server.at(1)) ?? assert.fail()
    server.send(server.at(1), mapped)
    net.site(0).setUp(false)
    net.queue.run(100)
    assert.equal(inner.received.length, 0)
    assert.equal(net.passes(inner, inner.at(1), server, server.at(1)).length, 0)
    assert.equal(inner.place.streamDelay(server.at(1).ip), undefined)
    assert.equal(server.place.streamDelay(inner.at(1).ip), undefined)
    net.site(0).setUp(true)
    assert.equal(net.passes(server, server.at(1), inner, mapped).length, 1)
  })

  it('may become another one, for hosts there and hosts to come', () => {
    for (const spec of [OPEN, HOME]) {
      const net = new SmallInternet([spec, OPEN])
      const [inner, server] = [net.probe(0), net.probe(1)]
      const takes = (probe: Probe) => {
        const began = net.queue.elapsed
        const [received] = net.passes(probe, probe.at(1), server, server.at(1))
        return (received?.at ?? 0) - began
      }
      const before = takes(inner)
      net.site(0).setLink(perfectLink(LINK_MS + 5))
      assert.deepEqual([takes(inner), takes(net.probe(0))], [before + 5, before + 5])
    }
  })

  it('is shared by all behind a NAT; with public addresses each host has its own', () => {
    for (const [spec, isShared] of [
      [HOME, true],
      [OPEN, false],
    ] as const) {
      const narrow = { ...spec, link: { ...perfectLink(0), rate: 1_000, queue: 10_000 } }
      const net = new SmallInternet([narrow, OPEN])
      const [ana, ben, server] = [net.probe(0), net.probe(0), net.probe(1)]
      // A second each.
      for (const probe of [ana, ben]) probe.send(probe.at(1), server.at(1), 1_000 - 28)
      net.queue.run(10_000)
      const [first, second] = server.received.map(({ at }) => at)
      assert.equal((second ?? 0) - (first ?? 0), isShared ? 1_000 : 0)
    }
  })

  it('is entered from outside in the order in which datagrams get there, not in which they are sent', () => {
    const jittery = { ...OPEN, link: { ...perfectLink(10), rate: 1_000, queue: 10_000 } }
    const net = new SmallInternet([
      jittery,
      { ...OPEN, link: perfectLink(500) },
      { ...OPEN, link: perfectLink(1) },
    ])
    const [narrow, far, near] = [net.probe(0), net.probe(1), net.probe(2)]
    far.send(far.at(1), narrow.at(1), 100 - 28)
    near.send(near.at(1), narrow.at(1), 100 - 28)
    net.queue.run(1_000)
    assert.deepEqual(
      narrow.received.map(({ at, datagram }) => [datagram.author, at]),
      [
        [near.name, 1 + 100 + 10],
        [far.name, 500 + 100 + 10],
      ],
    )
  })

  it('brings copies through the NAT as it brings the first ones', () => {
    const copying = { ...HOME, link: { ...perfectLink(10), duplicate: 1 } }
    const net = new SmallInternet([copying, OPEN])
    const [inner, server] = [net.probe(0), net.probe(1)]
    const out = net.passes(inner, inner.at(1), server, server.at(1))
    assert.equal(out.length, 2)
    assert.deepEqual(out[0]?.datagram.from, out[1]?.datagram.from)
    assert.equal(net.passes(server, server.at(1), inner, out[0]?.datagram.from ?? assert.fail()).length, 2)
  })
})

describe('whatever the sites', () => {
  const siteSpec: fc.Arbitrary<SiteSpec> = fc.record(
    {
      region: fc.constantFrom('europe' as const, 'asia' as const),
      behind: fc.constantFrom(undefined, undefined, 0, 1),
      link: fc.constantFrom(perfectLink(1), { ...perfectLink(2), jitterMs: 3, rate: 50_000, queue: 10_000 }),
      ipv4: fc.constantFrom(true, true, false),
      nat: fc.constantFrom(undefined, ...Object.values(NAT_KINDS)),
      ipv6: fc.constantFrom('none' as const, 'open' as const, 'firewalled' as const),
      firewall: fc.boolean(),
      udp: fc.constantFrom(true, true, true, false),
      broken: fc.constantFrom('none' as const, 'none' as const, 'ipv4' as const, 'ipv6' as const),
      isolated: fc.constantFrom(false, false, true),
      portMapping: fc.constant('none' as const),
    },
    { noNullPrototype: true },
  )
  /** The first is behind none, the second behind none or the first. */
  const sites = fc.array(siteSpec, { minLength: 2, maxLength: 5 }).map((specs) =>
    specs.map((spec, index) => ({
      ...spec,
      behind: spec.behind === undefined || spec.behind >= index ? undefined : spec.behind,
    })),
  )

  it('who hears somebody outside can answer to where it came from, and is heard at once', () => {
    fc.assert(
      fc.property(sites, fc.nat(4), fc.nat(4), fc.constantFrom(4, 6), (specs, from, to, family) => {
        const net = new SmallInternet(specs, {})
        const [sender, receiver] = [net.probe(from % specs.length, 'a'), net.probe(to % specs.length, 'b')]
        const ips = [sender, receiver].map(({ place }) =>
          place.ips.find((ip) => ip.includes(':') === (family === 6)),
        )
        const [source, destination] = ips
        if (source === undefined || destination === undefined) return
        const [heard] = net.passes(sender, { ip: source, port: 5 }, receiver, { ip: destination, port: 6 })
        if (heard === undefined) return
        assert.equal(heard.datagram.author, 'a')
        const back = net.passes(receiver, { ip: destination, port: 6 }, sender, heard.datagram.from)
        assert.equal(back[0]?.datagram.author, 'b')
        assert.deepEqual(back[0]?.datagram.from, { ip: destination, port: 6 })
        assert.deepEqual(back[0]?.datagram.to, { ip: source, port: 5 })
      }),
      { numRuns: 500 },
    )
  })
})
