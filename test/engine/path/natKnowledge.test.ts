import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NAT_KINDS } from '../../../simulations/network/natKinds.js'
import type { Dependence, NatSpec } from '../../../simulations/topology.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { udpProbeDatagram } from '../../../src/wire/udpProbe.js'
import { NatHouse } from './natHouse.js'

const DEPENDENCES: readonly Dependence[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]

const anyNat: fc.Arbitrary<Partial<NatSpec>> = fc.record({
  mapping: fc.constantFrom(...DEPENDENCES),
  filtering: fc.constantFrom(...DEPENDENCES),
  ports: fc.constantFrom('preserving', 'sequential', 'random'),
  hairpin: fc.boolean(),
  refreshedBy: fc.constantFrom('outbound', 'both'),
})

describe('the kind of a NAT', () => {
  for (const servers of [2, 3])
    for (const [kind, spec] of Object.entries(NAT_KINDS))
      it(`is told by ${servers} servers: ${kind}`, () => {
        const house = new NatHouse({ nat: spec, servers })
        const { mapping, filtering } = house.findOut()
        assert.deepEqual({ mapping, filtering }, { mapping: spec.mapping, filtering: spec.filtering })
        assert.equal(house.nat.status.portPreserving, spec.ports === 'preserving')
      })

  it('is told whatever the NAT does, and whether it hairpins', () => {
    fc.assert(
      fc.property(anyNat, fc.integer({ min: 2, max: 4 }), (spec, servers) => {
        const house = new NatHouse({ nat: spec, servers })
        const { mapping, filtering } = house.findOut()
        assert.deepEqual([mapping, filtering], [spec.mapping, spec.filtering])
        // With a mapping for each remote, what we send ourselves comes from one that no filter has let in.
        if (spec.mapping === 'endpoint-independent') assert.equal(house.nat.status.hairpinning, spec.hairpin)
        if (spec.hairpin === false) assert.equal(house.nat.status.hairpinning, false)
      }),
      { numRuns: 60 },
    )
  })

  it('is none in the open', () => {
    const house = new NatHouse({ nat: undefined })
    assert.deepEqual(house.findOut(), { mapping: 'none', filtering: 'none' })
    assert.equal(house.nat.status.hairpinning, undefined)
    assert.equal(house.openSpares, 0)
  })

  it('is told as far as one server can tell it: by its other port', () => {
    assert.equal(
      new NatHouse({ nat: NAT_KINDS['port-restricted'], servers: 1 }).findOut().filtering,
      'address-and-port-dependent',
    )
    assert.equal(new NatHouse({ nat: NAT_KINDS['full-cone'], servers: 1 }).findOut().filtering, 'unknown')
  })

  it('is not told by servers that say they send, and do not', () => {
    for (const kind of ['full-cone', 'port-restricted'] as const)
      assert.equal(new NatHouse({ nat: NAT_KINDS[kind], mute: true }).findOut().filtering, 'unknown')
  })

  it('is asked of a server to which nothing was sent, where there is one', () => {
    const house = new NatHouse({ nat: NAT_KINDS['full-cone'], servers: 4 })
    house.findOut()
    assert.equal(house.asked[0], 'server 4 usual-port')
  })
})

describe('the trial', () => {
  it('begins once the mesh is connected, and ends with it', () => {
    const house = new NatHouse({ nat: {} })
    house.join([])
    house.pass(MINUTE)
    assert.deepEqual(house.asked, [])
    house.nat.meshChanged(true, house.servers, house.now)
    house.pass(3 * SECOND)
    assert.equal(house.openSpares, 1)
    house.leave()
    assert.equal(house.openSpares, 0)
  })

  it('is repeated at once where another server comes while the first one could not tell', () => {
    const house = new NatHouse({ nat: NAT_KINDS['full-cone'] })
    house.join(house.servers.slice(0, 1))
    house.pass(2_500)
    assert.equal(house.openSpares, 1)
    house.nat.meshChanged(true, house.servers, house.now)
    house.pass(10 * SECOND)
    assert.equal(house.reflection.findings.filtering, 'endpoint-independent')
  })

  it('is repeated when we are seen elsewhere, and not when only a port changes', () => {
    const house = new NatHouse({ nat: {} })
    house.findOut()
    const asked = house.asked.length
    house.internet.site(0).rebootGateway()
    house.reflection.renew(house.now)
    house.pass(5 * SECOND)
    assert.equal(house.reflection.findings.filtering, 'address-and-port-dependent')
    assert.ok(house.asked.length - asked <= 1)
  })

  it('costs few packets an hour, and then none', () => {
    const house = new NatHouse({ nat: { lifetimeMs: 10 * MINUTE } })
    house.findOut()
    house.pass(HOUR)
    assert.equal(house.openSpares, 0)
    assert.ok(house.sent.length < 60, `${house.sent.length}`)
    const before = house.sent.length
    house.pass(4 * HOUR)
    assert.equal(house.sent.length, before)
  })
})

