import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { familyOf, prefixContains, scopeOf } from '../../../src/base/address.js'
import { isNear, isUsable, leavesByTunnel, socketsFor } from '../../../src/engine/path/reachability.js'
import { anyIp, anyRoutes, HOME, HOME6, OFFICE, OTHER_DEVICE, route } from './machines.js'

const SOCKETS = [HOME, OFFICE, HOME6]

describe('the way of a packet', () => {
  it('is told by the longest prefix', () => {
    const routes = [
      route('0.0.0.0/0', false),
      route('10.0.0.0/8', true),
      route('10.1.0.0/16', false),
      route('10.1.2.3/32', true),
    ]
    assert.equal(leavesByTunnel(routes, '203.0.113.1'), false)
    assert.equal(leavesByTunnel(routes, '10.2.0.1'), true)
    assert.equal(leavesByTunnel(routes, '10.1.0.1'), false)
    assert.equal(leavesByTunnel(routes, '10.1.2.3'), true)
    assert.equal(leavesByTunnel([...routes].reverse(), '10.1.2.3'), true)
  })

  it('is told within its family, and is no tunnel where nothing is known of it', () => {
    assert.equal(leavesByTunnel([route('::/0', true)], '203.0.113.1'), false)
    assert.equal(leavesByTunnel([route('0.0.0.0/0', true)], '2001:db8::1'), false)
    assert.equal(leavesByTunnel([], '203.0.113.1'), false)
  })

  it('is the same in whatever order the routes were read', () => {
    fc.assert(
      fc.property(anyRoutes, anyIp, fc.nat(), (routes, ip, turn) => {
        const cut = routes.length === 0 ? 0 : turn % routes.length
        const turned = [...routes.slice(cut), ...routes.slice(0, cut)].reverse()
        // Two spellings of one prefix say nothing about each other: routes of a machine have one each.
        const lengths = routes
          .filter(({ prefix }) => prefixContains(prefix, ip))
          .map(({ prefix }) => prefix.length)
        fc.pre(new Set(lengths).size === lengths.length)
        assert.equal(leavesByTunnel(turned, ip), leavesByTunnel(routes, ip))
      }),
    )
  })
})

describe('an address is near', () => {
  it('where a route of its own leads there, and not only the default one', () => {
    const routes = [route('0.0.0.0/0', false), route('192.168.1.0/24', false), route('::/0', false)]
    assert.equal(isNear(routes, '192.168.1.9'), true)
    assert.equal(isNear(routes, '192.168.2.9'), false)
    assert.equal(isNear(routes, 'fd00::9'), false)
    assert.equal(isNear([...routes, route('fd00::/64', false)], 'fd00::9'), true)
    assert.equal(isNear([], '192.168.1.9'), false)
  })

  it('not where that route is the tunnel, however near the network around it is', () => {
    const routes = [route('10.0.0.0/8', false), route('10.1.0.0/16', true)]
    assert.equal(isNear(routes, '10.1.2.3'), false)
    assert.equal(isNear(routes, '10.2.0.1'), true)
    assert.equal(isNear([route('10.0.0.0/8', true), route('10.1.0.0/16', false)], '10.1.2.3'), true)
  })

  it('never without a route that contains it, nor where the packet would enter the tunnel', () => {
    fc.assert(
      fc.property(anyRoutes, anyIp, (routes, ip) => {
        if (!isNear(routes, ip)) return
        assert.ok(routes.some(({ prefix }) => prefix.length > 0 && prefixContains(prefix, ip)))
        assert.equal(leavesByTunnel(routes, ip), false)
      }),
    )
  })
})

