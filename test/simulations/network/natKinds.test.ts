/** The named NATs do what the laboratory's gateways are proved to do (test/lab/nat.test.ts). */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CARRIER_GRADE, NAT_KINDS, type NatKind } from '../../../simulations/network/natKinds.js'
import { HOME, OPEN, SmallInternet } from './probes.js'

interface Behaviour {
  readonly mapping: 'one port for every remote' | 'a port for each remote'
  /** Of the senders that were not sent to, those that get in. */
  readonly lets: readonly ('another port' | 'another address')[]
}

const BEHAVIOURS: Readonly<Record<NatKind, Behaviour>> = {
  'full-cone': { mapping: 'one port for every remote', lets: ['another port', 'another address'] },
  'address-restricted': { mapping: 'one port for every remote', lets: ['another port'] },
  'port-restricted': { mapping: 'one port for every remote', lets: [] },
  symmetric: { mapping: 'a port for each remote', lets: [] },
  counting: { mapping: 'a port for each remote', lets: [] },
}

function behind(kind: NatKind) {
  const net = new SmallInternet([{ ...HOME, nat: NAT_KINDS[kind] }, OPEN, OPEN])
  const inner = net.probe(0)
  const [first, second] = [net.probe(1), net.probe(2)]
  const remotes = [
    { name: 'whom was sent to', probe: first, address: first.at(1_000) },
    { name: 'another port', probe: first, address: first.at(2_000) },
    { name: 'another address', probe: second, address: second.at(1_000) },
  ] as const
  return { net, inner, remotes }
}

for (const [kind, behaviour] of Object.entries(BEHAVIOURS) as [NatKind, Behaviour][]) {
  describe(`a ${kind} NAT`, () => {
    it(`maps an inner port to ${behaviour.mapping}`, () => {
      const { net, inner, remotes } = behind(kind)
      const seen = remotes.map(({ probe, address }) => net.seen(inner, inner.at(51_821), probe, address))
      assert.deepEqual(new Set(seen.map((from) => from?.ip)), new Set(net.site(0).gateway?.addresses))
      const ports = new Set(seen.map((from) => from?.port))
      if (behaviour.mapping === 'one port for every remote') assert.deepEqual(ports, new Set([51_821]))
      else assert.equal(ports.size, 3)
    })

    it(`lets in ${['whom was sent to', ...behaviour.lets].join(', ')}, and nobody else`, () => {
      const { net, inner, remotes } = behind(kind)
      const [asked] = remotes
      const mapped = net.seen(inner, inner.at(51_821), asked.probe, asked.address)
      assert.ok(mapped !== undefined)
      const letIn = remotes.filter(
        ({ probe, address }) => net.passes(probe, address, inner, mapped).length > 0,
      )
      assert.deepEqual(
        letIn.map(({ name }) => name),
        ['whom was sent to', ...behaviour.lets],
      )
    })

    it('keeps the port of one who sent to it before it was sent to', () => {
      const { net, inner, remotes } = behind(kind)
      const [first, , second] = remotes
      const mapped = net.seen(inner, inner.at(51_821), first.probe, first.address)
      assert.ok(mapped !== undefined)
      net.passes(second.probe, second.address, inner, mapped)
      const seen = net.seen(inner, inner.at(51_821), second.probe, second.address)
      if (behaviour.mapping === 'one port for every remote') assert.deepEqual(seen, mapped)
      else assert.equal(seen?.ip, mapped.ip)
    })

    it('does not hairpin: inner hosts reach each other at their inner addresses alone', () => {
      const { net, inner, remotes } = behind(kind)
      const [asked] = remotes
      const other = net.probe(0)
      const mapped = net.seen(inner, inner.at(51_821), asked.probe, asked.address)
      assert.ok(mapped !== undefined)
      assert.deepEqual(net.passes(other, other.at(1), inner, mapped), [])
      assert.deepEqual(net.seen(other, other.at(1), inner, inner.at(51_821)), other.at(1))
    })
  })
}

describe('a full cone', () => {
  it('gives each inner host what comes in for its own port', () => {
    const { net, inner, remotes } = behind('full-cone')
    const [asked, , stranger] = remotes
    const other = net.probe(0)
    for (const [one, port] of [
      [inner, 5],
      [other, 6],
    ] as const) {
      const mapped = net.seen(one, one.at(port), asked.probe, asked.address)
      assert.ok(mapped !== undefined)
      assert.equal(net.passes(stranger.probe, stranger.address, one, mapped).length, 1)
    }
  })
})

describe('a gateway behind a gateway', () => {
  it('is seen from the outer one, and both filter; alone it lets its neighbours in as its kind says', () => {
    const net = new SmallInternet([HOME, { ...HOME, behind: 0, nat: NAT_KINDS['full-cone'] }, OPEN, OPEN])
    const [middle, inner, first, second] = [0, 1, 2, 3].map((site) => net.probe(site))
    assert.ok(middle !== undefined && inner !== undefined && first !== undefined && second !== undefined)
    const mapped = net.seen(inner, inner.at(5), first, first.at(7))
    assert.deepEqual(mapped, { ip: net.site(0).gateway?.addresses[0], port: 5 })
    assert.equal(net.passes(second, second.at(7), inner, mapped ?? assert.fail()).length, 0)
    assert.equal(net.passes(first, first.at(7), inner, mapped ?? assert.fail()).length, 1)
    const atInnerGateway = { ip: net.site(1).gateway?.addresses[0] ?? '', port: 5 }
    assert.deepEqual(net.seen(middle, middle.at(9), inner, atInnerGateway), middle.at(9))
  })
})

describe('a carrier-grade NAT', () => {
  it('has customers reach each other at their outer addresses, and keeps each to one (RFC 6888 REQ-2)', () => {
    const net = new SmallInternet([
      { ...HOME, nat: CARRIER_GRADE },
      { ...HOME, behind: 0, nat: NAT_KINDS['full-cone'] },
      { ...HOME, behind: 0, nat: NAT_KINDS['full-cone'] },
      OPEN,
    ])
    const [ana, ben, server] = [1, 2, 3].map((site) => net.probe(site))
    assert.ok(ana !== undefined && ben !== undefined && server !== undefined)
    const outer = [ana, ben].map((probe) => {
      const seen = [1, 2, 3].map((port) => net.seen(probe, probe.at(port), server, server.at(7)))
      assert.equal(new Set(seen.map((from) => from?.ip)).size, 1)
      return seen[0] ?? assert.fail()
    })
    const [atAna, atBen] = [outer[0] ?? assert.fail(), outer[1] ?? assert.fail()]
    assert.notEqual(atAna.ip, atBen.ip)
    assert.deepEqual(net.seen(ana, ana.at(1), ben, atBen), atAna)
  })
})
