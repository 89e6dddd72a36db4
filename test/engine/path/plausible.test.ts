import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isPort, type SocketAddress, scopeOf } from '../../../src/base/address.js'
import { directIpOf, plausibility, type Surroundings } from '../../../src/engine/path/plausible.js'
import { isNear } from '../../../src/engine/path/reachability.js'
import type { Candidate } from '../../../src/wire/candidate.js'
import { recordOf, testNode } from '../nodes.js'
import { anyIp, anyRoutes, candidate, HOME, HOME6, OFFICE, PORT, remote, route } from './machines.js'

const BOB = testNode(2)
const DEFAULT = [route('0.0.0.0/0', false), route('::/0', false)]
/** Bob at home, and how his gateway looks from outside. */
const AT_HOME: SocketAddress = { ip: '192.168.7.9', port: PORT }
const OUTSIDE = remote(1)
const BEHIND_A_GATEWAY = [candidate('host', AT_HOME), candidate('server-reflexive', OUTSIDE)]
/** We are behind a gateway as well, and it is not Bob's. */
const ELSEWHERE: Surroundings = {
  sockets: [HOME],
  routes: DEFAULT,
  reflexive: [candidate('server-reflexive', remote(2))],
}

describe('a private address of a peer', () => {
  it('is not tried from elsewhere on the internet', () => {
    assert.equal(plausible(BEHIND_A_GATEWAY, ELSEWHERE), false)
    assert.equal(plausible(BEHIND_A_GATEWAY, { ...ELSEWHERE, sockets: [HOME6], reflexive: [] }), false)
    assert.equal(plausible([candidate('host', AT_HOME)], ELSEWHERE), false)
  })

  it('is tried from behind the same gateway, whatever its port shows', () => {
    const own = candidate('server-reflexive', { ...OUTSIDE, port: 9 })
    assert.equal(plausible(BEHIND_A_GATEWAY, { ...ELSEWHERE, reflexive: [own] }), true)
    assert.equal(
      plausible(BEHIND_A_GATEWAY, { ...ELSEWHERE, reflexive: [...ELSEWHERE.reflexive, own] }),
      true,
    )
  })

  it('is not tried for a gateway that the peer does not say it is behind', () => {
    const reflexive = [candidate('server-reflexive', OUTSIDE)]
    for (const type of ['host', 'mapped', 'relayed'] as const) {
      const theirs = [candidate('host', AT_HOME), candidate(type, OUTSIDE)]
      assert.equal(plausible(theirs, { ...ELSEWHERE, reflexive }), false, type)
    }
  })

  it('is tried where one of our routes leads there', () => {
    const near = { ...ELSEWHERE, routes: [...DEFAULT, route('192.168.7.0/24', false)] }
    assert.equal(plausible(BEHIND_A_GATEWAY, near), true)
    assert.equal(plausible(BEHIND_A_GATEWAY, near, '192.168.8.9'), false)
    const tunnel = { ...ELSEWHERE, routes: [...DEFAULT, route('192.168.7.0/24', true)] }
    assert.equal(plausible(BEHIND_A_GATEWAY, tunnel), false)
  })

  it('is tried from where nothing says that we are on the internet', () => {
    const inside = { ...ELSEWHERE, reflexive: [] }
    assert.equal(plausible(BEHIND_A_GATEWAY, inside), true)
    const carrier = [candidate('server-reflexive', { ip: '100.64.1.2', port: 1 })]
    assert.equal(plausible(BEHIND_A_GATEWAY, { ...inside, reflexive: carrier }), true)
    assert.equal(plausible(BEHIND_A_GATEWAY, { ...inside, sockets: [HOME, HOME6] }), false)
  })
})

describe('an address of a peer', () => {
  const anyCandidates = (type: fc.Arbitrary<Candidate['type']>): fc.Arbitrary<readonly Candidate[]> => {
    const ip = fc.oneof(anyIp, fc.constantFrom(OUTSIDE.ip, AT_HOME.ip, 'fd00::9'))
    const port = fc.nat({ max: 65_535 }).filter(isPort)
    return fc.array(fc.record({ type, address: fc.record({ ip, port }) }), { maxLength: 8 })
  }
  const theirs = anyCandidates(fc.constantFrom('host', 'mapped', 'server-reflexive', 'relayed'))
  const surroundings: fc.Arbitrary<Surroundings> = fc.record({
    sockets: fc.subarray([HOME, OFFICE, HOME6]),
    routes: anyRoutes,
    reflexive: anyCandidates(fc.constant('server-reflexive')),
  })

  it('is always tried where it means the same to everybody', () => {
    fc.assert(
      fc.property(theirs, surroundings, anyIp, (candidates, ours, ip) => {
        fc.pre(scopeOf(ip) === 'global')
        assert.equal(plausible(candidates, ours, ip), true)
      }),
    )
  })

  it('that is left out is not near, nor behind a gateway of ours; and we are on the internet', () => {
    fc.assert(
      fc.property(theirs, surroundings, anyIp, (candidates, ours, ip) => {
        if (plausible(candidates, ours, ip)) return
        assert.equal(isNear(ours.routes, ip), false)
        const gateways = candidates.filter(({ type }) => type === 'server-reflexive')
        for (const { address } of gateways)
          assert.ok(ours.reflexive.every((own) => own.address.ip !== address.ip))
        const own = [...ours.sockets, ...ours.reflexive]
        assert.ok(own.some(({ address }) => scopeOf(address.ip) === 'global'))
      }),
    )
  })
})

describe('the address at which a multiaddr begins', () => {
  it('is an IP address of either family', () => {
    assert.equal(directIpOf('/ip4/192.168.1.9/tcp/51821'), '192.168.1.9')
    assert.equal(directIpOf('/ip6/fd00::9/tcp/51821'), 'fd00::9')
    assert.equal(directIpOf('/ip4/192.0.2.1'), '192.0.2.1')
  })

  it("is not told of a circuit relay's, nor of a name", () => {
    assert.equal(directIpOf('/ip4/192.0.2.1/tcp/1/p2p/12D3KooW/p2p-circuit'), undefined)
    assert.equal(directIpOf('/dns4/relay.example/tcp/1'), undefined)
    assert.equal(directIpOf(''), undefined)
  })
})

/** Whether we, where we are, try an address of Bob, whose record names `theirs`. */
function plausible(theirs: readonly Candidate[], ours: Surroundings, ip = AT_HOME.ip): boolean {
  return plausibility(recordOf(BOB, { candidates: theirs }), ours)(ip)
}
