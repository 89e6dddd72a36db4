import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Answered,
  choosePath,
  comparePreference,
  compareWorth,
  type Rated,
} from '../../../src/engine/path/choice.js'
import { type Path, sameRoute } from '../../../src/engine/path/path.js'
import type { CandidateType } from '../../../src/wire/candidate.js'
import { at, START } from '../virtualTime.js'

const anyType = fc.constantFrom<CandidateType[]>(
  'host',
  'mapped',
  'server-reflexive',
  'peer-reflexive',
  'relayed',
  'configured',
)
const anyRtt = fc.option(fc.oneof(fc.nat({ max: 500 }), fc.double({ min: 0, max: 2_000, noNaN: true })), {
  nil: undefined,
})
const anyRated: fc.Arbitrary<Answered> = fc.record({
  answeredAt: fc.constant(START),
  path: fc.record({
    socket: fc.integer({ min: 1, max: 2 }),
    remote: fc.record({
      ip: fc.constantFrom('203.0.113.1', '192.168.1.7', '2001:db8::1', 'fd00::1', '198.51.100.1'),
      port: fc.integer({ min: 1, max: 2 }),
    }),
    type: anyType,
    proof: fc.constantFrom('check', 'handshake'),
    provedAt: fc.constant(START),
    rttMs: anyRtt,
  }),
  suspect: fc.boolean(),
})
const severalRated = fc.uniqueArray(anyRated, {
  minLength: 1,
  maxLength: 8,
  comparator: (a, b) => sameRoute(a.path, b.path),
})

describe('preference among paths', () => {
  const best: readonly (readonly [string, Rated, Rated])[] = [
    ['one that answers before a suspect one', rated({ type: 'relayed' }), rated({}, true)],
    ['a direct one before a relayed one', rated({ proof: 'handshake' }), rated({ type: 'relayed' })],
    [
      'a checked one before one that only a handshake proved',
      rated({}),
      rated({ proof: 'handshake', ...atHome() }),
    ],
    [
      'one in the same private network before the nearer one',
      rated({ ...atHome(), rttMs: 90 }),
      rated({ rttMs: 1 }),
    ],
    ['the nearer one', rated({ rttMs: 16 }), rated({ rttMs: 17 })],
    ['one of which the round trip is known', rated({ rttMs: 10_000 }), rated({ rttMs: undefined })],
    ['IPv6 before IPv4', rated({ remote: { ip: '2001:db8::1', port: 1 } }), rated({})],
    ['the lower address', rated({ remote: { ip: '203.0.113.0', port: 9 } }), rated({})],
    ['the lower port', rated({ remote: { ip: '203.0.113.1', port: 999 } }), rated({})],
    ['the older socket', rated({ socket: 0 }), rated({})],
  ]
  for (const [name, better, worse] of best) {
    it(`is for ${name}`, () => {
      assert.ok(comparePreference(better, worse) < 0)
      assert.ok(comparePreference(worse, better) > 0)
    })
  }

  it('is antisymmetric', () => {
    fc.assert(
      fc.property(anyRated, anyRated, (a, b) => {
        assert.equal(Math.sign(comparePreference(a, b)), -Math.sign(comparePreference(b, a)) || 0)
      }),
    )
  })

  it('is transitive', () => {
    fc.assert(
      fc.property(anyRated, anyRated, anyRated, (a, b, c) => {
        for (const compare of [comparePreference, compareWorth]) {
          if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.ok(compare(a, c) <= 0)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('decides between any two ways', () => {
    fc.assert(
      fc.property(anyRated, anyRated, (a, b) => {
        if (comparePreference(a, b) === 0) assert.ok(sameRoute(a.path, b.path))
      }),
    )
  })

  it('is never against worth', () => {
    fc.assert(
      fc.property(anyRated, anyRated, (a, b) => {
        if (compareWorth(a, b) < 0) assert.ok(comparePreference(a, b) < 0)
      }),
    )
  })
})

describe('worth', () => {
  it('is the same for round trips of the same power of two', () => {
    for (const [a, b] of [
      [17, 32],
      [0, 1],
      [0.2, 0.9],
    ]) {
      assert.equal(compareWorth(rated({ rttMs: a }), rated({ rttMs: b })), 0)
    }
    assert.ok(compareWorth(rated({ rttMs: 32 }), rated({ rttMs: 33 })) < 0)
  })

  it('is not in what merely breaks ties', () => {
    const other = rated({ socket: 7, remote: { ip: '2001:db8::1', port: 5 } })
    assert.equal(compareWorth(rated({}), other), 0)
  })
})

describe('the path in use', () => {
  it('is none where there is none', () => {
    assert.equal(choosePath([], undefined), undefined)
  })

  it('is the best where none was in use', () => {
    fc.assert(
      fc.property(severalRated, (all) => {
        const chosen = choosePath(all, undefined)
        assert.ok(chosen)
        for (const other of all) assert.ok(comparePreference(chosen, other) <= 0)
      }),
    )
  })

  it('is left only for one that is better in a way that matters, and then for the best', () => {
    fc.assert(
      fc.property(severalRated, fc.nat(), (all, pick) => {
        const current = all[pick % all.length]
        assert.ok(current)
        const chosen = choosePath(all, current)
        assert.ok(chosen)
        if (chosen !== current) assert.ok(compareWorth(chosen, current) < 0)
        for (const other of all) assert.ok(compareWorth(chosen, other) <= 0)
      }),
    )
  })

  it('stays once it is chosen', () => {
    fc.assert(
      fc.property(severalRated, fc.nat(), (all, pick) => {
        const chosen = choosePath(all, all[pick % all.length])
        assert.equal(choosePath(all, chosen), chosen)
      }),
    )
  })

  it('is never left for the round trip of one that has not answered when it has', () => {
    const anyTime = fc.integer({ min: 0, max: 60_000 })
    fc.assert(
      fc.property(
        severalRated,
        fc.array(anyTime, { minLength: 8, maxLength: 8 }),
        fc.nat(),
        (all, times, pick) => {
          const answered = all.map((each, index) => ({ ...each, answeredAt: at(times[index] ?? 0) }))
          const current = answered[pick % answered.length]
          assert.ok(current)
          const chosen = choosePath(answered, current)
          assert.ok(chosen)
          assert.equal(choosePath(answered, chosen), chosen)
          if (chosen === current || current.suspect) return
          const timeless = { ...chosen, path: { ...chosen.path, rttMs: current.path.rttMs } }
          const isForTime = compareWorth(timeless, current) >= 0
          assert.ok(!isForTime || chosen.answeredAt >= current.answeredAt - 2_000)
        },
      ),
    )
  })

  it('is the same in whatever order they are named', () => {
    fc.assert(
      fc.property(severalRated, fc.option(fc.nat(), { nil: undefined }), (all, pick) => {
        const current = pick === undefined ? undefined : all[pick % all.length]
        assert.equal(choosePath([...all].reverse(), current), choosePath(all, current))
      }),
    )
  })
})

function rated(path: Partial<Path>, suspect = false): Rated {
  return {
    path: {
      socket: 1,
      remote: { ip: '203.0.113.1', port: 1_000 },
      type: 'server-reflexive',
      proof: 'check',
      provedAt: START,
      rttMs: 20,
      ...path,
    },
    suspect,
  }
}

function atHome(): Partial<Path> {
  return { type: 'host', remote: { ip: '192.168.1.7', port: 1_000 } }
}
