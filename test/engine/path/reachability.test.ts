import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { familyOf, prefixContains, scopeOf } from '../../../src/base/address.js'
import { leavesByTunnel, socketsFor } from '../../../src/engine/path/reachability.js'
import { anyIp, anyRoutes, HOME, HOME6, OFFICE, route } from './machines.js'

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

describe('an address is asked', () => {
  it('from all sockets of its family', () => {
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, []), [HOME, OFFICE])
    assert.deepEqual(socketsFor('2001:db8:2::1', SOCKETS, []), [HOME6])
  })

  it('from none where it is not one far host', () => {
    for (const ip of ['127.0.0.1', '::1', '0.0.0.0', '::', '224.0.0.1', 'ff02::1', '169.254.1.1', 'fe80::1'])
      assert.deepEqual(socketsFor(ip, SOCKETS, []), [], ip)
  })

  it('from none where the packet would enter the tunnel', () => {
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, [route('203.0.113.0/24', true)]), [])
    assert.deepEqual(socketsFor('203.0.113.1', SOCKETS, [route('203.0.114.0/24', true)]), [HOME, OFFICE])
  })

  it('not from itself', () => {
    assert.deepEqual(socketsFor(HOME.address.ip, SOCKETS, []), [OFFICE])
  })

  it('never otherwise', () => {
    fc.assert(
      fc.property(anyIp, anyRoutes, (ip, routes) => {
        for (const socket of socketsFor(ip, SOCKETS, routes)) {
          assert.equal(familyOf(socket.address.ip), familyOf(ip))
          assert.notEqual(socket.address.ip, ip)
          assert.ok(['global', 'private'].includes(scopeOf(ip)))
          assert.equal(leavesByTunnel(routes, ip), false)
        }
      }),
    )
  })
})
