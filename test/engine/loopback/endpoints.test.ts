import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatSocketAddress, isPort, prefixContains, type SocketAddress } from '../../../src/base/address.js'
import { type PublicKey, publicKeyFromBytes } from '../../../src/base/publicKey.js'
import {
  LOOPBACK_PORTS,
  LoopbackEndpoints,
  type LoopbackPlan,
} from '../../../src/engine/loopback/endpoints.js'
import { keyBeginningWith } from '../nodes.js'

const RANGE: LoopbackPlan = { style: 'range', port: 51_822 }
const PORTS: LoopbackPlan = { style: 'ports', port: 51_822 }
/** How many addresses there are: 127.1.0.1 to 127.254.255.254, without .0 and .255. */
const ADDRESSES = 254 * 256 * 254

const publicKeys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(publicKeyFromBytes)
/** Keys of which many want the same endpoint. */
const crowdedKeys = fc
  .tuple(fc.constantFrom(0, 1, 2, ADDRESSES - 1, ADDRESSES, 0xffff_ffff), fc.nat({ max: 255 }))
  .map(([wish, last]) => keyWishing(wish, last))
const peers = fc.uniqueArray(fc.oneof(publicKeys, crowdedKeys), { maxLength: 60 })
const plans = fc.constantFrom(RANGE, PORTS)

describe('loopback endpoints', () => {
  it('have a catch-all of their own', () => {
    assert.deepEqual(new LoopbackEndpoints(RANGE).catchAll, { ip: '127.0.0.1', port: 51_822 })
    assert.deepEqual(new LoopbackEndpoints(PORTS).catchAll, { ip: '::1', port: 51_822 })
  })

  it('name one peer each, and never the catch-all', () => {
    fc.assert(
      fc.property(plans, peers, (plan, keys) => {
        const endpoints = new LoopbackEndpoints(plan)
        const names = keys.map((key) => formatSocketAddress(assigned(endpoints, key)))
        assert.equal(new Set([...names, formatSocketAddress(endpoints.catchAll)]).size, keys.length + 1)
      }),
    )
  })

  it('stay what they are', () => {
    fc.assert(
      fc.property(plans, peers, (plan, keys) => {
        const endpoints = new LoopbackEndpoints(plan)
        const given = keys.map((key) => endpoints.assign(key))
        assert.deepEqual(
          keys.map((key) => endpoints.assign(key)),
          given,
        )
      }),
    )
  })

  it('are the same after a restart', () => {
    fc.assert(
      fc.property(plans, peers, (plan, keys) => {
        assert.deepEqual(assignAll(plan, keys), assignAll(plan, keys))
      }),
    )
  })

  it('lie in 127.0.0.0/8, outside 127.0.0.0/16, and end neither in .0 nor in .255', () => {
    fc.assert(
      fc.property(peers, (keys) => {
        for (const { ip, port } of assignAll(RANGE, keys)) {
          assert.equal(port, RANGE.port)
          assert.ok(prefixContains({ ip: '127.0.0.0', length: 8 }, ip))
          assert.ok(!prefixContains({ ip: '127.0.0.0', length: 16 }, ip))
          assert.ok(!prefixContains({ ip: '127.255.0.0', length: 16 }, ip))
          assert.doesNotMatch(ip, /\.(0|255)$/)
        }
      }),
    )
  })

  it('come from the key, and where two keys want one, the next is taken', () => {
    const endpoints = new LoopbackEndpoints(RANGE)
    assert.equal(assigned(endpoints, keyWishing(0, 1)).ip, '127.1.0.1')
    assert.equal(assigned(endpoints, keyWishing(0, 2)).ip, '127.1.0.2')
    assert.equal(assigned(endpoints, keyWishing(253, 1)).ip, '127.1.0.254')
    assert.equal(assigned(endpoints, keyWishing(253, 2)).ip, '127.1.1.1')
    assert.equal(assigned(endpoints, keyWishing(ADDRESSES - 1, 1)).ip, '127.254.255.254')
    assert.equal(assigned(endpoints, keyWishing(ADDRESSES - 1, 2)).ip, '127.1.0.3')
  })

  it('are free again when they are released', () => {
    fc.assert(
      fc.property(plans, peers, fc.nat(), (plan, keys, pick) => {
        fc.pre(keys.length > 0)
        const endpoints = new LoopbackEndpoints(plan)
        const given = keys.map((key) => endpoints.assign(key))
        const gone = keys[pick % keys.length]
        assert.ok(gone)
        endpoints.release(gone)
        endpoints.release(gone)
        assert.deepEqual(endpoints.assign(gone), given[pick % keys.length])
      }),
    )
  })

  it('go to another key once they are released', () => {
    const endpoints = new LoopbackEndpoints(RANGE)
    const address = endpoints.assign(keyWishing(7, 1))
    endpoints.release(keyWishing(7, 1))
    assert.deepEqual(endpoints.assign(keyWishing(7, 2)), address)
    assert.notDeepEqual(endpoints.assign(keyWishing(7, 1)), address)
  })

  it('on ::1 are the ports above the catch-all, until all are taken', () => {
    const endpoints = new LoopbackEndpoints(PORTS)
    const keys = Array.from({ length: LOOPBACK_PORTS }, (_, index) => keyWishing(index, 0))
    const ports = new Set<number>()
    for (const key of keys) {
      const { ip, port } = assigned(endpoints, key)
      assert.equal(ip, '::1')
      assert.ok(port > PORTS.port && port <= PORTS.port + LOOPBACK_PORTS)
      ports.add(port)
    }
    assert.equal(ports.size, LOOPBACK_PORTS)
    const late = keyWishing(5, 1)
    assert.equal(endpoints.assign(late), undefined)
    const [early] = keys
    assert.ok(early)
    const { port } = assigned(endpoints, early)
    endpoints.release(early)
    assert.equal(assigned(endpoints, late).port, port)
  })

  it('on ::1 are ports that exist', () => {
    const endpoints = new LoopbackEndpoints({ style: 'ports', port: 65_530 })
    for (let index = 0; index < 5; index++)
      assert.ok(isPort(assigned(endpoints, keyWishing(9, 0, index)).port))
    assert.equal(endpoints.assign(keyWishing(9, 1)), undefined)
  })
})