describe('a way is usable', () => {
  const remote = { ip: '203.0.113.1', port: 1 }

  it('while its socket is open, of the family of its remote', () => {
    assert.equal(isUsable({ socket: HOME.id, remote }, SOCKETS, []), true)
    assert.equal(isUsable({ socket: HOME.id, remote }, [OFFICE], []), false)
    assert.equal(isUsable({ socket: HOME6.id, remote }, SOCKETS, []), false)
    assert.equal(isUsable({ socket: HOME.id, remote }, [], []), false)
  })

  it('unless it would enter the tunnel', () => {
    const routes = [route('0.0.0.0/0', false), route('203.0.113.0/24', true)]
    assert.equal(isUsable({ socket: HOME.id, remote }, SOCKETS, routes), false)
    assert.equal(isUsable({ socket: HOME.id, remote: { ip: '203.0.114.1', port: 1 } }, SOCKETS, routes), true)
  })

  it('exactly where its remote is asked from its socket', () => {
    fc.assert(
      fc.property(anyIp, anyRoutes, fc.integer({ min: 0, max: 4 }), (ip, routes, socket) => {
        const asked = socketsFor(ip, SOCKETS, routes).map(({ id }) => id)
        assert.equal(isUsable({ socket, remote: { ip, port: 1 } }, SOCKETS, routes), asked.includes(socket))
      }),
    )
  })
})

describe('an address is asked', () => {
  it('from all sockets of its family, where no route of that is known', () => {
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, []), [HOME, OFFICE])
    assert.deepEqual(socketsFor('2001:db8:2::1', SOCKETS, []), [HOME6])
    const routes = [route('0.0.0.0/0', false, OTHER_DEVICE)]
    assert.deepEqual(socketsFor('2001:db8:2::1', SOCKETS, routes), [HOME6])
  })

  it('from the sockets by whose device a route leads there, and from no other', () => {
    const away = { ...OFFICE, device: OTHER_DEVICE }
    const bridge = {
      id: 4,
      address: { ip: '172.17.0.1', port: 1 },
      device: 'bridge0',
      purpose: 'shared',
    } as const
    const sockets = [HOME, away, bridge, HOME6]
    const routes = [
      route('0.0.0.0/0', false),
      route('203.0.113.0/24', false, OTHER_DEVICE),
      route('172.17.0.0/16', false, 'bridge0'),
    ]
    assert.deepEqual(socketsFor('203.0.114.1', sockets, routes), [HOME])
    assert.deepEqual(socketsFor('203.0.113.1', sockets, routes), [HOME, away])
    assert.deepEqual(socketsFor('172.17.0.9', sockets, routes), [HOME, bridge])
    assert.deepEqual(socketsFor('203.0.113.1', [bridge], routes), [])
    assert.deepEqual(socketsFor('203.0.114.1', sockets, routes.slice(1)), [])
  })

  it('from none where the only route there leads nowhere', () => {
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, [route('0.0.0.0/0', false, 'gone0')]), [])
    const nowhere = { ...route('0.0.0.0/0', false), device: undefined }
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, [nowhere]), [])
  })

  it('from none where it is not one far host', () => {
    for (const ip of ['127.0.0.1', '::1', '0.0.0.0', '::', '224.0.0.1', 'ff02::1', '169.254.1.1', 'fe80::1'])
      assert.deepEqual(socketsFor(ip, SOCKETS, []), [], ip)
  })

  it('from none where the packet would enter the tunnel', () => {
    const routes = [route('0.0.0.0/0', false), route('203.0.113.0/24', true)]
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, routes), [])
    assert.deepEqual(socketsFor('203.0.114.1', SOCKETS, routes), [HOME, OFFICE])
  })

  it('from none where it is our own, on whichever device', () => {
    for (const { address } of SOCKETS) {
      assert.deepEqual(socketsFor(address.ip, SOCKETS, []), [])
      assert.deepEqual(socketsFor(address.ip, SOCKETS, [route('0.0.0.0/0', false), route('::/0', false)]), [])
    }
  })

  it('never otherwise', () => {
    fc.assert(
      fc.property(anyIp, anyRoutes, (ip, routes) => {
        const sockets = [HOME, { ...OFFICE, device: OTHER_DEVICE }, HOME6]
        for (const socket of socketsFor(ip, sockets, routes)) {
          assert.equal(familyOf(socket.address.ip), familyOf(ip))
          assert.ok(!sockets.some(({ address }) => address.ip === ip))
          const ofFamily = routes.filter(({ prefix }) => familyOf(prefix.ip) === familyOf(ip))
          const leadThere = ofFamily.filter(({ prefix }) => prefixContains(prefix, ip))
          assert.ok(ofFamily.length === 0 || leadThere.some(({ device }) => device === socket.device))
          assert.ok(['global', 'private'].includes(scopeOf(ip)))
          assert.equal(leavesByTunnel(routes, ip), false)
        }
      }),
    )
  })
})
