import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { elapsed, MINUTE, SECOND } from '../../../src/base/time.js'
import { MtuSearch, probeSize } from '../../../src/engine/path/mtu.js'
import { at, START } from '../virtualTime.js'

const BASE = 1_252
/** Of an interface whose MTU is 1420. */
const WANTED = 1_452
const ROUND_TRIP_MS = 20
/** What a search down to the bottom may cost: three of each size, of which there are 10 at most. */
const MOST_PACKETS = 33

/** A path with a limit, and checks over it of which some are lost. */
class TestPath {
  readonly search: MtuSearch
  /** The largest size that it carries. */
  limit: number
  /** The largest that leaves our own device. */
  deviceLimit = Number.POSITIVE_INFINITY
  carriesAnything = true
  /** Sizes of what was sent, and when. */
  readonly sent: [ms: number, size: number][] = []
  readonly #lost: (count: number) => boolean
  #ms = 0
  #answeredAt = START
  asks = 0

  constructor(limit: number, { wanted = WANTED, lost = (_count: number): boolean => false } = {}) {
    this.limit = limit
    this.#lost = lost
    this.search = new MtuSearch(wanted, BASE, START)
  }

  /** Lets time pass until `ms` after the start. */
  run(ms: number): void {
    for (;;) {
      const next = Math.max(this.#ms, elapsed(START, this.search.nextWake))
      if (next > ms) break
      this.#ms = next
      this.#step()
      assert.ok(elapsed(START, this.search.nextWake) >= this.#ms)
    }
    this.#ms = ms
  }

  sizes(): readonly number[] {
    return this.sent.map(([, size]) => size)
  }

  #step(): void {
    const step = this.search.wake({ rttMs: ROUND_TRIP_MS, answeredAt: this.#answeredAt }, at(this.#ms))
    if (step.type === 'nothing') return
    if (step.type === 'ask') {
      this.asks += 1
      if (this.carriesAnything) this.#answeredAt = at(this.#ms + ROUND_TRIP_MS)
      return
    }
    if (step.size > this.deviceLimit) {
      this.search.tooLarge(step.size, at(this.#ms))
      return
    }
    this.sent.push([this.#ms, step.size])
    if (step.size > this.limit || !this.carriesAnything || this.#lost(this.sent.length - 1)) return
    this.#ms += ROUND_TRIP_MS
    this.#answeredAt = at(this.#ms)
    this.search.answered(step.size, at(this.#ms))
  }
}

/** Losses of which there are never three in a row. */
const losses = fc.infiniteStream(fc.boolean()).map((stream) => {
  const lost: boolean[] = []
  return (count: number): boolean => {
    while (lost.length <= count) {
      const two = lost.at(-1) === true && lost.at(-2) === true
      lost.push(!two && stream.next().value)
    }
    return lost[count] === true
  }
})

describe('what a path carries', () => {
  it('is known after one check where it is all that is wanted', () => {
    const path = new TestPath(WANTED)
    path.run(30 * SECOND)
    assert.equal(path.search.carries, WANTED)
    assert.deepEqual(path.sizes(), [WANTED])
  })

  it('is not known before', () => {
    const path = new TestPath(1_300)
    path.run(SECOND)
    assert.equal(path.search.carries, undefined)
  })

  it('is found to the last byte that STUN can tell, whatever is lost, with few checks, none larger than wanted', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 508, max: 9_000 }),
        fc.integer({ min: 508, max: 9_000 }).map(probeSize),
        losses,
        (limit, wanted, lost) => {
          const path = new TestPath(limit, { wanted, lost })
          path.run(50 * SECOND)
          const right = Math.min(wanted, Math.floor(limit / 4) * 4)
          assert.equal(path.search.carries, right)
          assert.ok(path.sizes().every((size) => size <= wanted && size % 4 === 0))
          // Halves of up to 9,000 bytes take a few more sizes than those of what interfaces usually have.
          assert.ok(path.sent.length <= 3 * 14, `${path.sent.length} checks`)
        },
      ),
    )
  })

  it(`of an interface with the usual MTU is found with at most ${MOST_PACKETS} checks`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 508, max: WANTED }), (limit) => {
        const path = new TestPath(limit)
        path.run(50 * SECOND)
        assert.ok(path.sent.length <= MOST_PACKETS, `${path.sent.length} checks`)
      }),
    )
  })

  it('is taken to be 508 bytes where not even that much is known to arrive', () => {
    const path = new TestPath(400)
    path.run(50 * SECOND)
    assert.equal(path.search.carries, 508)
  })

  it('is found without a wait where our own network device takes no more', () => {
    const path = new TestPath(WANTED)
    path.deviceLimit = 1_372
    path.run(50 * SECOND)
    assert.equal(path.search.carries, 1_372)
    assert.ok(path.sizes().every((size) => size <= 1_372))
    assert.ok(path.sent.length <= 8)
  })
})

describe('a path that answers nothing', () => {
  it('says nothing of sizes', () => {
    const path = new TestPath(WANTED)
    path.carriesAnything = false
    path.run(20 * SECOND)
    assert.deepEqual(path.sizes(), [WANTED, WANTED, WANTED])
    assert.ok(path.asks > 0)
    path.carriesAnything = true
    path.search.interrupted()
    path.run(40 * SECOND)
    assert.equal(path.search.carries, WANTED)
  })
})

describe('a path that is known', () => {
  it('is asked once a minute whether it still carries that', () => {
    const path = new TestPath(WANTED)
    path.run(10 * MINUTE)
    assert.deepEqual(path.sizes(), new Array(10).fill(WANTED))
  })

  it('that swallows what it carried is searched anew', () => {
    const path = new TestPath(WANTED)
    path.run(30 * SECOND)
    path.limit = 1_372
    path.run(2 * MINUTE)
    assert.equal(path.search.carries, 1_372)
  })

  it('that swallows what it carried is found out sooner where there is a sign of it', () => {
    const path = new TestPath(WANTED)
    path.run(30 * SECOND)
    path.limit = 1_372
    path.search.doubt(at(30 * SECOND))
    path.run(45 * SECOND)
    assert.equal(path.search.carries, 1_372)
  })

  it('is asked no more than every ten seconds, however many signs there are', () => {
    const path = new TestPath(WANTED)
    for (let ms = 0; ms < MINUTE; ms += 100) {
      path.run(ms)
      path.search.doubt(at(ms))
    }
    assert.ok(path.sent.length <= 7, `${path.sent.length} checks`)
  })

  it('that comes to carry more is found out within ten minutes, with few checks before', () => {
    const path = new TestPath(1_372)
    path.run(MINUTE)
    const searched = path.sent.length
    path.run(9 * MINUTE)
    assert.ok(path.sent.length - searched <= 10)
    path.limit = 1_400
    path.run(12 * MINUTE)
    assert.equal(path.search.carries, 1_400)
    path.limit = 9_000
    path.run(24 * MINUTE)
    assert.equal(path.search.carries, WANTED)
  })

  it('is known for a smaller size at once, and asked about a larger one', () => {
    const path = new TestPath(1_600, { wanted: 1_372 })
    path.run(SECOND)
    path.search.want(1_300, at(SECOND))
    assert.equal(path.search.carries, 1_300)
    path.search.want(WANTED, at(SECOND))
    assert.equal(path.search.carries, undefined)
    path.run(2 * SECOND)
    assert.equal(path.search.carries, WANTED)
  })
})