describe('what is known', () => {
  it('stays where a reflector is gone, or a server of the mesh', () => {
    const house = new NatHouse({ nat: NAT_KINDS['address-restricted'] })
    house.findOut()
    house.pass(20 * MINUTE)
    const asked = house.asked.length
    house.nat.meshChanged(true, house.servers.slice(0, 1), house.now)
    house.reflectAt(1)
    house.pass(10 * SECOND)
    assert.equal(house.reflection.findings.filtering, 'address-dependent')
    house.reflectAt(2)
    house.pass(10 * SECOND)
    assert.equal(house.reflection.findings.filtering, 'address-dependent')
    assert.equal(house.asked.length, asked)
  })

  it('is forgotten with the address of the machine, and what is under way called off', () => {
    const house = new NatHouse({ nat: {} })
    house.findOut()
    assert.equal(house.openSpares, 1)
    house.reflection.change({ sockets: [] }, house.now)
    house.nat.review(house.now)
    assert.equal(house.openSpares, 0)
  })

  it('is the same where it is woken all the while', () => {
    fc.assert(
      fc.property(anyNat, (spec) => {
        const [calm, fidgety] = [new NatHouse({ nat: spec }), new NatHouse({ nat: spec })]
        fidgety.fidgets = true
        assert.deepEqual(fidgety.findOut(), calm.findOut())
        assert.deepEqual([fidgety.sent, fidgety.asked], [calm.sent, calm.asked])
        assert.deepEqual(fidgety.nat.status, calm.nat.status)
      }),
      { numRuns: 20 },
    )
  })

  it('is not touched by what strangers send to the spare socket', () => {
    const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 })
    const anyDatagram = fc.oneof(fc.uint8Array({ maxLength: 100 }), nonce.map(udpProbeDatagram))
    fc.assert(
      fc.property(fc.array(anyDatagram, { maxLength: 10 }), (datagrams) => {
        const house = new NatHouse({ nat: NAT_KINDS['port-restricted'] })
        house.join()
        house.pass(2_100)
        assert.equal(house.openSpares, 1)
        for (const datagram of datagrams)
          for (const { reflector } of house.servers) house.receiveAtSpare(datagram, reflector)
        house.pass(20 * SECOND)
        assert.equal(house.reflection.findings.filtering, 'address-and-port-dependent')
        assert.equal(house.nat.status.hairpinning, false)
      }),
      { numRuns: 20 },
    )
  })
})

describe('the lifetime of a mapping', () => {
  for (const [lifetimeS, survivedS, keepaliveS] of [
    [600, 240, 20],
    [90, 60, 20],
    [40, 30, 20],
    [20, 15, 10],
    [10, 8, 5.333],
    [5, 0, 5],
  ] as const)
    it(`of ${lifetimeS} s is found to be ${survivedS} s or more, and paths are asked in time`, () => {
      const nat = { ...NAT_KINDS['port-restricted'], lifetimeMs: lifetimeS * SECOND }
      const house = new NatHouse({ nat })
      house.findOut()
      house.pass(20 * MINUTE)
      assert.equal(house.nat.status.lifetimeMs, survivedS * SECOND)
      assert.equal(house.nat.keepaliveMs, keepaliveS * SECOND)
      assert.equal(house.openSpares, 0)
    })

  it('is never found to be longer than it is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 400 }), fc.constantFrom(...DEPENDENCES), (seconds, filtering) => {
        const house = new NatHouse({ nat: { lifetimeMs: seconds * SECOND, filtering } })
        house.findOut()
        house.pass(20 * MINUTE)
        assert.ok((house.nat.status.lifetimeMs ?? 0) <= seconds * SECOND)
      }),
      { numRuns: 20 },
    )
  })
})

describe('that no UDP gets out', () => {
  it('is told after three rounds without an answer, and so is its end', () => {
    const house = new NatHouse({ nat: {} })
    house.blocksUdp = true
    house.join()
    house.pass(SECOND)
    assert.equal(house.nat.status.udp, undefined)
    house.pass(10 * SECOND)
    assert.equal(house.nat.status.udp, false)
    house.blocksUdp = false
    house.pass(MINUTE)
    assert.equal(house.nat.status.udp, true)
    house.pass(20 * SECOND)
    assert.equal(house.reflection.findings.filtering, 'address-and-port-dependent')
  })

  it('is noticed when somebody asks where we are, and does not undo what is known', () => {
    const house = new NatHouse({ nat: {} })
    house.findOut()
    house.blocksUdp = true
    house.reflection.renew(house.now)
    house.pass(15 * SECOND)
    assert.equal(house.nat.status.udp, false)
    house.blocksUdp = false
    house.pass(MINUTE)
    assert.equal(house.nat.status.udp, true)
    assert.equal(house.reflection.findings.filtering, 'address-and-port-dependent')
  })

  it('is not told where the mesh is not connected either', () => {
    const house = new NatHouse({ nat: {} })
    house.blocksUdp = true
    house.join()
    house.leave()
    house.pass(MINUTE)
    assert.equal(house.nat.status.udp, undefined)
  })

  it('is asked for ever more rarely', () => {
    const house = new NatHouse({ nat: {} })
    house.blocksUdp = true
    house.join()
    house.pass(10 * MINUTE)
    const before = house.sent.length
    house.pass(HOUR)
    assert.ok(house.sent.length - before <= 60 * 2 * 3, `${house.sent.length - before}`)
  })
})

describe('a second NAT', () => {
  it('is told by an external address that is not the one at which we are seen', () => {
    const house = new NatHouse({ nat: {} })
    house.findOut()
    const seen = house.reflection.findings.candidates[0]?.address.ip
    const told = (ip: string | undefined) => {
      house.nat.handle({ type: 'external-address-told', ip }, house.now)
      return house.nat.status.secondNat
    }
    assert.equal(told(undefined), undefined)
    assert.equal(told(seen), false)
    assert.equal(told('100.64.0.7'), true)
    assert.equal(told('192.168.0.7'), true)
    assert.equal(told('198.51.100.77'), true)
  })
})
