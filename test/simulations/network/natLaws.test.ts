import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { Nat } from '../../../simulations/network/nat.js'
import type { Dependence, NatSpec } from '../../../simulations/topology.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { seededRandom } from '../../../src/base/random.js'
import { SlowNat } from './slowNat.js'

const LIFETIME_MS = 100
const POOL = ['203.0.113.1', '203.0.113.2']

const DEPENDENCES: readonly Dependence[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]

/** Few of each, so that they meet. */
const innerSocket = fc
  .tuple(fc.constantFrom('192.168.0.2', '192.168.0.3'), fc.constantFrom(5_000, 5_001))
  .map(([ip, port]): SocketAddress => ({ ip, port }))
const remoteSocket = fc
  .tuple(fc.constantFrom('198.51.100.1', '198.51.100.2'), fc.constantFrom(1, 2))
  .map(([ip, port]): SocketAddress => ({ ip, port }))

type Step =
  | { readonly type: 'send'; readonly inner: SocketAddress; readonly remote: SocketAddress }
  | { readonly type: 'hear'; readonly remote: SocketAddress; readonly which: number }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'reboot' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 25,
    arbitrary: fc.record({ type: fc.constant('send' as const), inner: innerSocket, remote: remoteSocket }),
  },
  {
    weight: 25,
    arbitrary: fc.record({ type: fc.constant('hear' as const), remote: remoteSocket, which: fc.nat(9) }),
  },
  {
    weight: 15,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 30, 60, LIFETIME_MS, LIFETIME_MS + 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reboot' as const) }) },
)
const steps = fc.array(step, { maxLength: 60 })

const others = {
  ports: fc.constantFrom('preserving' as const, 'sequential' as const, 'random' as const),
  portStep: fc.constantFrom(1, 2, -1, -3, 1_000),
  lifetimeMs: fc.constant(LIFETIME_MS),
  refreshedBy: fc.constantFrom('outbound' as const, 'both' as const),
  hairpin: fc.boolean(),
  maxMappings: fc.constantFrom(2, 3, 100),
  addresses: fc.constantFrom(1, 2),
}
const anyNat: fc.Arbitrary<NatSpec> = fc.record({
  mapping: fc.constantFrom(...DEPENDENCES),
  filtering: fc.constantFrom(...DEPENDENCES),
  ...others,
})

function datagram(from: SocketAddress, to: SocketAddress): Datagram {
  return { from, to, bytes: new Uint8Array(0), author: 'somebody' }
}

function natOf(spec: NatSpec, seed: number) {
  const clock = { elapsed: 0 }
  return { clock, nat: new Nat(spec, POOL.slice(0, spec.addresses), clock, seededRandom(seed)) }
}

describe('a NAT behaves as its slow, obvious twin', () => {
  for (const mapping of DEPENDENCES) {
    for (const filtering of DEPENDENCES) {
      it(`with ${mapping} mapping and ${filtering} filtering`, () => {
        const spec = fc.record({
          mapping: fc.constant(mapping),
          filtering: fc.constant(filtering),
          ...others,
        })
        fc.assert(fc.property(spec, steps, fc.nat(), (spec, steps, seed) => sameAsTwin(spec, steps, seed)))
      })
    }
  }
})

function sameAsTwin(spec: NatSpec, steps: readonly Step[], seed: number): void {
  const { clock, nat } = natOf(spec, seed)
  const twin = new SlowNat(spec)
  let preserves = spec.ports === 'preserving'
  /** All that ever was an outer address and port. */
  const everOuter: SocketAddress[] = [{ ip: '203.0.113.1', port: 5_000 }]
  for (const step of steps) {
    const now = clock.elapsed
    switch (step.type) {
      case 'send': {
        const { inner, remote } = step
        const outer = nat.outbound(datagram(inner, remote))?.from
        const expected = twin.outbound(inner, remote, now, () => {
          assert.ok(outer !== undefined, 'it was refused a mapping')
          const taken = twin.outerSockets.filter(({ ip }) => ip === outer.ip).map(({ port }) => port)
          assert.ok(!taken.includes(outer.port), 'a port is overloaded')
          if (preserves && !taken.includes(inner.port)) assert.equal(outer.port, inner.port)
          return outer
        })
        assert.deepEqual(outer, expected)
        if (outer !== undefined) everOuter.push(outer)
        break
      }
      case 'hear': {
        const outer = everOuter[step.which % everOuter.length] ?? assert.fail()
        const heard = nat.inbound(datagram(step.remote, outer))
        assert.deepEqual(heard?.to, twin.inbound(step.remote, outer, now))
        if (heard !== undefined) assert.deepEqual(heard.from, step.remote)
        break
      }
      case 'wait':
        clock.elapsed += step.ms
        break
      case 'reboot':
        nat.reboot()
        twin.forget()
        preserves = false
    }
    assert.equal(nat.mappings, twin.count(clock.elapsed))
    assert.equal(nat.mappingsOf('192.168.0.2'), twin.count(clock.elapsed, '192.168.0.2'))
  }
}

