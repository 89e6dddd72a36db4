import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Line, Link, LOST, perfectLink, sizeOnLink } from '../../../simulations/network/link.js'
import type { LinkSpec } from '../../../simulations/topology.js'
import { seededRandom } from '../../../src/base/random.js'

const share = fc.constantFrom(0, 0.01, 0.2, 0.5, 1)
const anyLink: fc.Arbitrary<LinkSpec> = fc.record({
  delayMs: fc.constantFrom(0, 0.3, 12.5, 100),
  jitterMs: fc.constantFrom(0, 0.7, 30),
  loss: share,
  lossBurst: fc.constantFrom(1, 3, 8.5),
  reorder: share,
  reorderMs: fc.constantFrom(0, 5, 40),
  duplicate: share,
  rate: fc.constantFrom(0, 10_000, 1_000_000),
  queue: fc.constantFrom(0, 3_000, 100_000),
})
/** Waits before each datagram, in milliseconds, and sizes, in bytes. */
const traffic = fc.array(fc.tuple(fc.constantFrom(0, 0.1, 1, 20), fc.integer({ min: 28, max: 1_500 })), {
  maxLength: 100,
})

interface Arrival {
  readonly sentAt: number
  readonly size: number
  readonly at: number
  readonly isCopy: boolean
}

/** All that arrives, in the order of sending. */
function arrivals(link: Link, datagrams: readonly (readonly [wait: number, size: number])[]): Arrival[] {
  const arrived: Arrival[] = []
  let now = 0
  for (const [wait, size] of datagrams) {
    now += wait
    const takesMs = link.pass(now, size)
    if (takesMs !== LOST) arrived.push({ sentAt: now, size, at: now + takesMs, isCopy: false })
    if (link.copyMs !== LOST) arrived.push({ sentAt: now, size, at: now + link.copyMs, isCopy: true })
  }
  return arrived
}

function link(spec: Partial<LinkSpec>, seed = 1): Link {
  return new Link({ ...perfectLink(10), ...spec }, seededRandom(seed))
}

/** What becomes of so many datagrams, one a millisecond: true for each that arrives. */
function fates(spec: Partial<LinkSpec>, count: number, seed = 1): boolean[] {
  const tried = link(spec, seed)
  return Array.from({ length: count }, (_, at) => tried.pass(at, 100) !== LOST)
}

/** The lengths of the runs of losses. */
function bursts(fates: readonly boolean[]): number[] {
  const lengths: number[] = []
  let length = 0
  for (const arrives of [...fates, true]) {
    if (!arrives) length += 1
    else if (length > 0) lengths.push(length)
    if (arrives) length = 0
  }
  return lengths
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length
}

describe('a link', () => {
  it('that is perfect adds its delay to all and nothing else', () => {
    const arrived = arrivals(link({}), [
      [0, 100],
      [0, 1_500],
      [5, 100],
    ])
    assert.deepEqual(
      arrived.map(({ at }) => at),
      [10, 10, 15],
    )
  })

  it('does the same again for the same seed, and other things for another', () => {
    fc.assert(
      fc.property(anyLink, traffic, fc.nat(), (spec, datagrams, seed) => {
        const again = () => arrivals(new Link(spec, seededRandom(seed)), datagrams)
        assert.deepEqual(again(), again())
      }),
    )
    assert.notDeepEqual(fates({ loss: 0.5 }, 100, 1), fates({ loss: 0.5 }, 100, 2))
  })

  it('delivers nothing before its delay, and nothing later than its parts allow', () => {
    fc.assert(
      fc.property(anyLink, traffic, fc.nat(), (spec, datagrams, seed) => {
        const longestWait = spec.rate === 0 ? 0 : ((Math.max(spec.queue, 1_500) * 1_000) / spec.rate) * 2
        for (const { sentAt, at } of arrivals(new Link(spec, seededRandom(seed)), datagrams)) {
          assert.ok(at - sentAt >= spec.delayMs - 1e-9)
          // Datagrams that keep their order are a microsecond apart.
          const most = spec.delayMs + spec.jitterMs + spec.reorderMs + longestWait + 0.2
          assert.ok(at - sentAt <= most, `${at - sentAt} ms`)
        }
      }),
    )
  })

  it('keeps the order whatever the jitter, unless it reorders', () => {
    fc.assert(
      fc.property(anyLink, traffic, fc.nat(), (spec, datagrams, seed) => {
        const inOrder = { ...spec, reorder: 0, duplicate: 0 }
        const times = arrivals(new Link(inOrder, seededRandom(seed)), datagrams).map(({ at }) => at)
        assert.deepEqual(
          times,
          [...times].sort((a, b) => a - b),
        )
      }),
    )
  })

  it('spreads jitter evenly from nothing to its most', () => {
    const jittery = link({ jitterMs: 8 })
    // Far enough apart that none waits for the one before.
    const added = Array.from({ length: 20_000 }, (_, at) => jittery.pass(at * 100, 100) - 10)
    assert.ok(added.every((ms) => ms >= 0 && ms < 8))
    for (let from = 0; from < 8; from++) {
      const share = added.filter((ms) => ms >= from && ms < from + 1).length / added.length
      assert.ok(Math.abs(share - 1 / 8) < 0.01, `${share} from ${from} ms`)
    }
  })
})

