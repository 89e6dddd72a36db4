import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../src/base/random.js'
import { elapsed, HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { Publication } from '../../../src/engine/directory/publication.js'
import { at, START, sleepUntil } from '../virtualTime.js'

let urgent: Publication
let later: Publication

beforeEach(() => {
  urgent = new Publication(true, seededRandom(1), START)
  later = new Publication(false, seededRandom(1), START)
})

describe('a publication for today', () => {
  it('waits until there is somebody to publish to, and then does not wait', () => {
    assert.equal(urgent.dueAt, undefined)
    assert.equal(urgent.begin(at(5)), false)
    urgent.join(at(10))
    assert.equal(urgent.dueAt, at(10))
    assert.equal(urgent.begin(at(10)), true)
    assert.equal(urgent.dueAt, undefined)
  })

  it('is repeated every ten minutes, two more or less, never at the same pace', () => {
    const waits: number[] = []
    urgent.join(START)
    let now = 0
    for (let round = 0; round < 200; round++) {
      const [due] = begun(urgent, now, now + HOUR)
      assert.ok(due !== undefined)
      if (round > 0) waits.push(due - now)
      now = due
      urgent.ended(3, at(now))
    }
    assert.ok(Math.min(...waits) >= 8 * MINUTE && Math.max(...waits) < 12 * MINUTE)
    assert.ok(new Set(waits).size > 150)
  })

  it('is tried again where nobody took it: after 500 ms, and twice as long each time, up to 30 s', () => {
    urgent.join(START)
    urgent.begin(START)
    const waits: number[] = []
    let now = 0
    for (let failures = 1; failures <= 9; failures++) {
      assert.equal(urgent.ended(0, at(now)), failures)
      const [due] = begun(urgent, now, now + HOUR)
      assert.ok(due !== undefined)
      waits.push(due - now)
      now = due
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    assert.equal(urgent.ended(1, at(now)), 0)
  })

  it('of changes that come together is one', () => {
    settled(urgent)
    for (let ms = 1_000; ms <= 1_090; ms += 10) urgent.change(at(ms))
    assert.deepEqual(begun(urgent, 1_090, 5_000), [1_100])
  })

  it('of what changes meanwhile follows when it ends', () => {
    urgent.join(START)
    urgent.begin(START)
    urgent.change(at(50))
    assert.equal(urgent.dueAt, undefined)
    urgent.ended(3, at(400))
    assert.equal(urgent.dueAt, at(500))
  })

  it('does not wait long after a failure where something changed', () => {
    urgent.join(START)
    let now = 0
    for (let count = 0; count < 6; count++) {
      begun(urgent, now, now + MINUTE)
      now += MINUTE
      urgent.ended(0, at(now))
    }
    assert.equal(urgent.dueAt, at(now + 16_000))
    urgent.change(at(now))
    assert.equal(urgent.dueAt, at(now + 100))
  })

  it('ends with the mesh, and begins with it', () => {
    settled(urgent)
    urgent.leave()
    urgent.change(at(1_100))
    assert.equal(urgent.dueAt, undefined)
    urgent.join(at(2_000))
    assert.equal(urgent.dueAt, at(2_000))
  })

  it('is not begun again by who is online already, nor ended where none is under way', () => {
    settled(urgent)
    const { dueAt } = urgent
    urgent.join(at(1_000))
    assert.equal(urgent.ended(0, at(1_000)), 0)
    assert.equal(urgent.dueAt, dueAt)
  })

  it('of an address that comes and goes is made five times at once, and then every ten seconds', () => {
    settled(urgent)
    let begins = 0
    for (let ms = 0; ms < 10 * MINUTE; ms += 200) {
      urgent.change(at(ms))
      if (!urgent.begin(at(ms))) continue
      begins += 1
      urgent.ended(1, at(ms))
    }
    assert.ok(begins >= 60 && begins <= 66, `${begins} times`)
  })

  it('is made no more often where it fails as well', () => {
    settled(urgent)
    let begins = 0
    for (let ms = 0; ms < 10 * MINUTE; ms += 200) {
      urgent.change(at(ms))
      if (!urgent.begin(at(ms))) continue
      begins += 1
      urgent.ended(0, at(ms))
    }
    assert.ok(begins <= 66, `${begins} times`)
  })
})

describe('a publication for tomorrow', () => {
  it('follows one to ten minutes after joining, and after a change, at random', () => {
    const waits = Array.from({ length: 100 }, (_, seed) => {
      const publication = new Publication(false, seededRandom(seed), START)
      publication.join(START)
      const [joined = Number.NaN] = begun(publication, 0, HOUR)
      publication.ended(1, at(joined))
      publication.change(at(joined))
      const [changed = Number.NaN] = begun(publication, joined, joined + HOUR)
      return [joined, changed - joined]
    }).flat()
    assert.ok(Math.min(...waits) >= MINUTE && Math.max(...waits) < 10 * MINUTE)
    assert.ok(new Set(waits).size > 190)
  })

  it('is not put off by more changes', () => {
    later.join(START)
    const { dueAt } = later
    later.change(at(30_000))
    assert.equal(later.dueAt, dueAt)
  })

  it('becomes one for today, and then does not wait', () => {
    settled(later)
    later.isUrgent = true
    later.change(at(HOUR))
    assert.ok(later.dueAt !== undefined && later.dueAt <= at(HOUR + 100))
  })
})

it('a publication is never due in the past once what was due was begun', () => {
  const steps = fc.array(
    fc.tuple(
      fc.nat({ max: 5 * MINUTE }),
      fc.constantFrom<(one: Publication, ms: number) => void>(
        (one, ms) => one.join(at(ms)),
        (one) => one.leave(),
        (one, ms) => one.change(at(ms)),
        (one, ms) => void one.ended(0, at(ms)),
        (one, ms) => void one.ended(1, at(ms)),
      ),
    ),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(fc.boolean(), steps, (isUrgent, taken) => {
      const publication = new Publication(isUrgent, seededRandom(1), START)
      let now = 0
      for (const [gap, happen] of taken) {
        begun(publication, now, now + gap)
        now += gap
        happen(publication, now)
      }
      begun(publication, now, now + 30 * SECOND)
    }),
  )
})

/** Wakes it when it is due; returns when it was begun, up to the first time. */
function begun(publication: Publication, fromMs: number, untilMs: number): readonly number[] {
  const times: number[] = []
  sleepUntil(
    {
      get nextWake() {
        return times.length > 0 ? undefined : publication.dueAt
      },
    },
    fromMs,
    untilMs,
    (ms) => {
      if (publication.begin(at(ms))) times.push(ms)
    },
  )
  return times
}

/** Published, taken by somebody, and nothing to do for minutes. */
function settled(publication: Publication): void {
  publication.join(START)
  const ms = publication.dueAt === undefined ? 0 : elapsed(START, publication.dueAt)
  assert.ok(publication.begin(at(ms)))
  publication.ended(5, at(ms))
}
