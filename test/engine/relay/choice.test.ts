import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { chooseRelays, compareRelays, type RatedOffer } from '../../../src/engine/relay/choice.js'

describe('the choice of relays', () => {
  it('is the same in whatever order the offers came', () => {
    fc.assert(
      fc.property(shuffled(), ([one, other]) => {
        assert.deepEqual(chooseRelays(one, 2, []), chooseRelays(other, 2, []))
      }),
    )
  })

  it('takes no two at one address, and none at an address that is taken', () => {
    fc.assert(
      fc.property(offers(), fc.subarray(IPS), (all, taken) => {
        const ips = chooseRelays(all, 3, taken).flatMap(ipsOf)
        assert.equal(new Set(ips).size, ips.length)
        assert.ok(ips.every((ip) => !taken.includes(ip)))
      }),
    )
  })

  it('leaves none out that is better than one it takes, unless that would be a second one at an address', () => {
    fc.assert(
      fc.property(offers(), fc.integer({ min: 1, max: 3 }), (all, count) => {
        const chosen = chooseRelays(all, count, [])
        const taken = new Set(chosen.flatMap(ipsOf))
        for (const left of all) {
          if (chosen.includes(left) || ipsOf(left).some((ip) => taken.has(ip))) continue
          assert.equal(chosen.length, count)
          for (const each of chosen) assert.ok(compareRelays(each, left) <= 0)
        }
      }),
    )
  })

  it('prefers the shorter round trip, and where that is alike the smaller load', () => {
    const near = rated({ number: 1, rttMs: 20, load: 200 })
    const far = rated({ number: 2, rttMs: 60, load: 0 })
    const alike = rated({ number: 3, rttMs: 61, load: 10 })
    const unknown = rated({ number: 4, rttMs: undefined, load: 0 })
    assert.deepEqual(chooseRelays([unknown, alike, far, near], 4, []), [near, far, alike, unknown])
  })

  it('avoids those that carried nothing, and those at private addresses, while there are others', () => {
    const good = rated({ number: 1, rttMs: 200 })
    const avoided = rated({ number: 2, rttMs: 10, isAvoided: true })
    const near = rated({ number: 3, rttMs: 1, ip: '192.168.1.1' })
    assert.deepEqual(chooseRelays([avoided, near, good], 1, []), [good])
    assert.deepEqual(chooseRelays([avoided, near], 1, []), [near])
    assert.deepEqual(chooseRelays([avoided], 1, []), [avoided])
  })
})

const IPS = ['203.0.113.1', '203.0.113.2', '203.0.113.3', '2001:db8::1', '192.168.1.1']

interface Sketch {
  readonly number: number
  readonly rttMs: number | undefined
  readonly load?: number
  readonly ip?: string
  readonly isAvoided?: boolean
}

function rated({
  number,
  rttMs,
  load = 0,
  ip = `203.0.113.${number}`,
  isAvoided = false,
}: Sketch): RatedOffer {
  const address = { ip, port: 51_821 }
  const identity = new Uint8Array(32).fill(number)
  const offer = { identity, publicKey: new Uint8Array(32), addresses: [address], load }
  return { offer, routes: [{ socket: 1, remote: address }], rttMs, isAvoided }
}

/** Each of another identity. */
function offers(): fc.Arbitrary<readonly RatedOffer[]> {
  return fc.uniqueArray(
    fc
      .record({
        number: fc.integer({ min: 1, max: 200 }),
        rttMs: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }),
        load: fc.nat({ max: 255 }),
        ip: fc.constantFrom(...IPS),
        isAvoided: fc.boolean(),
      })
      .map(rated),
    { maxLength: 8, selector: ({ offer }) => offer.identity[0] },
  )
}

function shuffled(): fc.Arbitrary<readonly [readonly RatedOffer[], readonly RatedOffer[]]> {
  return offers().chain((all) =>
    fc.tuple(
      fc.constant(all),
      fc.shuffledSubarray([...all], { minLength: all.length, maxLength: all.length }),
    ),
  )
}

function ipsOf({ offer }: RatedOffer): readonly string[] {
  return offer.addresses.map(({ ip }) => ip)
}
