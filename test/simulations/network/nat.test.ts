/** Each requirement of RFC 4787 that is modelled, by its number. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Nat } from '../../../simulations/network/nat.js'
import { CARRIER_GRADE, NAT_KINDS } from '../../../simulations/network/natKinds.js'
import type { NatSpec } from '../../../simulations/topology.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { seededRandom } from '../../../src/base/random.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'

const ANA: SocketAddress = { ip: '192.168.0.2', port: 51_821 }
const BEN: SocketAddress = { ip: '192.168.0.3', port: 51_821 }
const X: SocketAddress = { ip: '198.51.100.1', port: 1_000 }
const X_OTHER_PORT: SocketAddress = { ip: '198.51.100.1', port: 2_000 }
const Y: SocketAddress = { ip: '198.51.100.2', port: 1_000 }
const OUTER = ['203.0.113.1', '203.0.113.2', '203.0.113.3']

/** A NAT with what happens to it in short. */
class Tried {
  readonly clock = { elapsed: 0 }
  readonly nat: Nat

  constructor(spec: Partial<NatSpec>, seed = 1) {
    const whole = { ...NAT_KINDS['port-restricted'], ...spec }
    this.nat = new Nat(whole, OUTER.slice(0, whole.addresses), this.clock, seededRandom(seed))
  }

  wait(ms: number): void {
    this.clock.elapsed += ms
  }

  /** Where what is sent seems to come from; undefined where it is dropped. */
  sends(from: SocketAddress, to: SocketAddress): SocketAddress | undefined {
    return this.nat.outbound({ from, to, bytes: new Uint8Array(0), author: 'inside' })?.from
  }

  mapped(from: SocketAddress, to: SocketAddress): SocketAddress {
    return this.sends(from, to) ?? assert.fail('it was refused a mapping')
  }

  /** Who gets what comes in; undefined where it is dropped. */
  gets(from: SocketAddress, to: SocketAddress): SocketAddress | undefined {
    return this.nat.inbound({ from, to, bytes: new Uint8Array(0), author: 'outside' })?.to
  }
}

describe('the mapping of a NAT (section 4.1)', () => {
  it('that is endpoint-independent is one for all remotes (REQ-1)', () => {
    const tried = new Tried({ ports: 'random' })
    const mapped = tried.mapped(ANA, X)
    for (const remote of [X_OTHER_PORT, Y]) assert.deepEqual(tried.mapped(ANA, remote), mapped)
    assert.notDeepEqual(tried.mapped({ ...ANA, port: 7 }, X), mapped)
    assert.equal(tried.nat.mappings, 2)
  })

  it('that is address-dependent is one for all ports of a remote address', () => {
    const tried = new Tried({ mapping: 'address-dependent', ports: 'random' })
    const mapped = tried.mapped(ANA, X)
    assert.deepEqual(tried.mapped(ANA, X_OTHER_PORT), mapped)
    assert.notDeepEqual(tried.mapped(ANA, Y), mapped)
    assert.equal(tried.nat.mappings, 2)
  })

  it('that is address-and-port-dependent is another for each remote address and port', () => {
    const tried = new Tried({ mapping: 'address-and-port-dependent', ports: 'random' })
    const mapped = [X, X_OTHER_PORT, Y].map((remote) => tried.mapped(ANA, remote).port)
    assert.equal(new Set(mapped).size, 3)
    assert.equal(tried.mapped(ANA, X).port, mapped[0])
    assert.equal(tried.nat.mappings, 3)
  })
})

describe('the pooling of addresses in a NAT (section 4.1)', () => {
  it('is paired: an inner host keeps to one outer address (REQ-2)', () => {
    const tried = new Tried({ addresses: 3, ports: 'random' })
    const hosts = [2, 3, 4, 5].map((number) => `192.168.0.${number}`)
    const outer = hosts.map((ip) => {
      const seen = [1, 2, 3].map((port) => tried.mapped({ ip, port }, X).ip)
      assert.equal(new Set(seen).size, 1)
      return seen[0]
    })
    assert.equal(new Set(outer).size, 3)
  })

  it('has the same port at each of the addresses', () => {
    const tried = new Tried({ addresses: 2 })
    const [ana, ben] = [tried.mapped(ANA, X), tried.mapped(BEN, X)]
    assert.deepEqual([ana.port, ben.port], [ANA.port, BEN.port])
    assert.deepEqual([tried.gets(X, ana), tried.gets(X, ben)], [ANA, BEN])
  })
})

