import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parseRoutes, readRoutes } from '../../src/io/routes.js'
import { ensurePackages } from '../packages.js'
import { run } from './run.js'

describe('routes', () => {
  const namespace = `tbio${process.pid}r`
  const ip = (...args: string[]) => run('ip', ['-n', namespace, ...args])

  before(() => {
    ensurePackages()
    run('ip', ['netns', 'add', namespace])
    for (const device of ['tba', 'tbb']) {
      ip('link', 'add', device, 'type', 'bridge')
      ip('link', 'set', device, 'up')
    }
    ip('address', 'add', '192.0.2.2/24', 'dev', 'tba')
    ip('address', 'add', '198.51.100.2/24', 'dev', 'tbb')
    ip('address', 'add', '2001:db8::2/64', 'dev', 'tba', 'nodad')
  })

  after(() => {
    run('ip', ['netns', 'delete', namespace])
  })

  it('of this machine are read without complaint', async () => {
    for (const { prefix, device } of await readRoutes()) {
      assert.ok(prefix.length >= 0)
      assert.notEqual(device, '')
    }
  })

  it('of IPv4 are read as ip prints them: default, direct, host, refused, multipath', () => {
    ip('route', 'add', 'default', 'via', '192.0.2.1')
    ip('route', 'add', '203.0.113.9', 'via', '198.51.100.1')
    ip('route', 'add', 'unreachable', '10.0.0.0/8')
    ip('route', 'add', 'blackhole', '10.1.0.0/16')
    const hops = ['nexthop', 'via', '192.0.2.1', 'nexthop', 'via', '198.51.100.1']
    ip('route', 'add', '172.16.0.0/12', ...hops)
    const routes = parseRoutes(4, ip('-j', '-4', 'route', 'show', 'table', 'main'))
    assert.deepEqual(
      routes.map(({ prefix, device }) => `${prefix.ip}/${prefix.length} ${device}`).toSorted(),
      [
        '0.0.0.0/0 tba',
        '10.0.0.0/8 undefined',
        '10.1.0.0/16 undefined',
        '172.16.0.0/12 tba',
        '172.16.0.0/12 tbb',
        '192.0.2.0/24 tba',
        '198.51.100.0/24 tbb',
        '203.0.113.9/32 tbb',
      ],
    )
  })

  it('of IPv6 are read as ip prints them', () => {
    ip('-6', 'route', 'add', 'default', 'via', '2001:db8::1')
    ip('-6', 'route', 'add', 'unreachable', '2001:db8:9::/48')
    const routes = parseRoutes(6, ip('-j', '-6', 'route', 'show', 'table', 'main'))
    const found = routes.map(({ prefix, device }) => `${prefix.ip}/${prefix.length} ${device}`)
    assert.ok(found.includes('::/0 tba'))
    assert.ok(found.includes('2001:db8::/64 tba'))
    // iproute2 names the device of an unreachable route, which is the loopback one.
    assert.ok(found.some((route) => /^2001:db8:9::\/48 (undefined|lo)$/.test(route)))
  })

  it('have the gateway that they lead to, also one of the other family', () => {
    const hops = '[{"gateway":"192.0.2.1","dev":"a"},{"via":{"family":"inet6","host":"fe80::1"},"dev":"b"}]'
    const json = `[{"dst":"default","gateway":"192.0.2.9","dev":"c"},{"dst":"default","nexthops":${hops}}]`
    assert.deepEqual(
      parseRoutes(4, json).map(({ device, gateway }) => `${gateway} ${device}`),
      ['192.0.2.9 c', '192.0.2.1 a', 'fe80::1 b'],
    )
  })

  it('without a destination that is a prefix are left out, and what is no list is refused', () => {
    assert.deepEqual(parseRoutes(4, '[{"dev":"a"},{"dst":"nonsense","dev":"a"},{"dst":7},null,3]'), [])
    assert.deepEqual(parseRoutes(4, '[{"dst":"10.0.0.0/8"}]'), [
      { prefix: { ip: '10.0.0.0', length: 8 }, device: undefined, gateway: undefined },
    ])
    assert.deepEqual(parseRoutes(4, '[]'), [])
    assert.throws(() => parseRoutes(4, ''), /printed no list/)
    assert.throws(() => parseRoutes(4, '{"dst":"default"}'), /printed no list/)
  })
})