describe('loss on a link', () => {
  for (const [loss, lossBurst] of [
    [0.01, 1],
    [0.01, 5],
    [0.1, 2],
    [0.3, 10],
    [0.5, 4],
  ] as const) {
    it(`of ${loss} in runs of ${lossBurst} is as much and in as long runs, in the long run`, () => {
      const fate = fates({ loss, lossBurst }, 200_000)
      const lost = fate.filter((arrives) => !arrives).length / fate.length
      assert.ok(Math.abs(lost - loss) < 0.1 * loss, `${lost} lost`)
      const length = mean(bursts(fate))
      assert.ok(Math.abs(length - lossBurst) < 0.1 * lossBurst, `${length} in a row`)
    })
  }

  it('in runs too short for its share comes in the shortest that add up to it', () => {
    const fate = fates({ loss: 0.8, lossBurst: 1 }, 200_000)
    const lost = fate.filter((arrives) => !arrives).length / fate.length
    assert.ok(Math.abs(lost - 0.8) < 0.01, `${lost} lost`)
    assert.ok(Math.abs(mean(bursts(fate)) - 4) < 0.2)
  })

  it('of all lets nothing through, and of nothing everything', () => {
    assert.ok(fates({ loss: 1, lossBurst: 3 }, 1_000).every((arrives) => !arrives))
    assert.ok(fates({ loss: 0, lossBurst: 3 }, 1_000).every((arrives) => arrives))
  })

  it('is as likely at the first datagram as at any', () => {
    const first = Array.from({ length: 4_000 }, (_, seed) => fates({ loss: 0.3, lossBurst: 20 }, 1, seed)[0])
    const lost = first.filter((arrives) => arrives === false).length / first.length
    assert.ok(Math.abs(lost - 0.3) < 0.03, `${lost} lost`)
  })
})

describe('the rate of a link', () => {
  it('is never exceeded, and never left unused while datagrams wait', () => {
    const spec = fc.record({
      rate: fc.constantFrom(1_000, 30_000, 1_000_000),
      queue: fc.constantFrom(0, 2_000, 50_000),
      duplicate: share,
    })
    fc.assert(
      fc.property(spec, traffic, (spec, datagrams) => {
        const arrived = arrivals(link(spec), datagrams)
        let last = Number.NEGATIVE_INFINITY
        for (const { sentAt, size, at } of arrived) {
          const began = Math.max(sentAt, last)
          last = at - 10
          assert.ok(Math.abs(last - began - (size * 1_000) / spec.rate) < 1e-6)
        }
      }),
    )
  })

  it('has what finds a full queue dropped, and nothing else', () => {
    // A thousand bytes take 100 ms; one is sent and two wait.
    const narrow = link({ rate: 10_000, queue: 3_000 })
    const took = [1, 2, 3, 4, 5].map(() => narrow.pass(0, 1_000))
    assert.deepEqual(took, [110, 210, 310, LOST, LOST])
    // After 50 ms there are 250 ms left, which is 2,500 bytes.
    assert.equal(narrow.pass(50, 501), LOST)
    assert.equal(narrow.pass(50, 500), 250 + 50 + 10)
  })

  it('lets a datagram pass that is longer than the queue, when nothing waits', () => {
    const narrow = link({ rate: 10_000, queue: 0 })
    assert.equal(narrow.pass(0, 1_000), 110)
    assert.equal(narrow.pass(99, 1), LOST)
    assert.equal(narrow.pass(100, 1_000), 110)
  })

  it('counts the headers of IP and UDP', () => {
    assert.equal(sizeOnLink(100, false), 128)
    assert.equal(sizeOnLink(100, true), 148)
  })
})

describe('late datagrams and copies on a link', () => {
  it('are as many as said', () => {
    const strange = link({ reorder: 0.2, reorderMs: 30, duplicate: 0.1 })
    const arrived = arrivals(
      strange,
      Array.from({ length: 50_000 }, () => [1, 100] as const),
    )
    const copies = arrived.filter(({ isCopy }) => isCopy).length
    assert.ok(Math.abs(copies / 50_000 - 0.1) < 0.01, `${copies} copies`)
    const late = arrived.filter(({ sentAt, at }) => at - sentAt === 40).length
    assert.ok(Math.abs(late / arrived.length - 0.2) < 0.01, `${late} late`)
    assert.ok(arrived.every(({ sentAt, at }) => at - sentAt === 40 || at - sentAt === 10))
  })

  it('come after those sent later, where they are late', () => {
    const strange = link({ jitterMs: 1, reorder: 0.5, reorderMs: 30 })
    const arrived = arrivals(
      strange,
      Array.from({ length: 1_000 }, () => [5, 100] as const),
    )
    const overtaken = arrived.filter(({ at }, index) => at > (arrived[index + 1]?.at ?? at))
    assert.ok(overtaken.length > 100, `${overtaken.length} overtaken`)
  })

  it('are never made of what is lost', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const lossy = link({ loss: 0.5, duplicate: 1 }, seed)
        for (let at = 0; at < 100; at++) assert.ok(lossy.pass(at, 100) !== LOST || lossy.copyMs === LOST)
      }),
    )
  })
})

describe('a line', () => {
  it('has two directions, which do not shift what happens in each other', () => {
    const spec = { ...perfectLink(10), loss: 0.5 }
    const outOf = (alsoIn: boolean): number[] => {
      const line = new Line(spec, seededRandom(1))
      return Array.from({ length: 100 }, (_, at) => {
        if (alsoIn) line.in.pass(at, 100)
        return line.out.pass(at, 100)
      })
    }
    assert.deepEqual(outOf(true), outOf(false))
    const line = new Line(spec, seededRandom(1))
    assert.notDeepEqual(
      Array.from({ length: 100 }, (_, at) => line.in.pass(at, 100)),
      outOf(false),
    )
  })

  it('becomes another when it is set', () => {
    const line = new Line(perfectLink(10), seededRandom(1))
    line.set({ ...perfectLink(5), rate: 1_000, queue: 0 })
    assert.equal(line.out.pass(0, 100), 105)
    assert.equal(line.in.pass(0, 100), 105)
    line.set(perfectLink(5))
    assert.equal(line.out.pass(1, 100), 5)
  })
})