describe('the port assignment of a NAT (section 4.2.1)', () => {
  it('never overloads a port: two inner sockets have two outer ones (REQ-3)', () => {
    for (const ports of ['preserving', 'sequential', 'random'] as const) {
      const tried = new Tried({ ports })
      assert.notDeepEqual(tried.mapped(ANA, X), tried.mapped(BEN, X))
      assert.notDeepEqual(tried.mapped(ANA, Y), tried.mapped(BEN, Y))
    }
  })

  it('that is preserving takes the inner port, and any other where that is taken', () => {
    const tried = new Tried({})
    assert.equal(tried.mapped(ANA, X).port, ANA.port)
    assert.notEqual(tried.mapped(BEN, X).port, BEN.port)
    assert.equal(tried.mapped({ ...ANA, port: 53 }, X).port, 53)
  })

  it('that is sequential counts, from anywhere, and leaves out what is taken', () => {
    const tried = new Tried({ ports: 'sequential', mapping: 'address-and-port-dependent' })
    const first = tried.mapped(ANA, X).port
    assert.equal(tried.mapped(BEN, X).port, first + 1)
    assert.equal(tried.mapped(ANA, Y).port, first + 2)
    const seeds = [1, 2, 3].map((seed) => new Tried({ ports: 'sequential' }, seed).mapped(ANA, X).port)
    assert.equal(new Set(seeds).size, 3)
  })

  it('that is sequential counts by its step, up or down, over all inner hosts, and goes round', () => {
    for (const portStep of [1, 2, -1, -3, 1_000]) {
      const tried = new Tried({ ports: 'sequential', portStep, mapping: 'address-and-port-dependent' })
      let last = tried.mapped(ANA, X).port
      for (let port = 1; port <= 200; port++) {
        const next = tried.mapped(port % 2 === 0 ? ANA : BEN, { ...X, port }).port
        const step = next - last
        assert.ok(step === portStep || Math.abs(step - portStep) === 65_536 - 1_024, `${last}, ${next}`)
        last = next
      }
    }
  })

  it('gives ports of 1024 and more where it does not preserve (REQ-3b)', () => {
    const tried = new Tried({ ports: 'random', mapping: 'address-and-port-dependent' })
    for (let port = 1; port <= 2_000; port++) {
      const mapped = tried.mapped(ANA, { ...X, port }).port
      assert.ok(mapped >= 1_024 && mapped <= 65_535)
    }
  })

  it('goes on where all but a few ports are taken, and refuses when all are', () => {
    for (const [ports, portStep] of [
      ['preserving', 1],
      ['sequential', 1],
      ['sequential', -2],
      ['random', 1],
    ] as const) {
      const tried = new Tried({ ports, portStep, maxMappings: 100_000 })
      for (let port = 1_024; port <= 65_535; port++) {
        const mapped = tried.mapped({ ...ANA, port }, X)
        if (ports === 'preserving') assert.equal(mapped.port, port)
      }
      assert.equal(tried.nat.mappings, 65_536 - 1_024)
      assert.equal(tried.sends(BEN, X), undefined)
    }
  })
})

describe('the refreshing of mappings in a NAT (section 4.3)', () => {
  it('keeps one for its lifetime, which is two minutes in NATs that have a name (REQ-5)', () => {
    for (const spec of [...Object.values(NAT_KINDS), CARRIER_GRADE]) {
      assert.equal(spec.lifetimeMs, 2 * MINUTE)
      const tried = new Tried({ ...spec, addresses: 1 })
      const mapped = tried.mapped(ANA, X)
      tried.wait(2 * MINUTE)
      assert.deepEqual(tried.gets(X, mapped), ANA)
      tried.wait(2 * MINUTE + 1)
      assert.equal(tried.gets(X, mapped), undefined)
      assert.equal(tried.nat.mappings, 0)
    }
  })

  it('is done by what is sent from inside (REQ-6)', () => {
    for (const refreshedBy of ['outbound', 'both'] as const) {
      const tried = new Tried({ refreshedBy, ports: 'random' })
      const mapped = tried.mapped(ANA, X)
      for (let times = 0; times < 10; times++) {
        tried.wait(100 * SECOND)
        assert.deepEqual(tried.mapped(ANA, X), mapped)
      }
      assert.deepEqual(tried.gets(X, mapped), ANA)
    }
  })

  it('is done by what is let in from outside if so specified (REQ-6a), and not by what is dropped', () => {
    for (const refreshedBy of ['outbound', 'both'] as const) {
      const tried = new Tried({ refreshedBy })
      const mapped = tried.mapped(ANA, X)
      tried.wait(100 * SECOND)
      assert.deepEqual(tried.gets(X, mapped), ANA)
      tried.wait(100 * SECOND)
      assert.deepEqual(tried.gets(X, mapped), refreshedBy === 'both' ? ANA : undefined)
      tried.wait(100 * SECOND)
      assert.equal(tried.gets(Y, mapped), undefined)
      tried.wait(100 * SECOND)
      assert.equal(tried.gets(X, mapped), undefined)
    }
  })
})

