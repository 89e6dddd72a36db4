import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { endpointMap } from '../../../simulations/network/endpointMap.js'
import type { Dependence } from '../../../simulations/topology.js'
import type { SocketAddress } from '../../../src/base/address.js'

/** The same with keys in words. */
const KEYS: Readonly<Record<Dependence, (endpoint: SocketAddress) => string>> = {
  'endpoint-independent': () => 'anybody',
  'address-dependent': ({ ip }) => ip,
  'address-and-port-dependent': ({ ip, port }) => `${ip} ${port}`,
}

const endpoint = fc.record({ ip: fc.constantFrom('a', 'b', 'c'), port: fc.integer({ min: 1, max: 3 }) })
const step = fc.record({ endpoint, value: fc.option(fc.nat(), { nil: undefined }) })

describe('a map of endpoints', () => {
  for (const [dependence, key] of Object.entries(KEYS) as [Dependence, (of: SocketAddress) => string][]) {
    it(`that is ${dependence} holds what a plain map holds`, () => {
      fc.assert(
        fc.property(fc.array(step), endpoint, (steps, asked) => {
          const map = endpointMap<number>(dependence)
          const twin = new Map<string, number>()
          for (const { endpoint, value } of steps) {
            if (value === undefined) map.delete(endpoint)
            else map.set(endpoint, value)
            if (value === undefined) twin.delete(key(endpoint))
            else twin.set(key(endpoint), value)
            assert.equal(map.get(asked), twin.get(key(asked)))
            assert.equal(map.isEmpty, twin.size === 0)
          }
        }),
      )
    })
  }
})