describe('a loopback endpoint that something else has', () => {
  it('is exchanged for another one, which stays, and no peer gets it any more', () => {
    fc.assert(
      fc.property(plans, peers, fc.nat(), fc.integer({ min: 1, max: 8 }), (plan, keys, pick, times) => {
        fc.pre(keys.length > 0)
        const endpoints = new LoopbackEndpoints(plan)
        const others = keys.map((key) => formatSocketAddress(assigned(endpoints, key)))
        const peer = keys[pick % keys.length]
        assert.ok(peer)
        const seen = new Set(others)
        for (let time = 0; time < times; time++) {
          const other = endpoints.reassign(peer)
          assert.ok(other)
          assert.equal(endpoints.assign(peer), other)
          assert.ok(endpoints.isOurs(peer, other))
          assert.ok(!seen.has(formatSocketAddress(other)))
          seen.add(formatSocketAddress(other))
        }
        // Whoever wishes for the same one finds it taken.
        for (let last = 1; last <= 20; last++) {
          const late = formatSocketAddress(assigned(endpoints, keyWishing(0, last, 7)))
          assert.ok(!seen.has(late))
          seen.add(late)
        }
        endpoints.release(peer)
        assert.ok(!others.includes(formatSocketAddress(assigned(endpoints, peer))))
      }),
    )
  })

  it('is given up where no other is left', () => {
    const endpoints = new LoopbackEndpoints({ style: 'ports', port: 65_533 })
    const peer = keyWishing(9, 0)
    assigned(endpoints, peer)
    assert.ok(endpoints.reassign(peer))
    assert.equal(endpoints.reassign(peer), undefined)
    assert.equal(endpoints.assign(peer), undefined)
  })
})

describe('an endpoint is ours', () => {
  const peer = keyWishing(3, 1)

  it('where it was assigned, under either plan', () => {
    fc.assert(
      fc.property(plans, peers, (plan, keys) => {
        const endpoints = new LoopbackEndpoints(plan)
        for (const key of keys) assert.ok(endpoints.isOurs(key, assigned(endpoints, key)))
      }),
    )
  })

  it('where a former run may have assigned it', () => {
    const range = new LoopbackEndpoints(RANGE)
    assert.equal(range.isOurs(peer, { ip: '127.9.8.7', port: RANGE.port }), true)
    assert.equal(range.isOurs(peer, range.catchAll), true)
    const ports = new LoopbackEndpoints(PORTS)
    assert.equal(ports.isOurs(peer, { ip: '::1', port: PORTS.port + LOOPBACK_PORTS }), true)
    assert.equal(ports.isOurs(peer, ports.catchAll), true)
  })

  it("on whatever port an earlier run had, where the address is the peer's own", () => {
    fc.assert(
      fc.property(peers, fc.integer({ min: 1, max: 65_535 }), (keys, port) => {
        const endpoints = new LoopbackEndpoints(RANGE)
        const own = keys.map((key) => ({ ip: assigned(endpoints, key).ip, port }))
        for (const [index, key] of keys.entries()) {
          for (const [other, endpoint] of own.entries())
            assert.equal(endpoints.isOurs(key, endpoint), other === index || port === RANGE.port)
        }
      }),
    )
    const ports = new LoopbackEndpoints(PORTS)
    assigned(ports, peer)
    assert.equal(ports.isOurs(peer, { ip: '::1', port: PORTS.port - 1 }), false)
  })

  it('and no other is', () => {
    const foreign: readonly (readonly [LoopbackPlan, SocketAddress])[] = [
      [RANGE, { ip: '127.9.8.7', port: RANGE.port + 1 }],
      [RANGE, { ip: '203.0.113.1', port: RANGE.port }],
      [RANGE, { ip: '::1', port: RANGE.port }],
      [PORTS, { ip: '::1', port: PORTS.port - 1 }],
      [PORTS, { ip: '::1', port: PORTS.port + LOOPBACK_PORTS + 1 }],
      [PORTS, { ip: '127.9.8.7', port: PORTS.port }],
    ]
    for (const [plan, endpoint] of foreign) {
      const endpoints = new LoopbackEndpoints(plan)
      endpoints.assign(peer)
      assert.equal(endpoints.isOurs(peer, endpoint), false, formatSocketAddress(endpoint))
    }
  })
})

/** A key whose preferred endpoint is the one of a number; `last` and `middle` tell keys of one wish apart. */
function keyWishing(wish: number, last: number, middle = 0): PublicKey {
  const head = [wish >>> 24, (wish >>> 16) & 255, (wish >>> 8) & 255, wish & 255]
  return keyBeginningWith([...head, middle >>> 8, middle & 255], last)
}

function assignAll(plan: LoopbackPlan, keys: readonly PublicKey[]): readonly SocketAddress[] {
  const endpoints = new LoopbackEndpoints(plan)
  return keys.map((key) => assigned(endpoints, key))
}

/** The endpoint of a peer, where there is one left. */
function assigned(endpoints: LoopbackEndpoints, peer: PublicKey): SocketAddress {
  const endpoint = endpoints.assign(peer)
  assert.ok(endpoint)
  return endpoint
}