describe('the filtering of a NAT (section 5)', () => {
  const cases = [
    ['endpoint-independent', [true, true, true]],
    ['address-dependent', [true, true, false]],
    ['address-and-port-dependent', [true, false, false]],
  ] as const
  for (const [filtering, lets] of cases) {
    it(`that is ${filtering} lets in ${['whom was sent to', 'its other ports', 'anybody'][lets.lastIndexOf(true)]} (REQ-8)`, () => {
      for (const mapping of ['endpoint-independent', 'address-and-port-dependent'] as const) {
        const tried = new Tried({ mapping, filtering })
        const mapped = tried.mapped(ANA, X)
        const gets = [X, X_OTHER_PORT, Y].map((remote) => tried.gets(remote, mapped))
        assert.deepEqual(
          gets,
          lets.map((passes) => (passes ? ANA : undefined)),
        )
      }
    })
  }

  it('lets nobody in where nothing was sent, and nothing of it has any effect on what is sent later', () => {
    const tried = new Tried({})
    for (let port = 1_024; port < 65_536; port += 7)
      assert.equal(tried.gets(X, { ip: '203.0.113.1', port }), undefined)
    assert.equal(tried.gets(X, { ip: '203.0.113.1', port: ANA.port }), undefined)
    assert.equal(tried.nat.mappings, 0)
    assert.equal(tried.mapped(ANA, X).port, ANA.port)
  })

  it('forgets a remote that was not sent to for the lifetime, though the mapping lives', () => {
    const tried = new Tried({ refreshedBy: 'outbound' })
    const mapped = tried.mapped(ANA, X)
    tried.wait(100 * SECOND)
    tried.mapped(ANA, Y)
    assert.deepEqual(tried.gets(X, mapped), ANA)
    tried.wait(100 * SECOND)
    assert.deepEqual([tried.gets(X, mapped), tried.gets(Y, mapped)], [undefined, ANA])
    assert.deepEqual(tried.mapped(ANA, X), mapped)
    assert.deepEqual(tried.gets(X, mapped), ANA)
  })
})

describe('the hairpinning of a NAT (section 6)', () => {
  const hairpin = (tried: Tried, from: SocketAddress, to: SocketAddress) =>
    tried.nat.hairpin({ from, to, bytes: new Uint8Array(0), author: 'inside' })

  it('has inner hosts reach each other at outer addresses, as whom they are outside (REQ-9a)', () => {
    const tried = new Tried({ hairpin: true, filtering: 'endpoint-independent' })
    const [ana, ben] = [tried.mapped(ANA, X), tried.mapped(BEN, X)]
    const arrived = hairpin(tried, ANA, ben)
    assert.deepEqual([arrived?.from, arrived?.to], [ana, BEN])
    assert.equal(arrived?.author, 'inside')
  })

  it('filters as ever: both must have sent', () => {
    const tried = new Tried({ hairpin: true, filtering: 'address-and-port-dependent' })
    const [ana, ben] = [tried.mapped(ANA, X), tried.mapped(BEN, X)]
    assert.equal(hairpin(tried, ANA, ben), undefined)
    assert.deepEqual(hairpin(tried, BEN, ana)?.to, ANA)
    assert.deepEqual(hairpin(tried, ANA, ben)?.to, BEN)
  })

  it('makes a mapping where the sender had none', () => {
    const tried = new Tried({ hairpin: true, filtering: 'endpoint-independent' })
    const ben = tried.mapped(BEN, X)
    const seen = hairpin(tried, ANA, ben)?.from
    assert.deepEqual(seen, tried.mapped(ANA, Y))
  })

  it('does not happen, and makes no mapping, where it is not specified', () => {
    const tried = new Tried({ hairpin: false, filtering: 'endpoint-independent' })
    const ben = tried.mapped(BEN, X)
    assert.equal(hairpin(tried, ANA, ben), undefined)
    assert.equal(tried.nat.mappings, 1)
  })
})

describe('the behaviour of a NAT (section 8)', () => {
  it('does not change when ports conflict (REQ-11)', () => {
    const tried = new Tried({})
    tried.mapped(BEN, X)
    const mapped = tried.mapped(ANA, X)
    assert.notEqual(mapped.port, ANA.port)
    for (const remote of [X_OTHER_PORT, Y]) assert.deepEqual(tried.mapped(ANA, remote), mapped)
    assert.deepEqual(tried.gets(Y, mapped), ANA)
    assert.equal(tried.gets({ ...Y, port: 3 }, mapped), undefined)
  })
})

