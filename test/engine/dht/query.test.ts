import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ASKED_AT_ONCE,
  DIALS_AT_ONCE,
  LATE_MS,
  MAX_ASKED,
  PATIENCE_MS,
  Query,
  REPLICATION,
} from '../../../src/engine/dht/query.js'

const byNumber = (a: number, b: number): number => a - b
const always = (): boolean => true

/** What a node of a made-up DHT does when it is asked: answers after a time with others' places, fails, or hangs. */
interface Conduct {
  readonly kind: 'answers' | 'fails' | 'hangs'
  readonly ms: number
  readonly names: readonly number[]
}

interface Course {
  readonly asked: readonly number[]
  readonly answered: readonly number[]
  readonly over: number
  readonly query: Query<number, number>
}

/** A network in which the distance of a node is its number; it is asked in virtual time. */
function run(
  conducts: ReadonlyMap<number, Conduct>,
  from: readonly number[],
  { asksAgain = true, startsAt = 0, early = [] as readonly number[] } = {},
): Course {
  const query = new Query<number, number>(byNumber, asksAgain, startsAt)
  for (const place of from) query.learn(place, place)
  const due: { readonly at: number; readonly end: () => void }[] = []
  const asked: number[] = []
  const answered: number[] = []
  let now = startsAt
  for (let turns = 0; turns < 10_000; turns++) {
    for (const candidate of query.next(now, always)) {
      asked.push(candidate.peer)
      const { kind, ms, names } = conducts.get(candidate.peer) ?? { kind: 'fails', ms: 1, names: [] }
      if (kind === 'hangs') continue
      const at = now + ms
      const end = (): void => {
        if (kind === 'fails') {
          query.failed(candidate, at)
          return
        }
        query.answered(candidate, at)
        answered.push(candidate.peer)
        for (const name of names) query.learn(name, name)
      }
      due.push({ at, end })
    }
    const pause = query.pause(now)
    if (pause.kind === 'over') return { asked, answered, over: now - startsAt, query }
    if (pause.kind === 'ask-again') continue
    assert(pause.wakeAt > now, 'it asks to be woken in the past')
    due.sort((a, b) => a.at - b.at)
    const [first] = due
    const woken = early.find((at) => startsAt + at > now && startsAt + at < pause.wakeAt)
    now = Math.min(pause.wakeAt, first?.at ?? Number.POSITIVE_INFINITY, startsAt + (woken ?? Infinity))
    if (first !== undefined && first.at <= now) {
      due.shift()
      first.end()
    }
  }
  return assert.fail('the query did not end')
}

const places = fc.integer({ min: 1, max: 60 })
const conduct: fc.Arbitrary<Conduct> = fc.record({
  kind: fc.constantFrom('answers', 'answers', 'answers', 'fails', 'hangs'),
  ms: fc.integer({ min: 1, max: 2 * LATE_MS }),
  names: fc.array(places, { maxLength: REPLICATION }),
})
const network = fc.array(conduct, { minLength: 60, maxLength: 60 }).map((conducts) => {
  return new Map(conducts.map((each, index) => [index + 1, each]))
})

test('whatever nodes do, a query ends, asks nobody more than twice, and never too many', () => {
  fc.assert(
    fc.property(network, fc.array(places, { maxLength: REPLICATION }), (conducts, from) => {
      const { asked, query } = run(conducts, from)
      assert.equal(query.asked, asked.length)
      assert(asked.length <= MAX_ASKED)
      for (const place of new Set(asked)) assert(asked.filter((each) => each === place).length <= 2)
    }),
  )
})

test('where all answer in time, those who answered include the closest of all that were named', () => {
  fc.assert(
    fc.property(network, fc.array(places, { minLength: 1, maxLength: REPLICATION }), (conducts, from) => {
      const good = new Map(
        [...conducts].map(([place, each]) => [place, { ...each, kind: 'answers', ms: 10 } as const]),
      )
      const { answered } = run(good, from)
      const named = new Set(from)
      for (const place of answered) for (const name of good.get(place)?.names ?? []) named.add(name)
      const closest = [...named].sort(byNumber).slice(0, REPLICATION)
      assert.deepEqual(
        closest.filter((place) => !answered.includes(place)),
        [],
      )
    }),
  )
})

test('to wake it early, or all at another time, changes nothing', () => {
  const early = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 20 })
  fc.assert(
    fc.property(
      network,
      fc.array(places, { minLength: 1, maxLength: 8 }),
      early,
      fc.nat(1e6),
      (conducts, from, times, shift) => {
        const plain = run(conducts, from)
        const sorted = times.toSorted(byNumber)
        assert.deepEqual(run(conducts, from, { early: sorted }).asked, plain.asked)
        const shifted = run(conducts, from, { startsAt: shift })
        assert.deepEqual([shifted.asked, shifted.over], [plain.asked, plain.over])
      },
    ),
  )
})

test('a few are asked at once, fewer of them dialled; one that is late makes room', () => {
  for (const [connected, expected] of [
    [true, ASKED_AT_ONCE],
    [false, DIALS_AT_ONCE],
  ] as const) {
    const query = new Query<number, number>(byNumber, true, 0)
    for (let place = 1; place <= 20; place++) query.learn(place, place)
    assert.equal(query.next(0, () => connected).length, expected)
    assert.equal(query.next(LATE_MS - 1, () => connected).length, 0)
    assert.equal(query.next(LATE_MS, () => connected).length, expected)
  }
})

test('a node that is late is no longer one of the closest, until it answers', () => {
  const query = new Query<number, number>(byNumber, true, 0)
  query.learn(1, 1)
  const [only = assert.fail()] = query.next(0, always)
  assert.equal(query.isClose(only, LATE_MS - 1), true)
  assert.equal(query.isClose(only, LATE_MS), false)
  query.answered(only, LATE_MS + 1)
  assert.equal(query.isClose(only, 10 * LATE_MS), true)
})

test('those that failed are asked once more, where that is wanted, and then it is over', () => {
  const conducts = new Map([[1, { kind: 'fails', ms: 5, names: [] }]] as const)
  assert.deepEqual(run(conducts, [1]).asked, [1, 1])
  assert.deepEqual(run(conducts, [1], { asksAgain: false }).asked, [1])
})

test('with all hanging, it ends when patience does, twice', () => {
  const conducts = new Map([[1, { kind: 'hangs', ms: 0, names: [] }]] as const)
  assert.equal(run(conducts, [1]).over, 2 * PATIENCE_MS)
})

test('who was not asked, or has ended, changes nothing', () => {
  const query = new Query<number, number>(byNumber, true, 0)
  query.learn(1, 1)
  const [only = assert.fail()] = query.next(0, always)
  query.failed(only, 1)
  query.answered(only, 2)
  assert.deepEqual(query.pause(3), { kind: 'ask-again', forgiven: [1] })
})