describe('whatever NAT it is', () => {
  it('an answer to what was sent gets back in within the lifetime', () => {
    fc.assert(
      fc.property(
        anyNat,
        steps,
        innerSocket,
        remoteSocket,
        fc.nat(LIFETIME_MS),
        (spec, steps, inner, remote, wait) => {
          const { clock, nat } = natOf(spec, 1)
          play(nat, clock, steps)
          const outer = nat.outbound(datagram(inner, remote))?.from
          if (outer === undefined) {
            assert.ok(nat.mappings >= spec.maxMappings)
            return
          }
          clock.elapsed += wait
          assert.deepEqual(nat.inbound(datagram(remote, outer))?.to, inner)
        },
      ),
    )
  })

  it('nothing gets in when nothing was sent for the lifetime', () => {
    fc.assert(
      fc.property(anyNat, steps, remoteSocket, (spec, steps, remote) => {
        const { clock, nat } = natOf(spec, 1)
        const outer = play(nat, clock, steps)
        clock.elapsed += LIFETIME_MS + 1
        for (const one of outer) assert.equal(nat.inbound(datagram(remote, one)), undefined)
        assert.equal(nat.mappings, 0)
      }),
    )
  })

  it('two inner sockets never share an outer one while both have a mapping', () => {
    fc.assert(
      fc.property(anyNat, steps, (spec, steps) => {
        const { clock, nat } = natOf(spec, 1)
        const owners = new Map<string, { readonly inner: string; readonly until: number }>()
        for (const step of steps) {
          if (step.type === 'reboot') owners.clear()
          const outer =
            step.type === 'send' ? nat.outbound(datagram(step.inner, step.remote))?.from : undefined
          if (outer === undefined || step.type !== 'send') {
            play(nat, clock, step.type === 'send' ? [] : [step])
            continue
          }
          const key = `${outer.ip} ${outer.port}`
          const inner = `${step.inner.ip} ${step.inner.port}`
          const owner = owners.get(key)
          assert.ok(owner === undefined || owner.inner === inner || owner.until < clock.elapsed)
          owners.set(key, { inner, until: clock.elapsed + LIFETIME_MS })
        }
      }),
    )
  })

  it('there are never more mappings than it can hold, and an inner host has one outer address', () => {
    fc.assert(
      fc.property(anyNat, steps, (spec, steps) => {
        const { clock, nat } = natOf(spec, 1)
        for (const step of steps) {
          const outer = play(nat, clock, [step])
          assert.ok(nat.mappings <= spec.maxMappings)
          assert.ok(outer.every(({ ip }) => nat.addresses.includes(ip)))
        }
        const addressesOf = (ip: string) =>
          new Set(
            [5_000, 5_001].flatMap(
              (port) => nat.outbound(datagram({ ip, port }, { ip: '198.51.100.9', port: 9 }))?.from.ip ?? [],
            ),
          )
        for (const ip of ['192.168.0.2', '192.168.0.3']) assert.ok(addressesOf(ip).size <= 1)
      }),
    )
  })

  it('the same seed gives the same ports', () => {
    fc.assert(
      fc.property(anyNat, steps, fc.nat(), (spec, steps, seed) => {
        const run = () => {
          const { clock, nat } = natOf(spec, seed)
          return play(nat, clock, steps)
        }
        assert.deepEqual(run(), run())
      }),
    )
  })
})

/** Has all steps happen; gives the outer addresses and ports that were seen. */
function play(nat: Nat, clock: { elapsed: number }, steps: readonly Step[]): readonly SocketAddress[] {
  const outer: SocketAddress[] = []
  for (const step of steps) {
    if (step.type === 'send') {
      const seen = nat.outbound(datagram(step.inner, step.remote))?.from
      if (seen !== undefined) outer.push(seen)
    } else if (step.type === 'hear') {
      const to = outer[step.which % Math.max(1, outer.length)]
      if (to !== undefined) nat.inbound(datagram(step.remote, to))
    } else if (step.type === 'wait') clock.elapsed += step.ms
    else nat.reboot()
  }
  return outer
}