describe('a NAT', () => {
  it('refuses a mapping when it holds as many as it can, and goes on with those it has', () => {
    const tried = new Tried({ maxMappings: 2 })
    const mapped = tried.mapped(ANA, X)
    tried.mapped(BEN, X)
    const another = { ip: '192.168.0.4', port: 1 }
    assert.equal(tried.sends(another, X), undefined)
    assert.deepEqual(tried.mapped(ANA, Y), mapped)
    tried.wait(60 * SECOND)
    tried.mapped(ANA, X)
    tried.wait(60 * SECOND + 1)
    assert.notEqual(tried.sends(another, X), undefined)
  })

  it('says how many mappings there are now, of all and of one', () => {
    const tried = new Tried({ mapping: 'address-and-port-dependent' })
    for (const remote of [X, X_OTHER_PORT, Y]) tried.mapped(ANA, remote)
    tried.wait(SECOND)
    tried.mapped(BEN, X)
    const counts = () => [tried.nat.mappings, tried.nat.mappingsOf(ANA.ip), tried.nat.mappingsOf(BEN.ip)]
    assert.deepEqual(counts(), [4, 3, 1])
    tried.wait(2 * MINUTE)
    assert.deepEqual(counts(), [1, 0, 1])
  })

  it('that was restarted lets nobody in, and assigns other ports', () => {
    for (const ports of ['preserving', 'sequential', 'random'] as const) {
      const tried = new Tried({ ports, filtering: 'endpoint-independent' })
      const mapped = tried.mapped(ANA, X)
      tried.nat.reboot()
      assert.equal(tried.nat.mappings, 0)
      assert.equal(tried.gets(X, mapped), undefined)
      const again = tried.mapped(ANA, X)
      assert.equal(again.ip, mapped.ip)
      assert.notEqual(again.port, mapped.port)
      assert.deepEqual(tried.mapped(ANA, Y), again)
    }
  })

  it('that was renumbered sends from its new addresses, and knows nothing of the old ones', () => {
    const tried = new Tried({ filtering: 'endpoint-independent' })
    const mapped = tried.mapped(ANA, X)
    tried.nat.renumber(['203.0.113.9'])
    assert.deepEqual(tried.nat.addresses, ['203.0.113.9'])
    assert.deepEqual(tried.mapped(ANA, X), { ip: '203.0.113.9', port: ANA.port })
    assert.equal(tried.gets(X, mapped), undefined)
  })
})

describe('a port that is opened', () => {
  const OPENED: SocketAddress = { ip: '203.0.113.1', port: 51_821 }
  const hard = (): Tried => new Tried(NAT_KINDS.symmetric)

  it('lets everybody in, and is answered from, while others have mappings as ever', () => {
    const tried = hard()
    assert.equal(tried.gets(X, OPENED), undefined)
    assert.ok(tried.nat.open(ANA, OPENED.port, MINUTE))
    assert.deepEqual(tried.gets(X, OPENED), ANA)
    assert.deepEqual(tried.sends(ANA, X), OPENED)
    assert.notDeepEqual(tried.sends(ANA, Y), OPENED)
    assert.equal(tried.nat.openPortsOf(ANA.ip), 1)
  })

  it("is one inner socket's, and no mapping takes it", () => {
    const tried = new Tried(NAT_KINDS['port-restricted'])
    assert.ok(tried.nat.open(ANA, OPENED.port, MINUTE))
    assert.ok(tried.nat.open(ANA, OPENED.port, MINUTE))
    assert.equal(tried.nat.open(BEN, OPENED.port, MINUTE), false)
    assert.notEqual(tried.mapped(BEN, X).port, OPENED.port)
    assert.equal(tried.mapped(ANA, X).port, OPENED.port)
    assert.equal(new Tried(NAT_KINDS['port-restricted']).nat.open(BEN, 1, MINUTE), true)
  })

  it('is refused where another one has a mapping there', () => {
    const tried = new Tried(NAT_KINDS['port-restricted'])
    assert.equal(tried.mapped(BEN, X).port, OPENED.port)
    assert.equal(tried.nat.open(ANA, OPENED.port, MINUTE), false)
  })

  it('ends with its time, when it is closed, and when the gateway is restarted', () => {
    const ends: readonly ((tried: Tried) => void)[] = [
      (tried) => tried.wait(MINUTE),
      (tried) => tried.nat.close(ANA, OPENED.port),
      (tried) => tried.nat.reboot(),
      (tried) => tried.nat.renumber(['203.0.113.9']),
    ]
    for (const end of ends) {
      const tried = hard()
      tried.nat.open(ANA, OPENED.port, MINUTE)
      end(tried)
      assert.equal(tried.gets(X, OPENED), undefined, String(end))
      assert.equal(tried.nat.openPortsOf(ANA.ip), 0)
    }
    const other = hard()
    other.nat.open(ANA, OPENED.port, MINUTE)
    other.nat.close(BEN, OPENED.port)
    assert.deepEqual(other.gets(X, OPENED), ANA)
  })
})
