import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Firewall, FLOW_LIFETIME_MS } from '../../../simulations/network/firewall.js'
import type { SocketAddress } from '../../../src/base/address.js'

const inner = fc.record({
  ip: fc.constantFrom('2001:db8:1::2', '2001:db8:1::3'),
  port: fc.constantFrom(1, 2),
})
const remote = fc.record({
  ip: fc.constantFrom('2001:db8:2::2', '2001:db8:3::2'),
  port: fc.constantFrom(1, 2),
})
const step = fc.record({
  type: fc.constantFrom('out' as const, 'in' as const),
  inner,
  remote,
  wait: fc.constantFrom(0, 1_000, FLOW_LIFETIME_MS / 2, FLOW_LIFETIME_MS, FLOW_LIFETIME_MS + 1),
})

function datagram(from: SocketAddress, to: SocketAddress) {
  return { from, to, bytes: new Uint8Array(0), author: 'somebody' }
}

describe('a firewall', () => {
  it('lets in what answers, from there and to there, until the flow was idle for two minutes (RFC 6092 REC-14)', () => {
    assert.ok(FLOW_LIFETIME_MS >= 120_000)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = { elapsed: 0 }
        const firewall = new Firewall(clock)
        const usedAt = new Map<string, number>()
        for (const { type, inner, remote, wait } of steps) {
          clock.elapsed += wait
          const flow = `${inner.ip} ${inner.port} ${remote.ip} ${remote.port}`
          const used = usedAt.get(flow)
          const isKnown = used !== undefined && clock.elapsed - used <= FLOW_LIFETIME_MS
          if (type === 'out') assert.equal(firewall.outbound(datagram(inner, remote)), true)
          else assert.equal(firewall.inbound(datagram(remote, inner)), isKnown)
          if (type === 'out' || isKnown) usedAt.set(flow, clock.elapsed)
          const live = [...usedAt.values()].filter((at) => clock.elapsed - at <= FLOW_LIFETIME_MS)
          assert.equal(firewall.flows, live.length)
        }
      }),
    )
  })

  it('remembers nothing when it was restarted', () => {
    const firewall = new Firewall({ elapsed: 0 })
    const [here, there] = [
      { ip: '203.0.113.1', port: 1 },
      { ip: '198.51.100.1', port: 2 },
    ]
    assert.ok(firewall.outbound(datagram(here, there)))
    assert.ok(firewall.inbound(datagram(there, here)))
    firewall.reboot()
    assert.ok(!firewall.inbound(datagram(there, here)))
    assert.equal(firewall.flows, 0)
  })

  it('refuses more flows than it can hold, and goes on with those it has', () => {
    const firewall = new Firewall({ elapsed: 0 })
    const here = { ip: '203.0.113.1', port: 1 }
    const flow = (number: number) => datagram(here, { ip: '198.51.100.1', port: 1 + number })
    let passed = 0
    for (let number = 0; number < 65_535; number++) passed += Number(firewall.outbound(flow(number)))
    assert.equal(passed, 65_535)
    assert.ok(firewall.outbound(datagram(here, { ip: '192.0.2.1', port: 1 })))
    assert.ok(!firewall.outbound(datagram(here, { ip: '192.0.2.1', port: 2 })))
    assert.ok(firewall.outbound(flow(0)))
  })
})
