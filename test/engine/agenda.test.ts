import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { earliest, type Instant, type Now } from '../../src/base/time.js'
import { Agenda, type Appointment } from '../../src/engine/agenda.js'
import { at, nowAt } from './virtualTime.js'

/** What happens to whom of eight: it comes, goes, wants to be woken then or not at all; or time passes. */
const happening = fc.oneof(
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('added', 'removed'), who: fc.nat(7) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('wants'),
      who: fc.nat(7),
      inMs: fc.option(fc.nat(20), { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('passed'), ms: fc.nat(10) }) },
)

describe('an agenda', () => {
  it('tells what asking everyone would tell, and wakes each who is due once, in the order of adding', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
        const agenda = new Agenda()
        let ms = 0
        const sleepers: TestSleeper[] = []
        for (const event of happenings) {
          if ('ms' in event) {
            ms += event.ms
            const due = sleepers.filter(({ nextWake }) => nextWake !== undefined && nextWake <= at(ms))
            const woken: TestSleeper[] = []
            for (const sleeper of sleepers) sleeper.onWake = () => woken.push(sleeper)
            agenda.wake(nowAt(ms))
            assert.deepEqual(woken, due)
          } else {
            const { who, type } = event
            const known = sleepers.find((sleeper) => sleeper.who === who)
            if ('inMs' in event) known?.want(event.inMs === undefined ? undefined : at(ms + event.inMs))
            else if (type === 'added' && known === undefined) sleepers.push(new TestSleeper(who, agenda))
            else if (type === 'removed' && known !== undefined) {
              known.appointment.end()
              sleepers.splice(sleepers.indexOf(known), 1)
            }
          }
          const first = sleepers.reduce<Instant | undefined>(
            (next, { nextWake }) => earliest(next, nextWake),
            undefined,
          )
          // To ask is not needed for it to be right later.
          if (ms % 2 === 0) assert.equal(agenda.nextWake, first)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('asks nobody to whom nothing happened', () => {
    const agenda = new Agenda()
    const sleepers = Array.from({ length: 100 }, (_, who) => new TestSleeper(who, agenda))
    for (const sleeper of sleepers) sleeper.want(at(sleeper.who))
    assert.equal(agenda.nextWake, at(0))
    for (const sleeper of sleepers) sleeper.asked = 0
    sleepers[50]?.want(at(-1))
    assert.equal(agenda.nextWake, at(-1))
    agenda.wake(nowAt(-1))
    assert.equal(agenda.nextWake, at(0))
    const asked = sleepers.filter((sleeper) => sleeper.asked > 0).map(({ who }) => who)
    assert.deepEqual(asked, [50])
  })

  it('wakes nobody whom another one, woken before, has put off', () => {
    const agenda = new Agenda()
    const first = new TestSleeper(0, agenda)
    const second = new TestSleeper(1, agenda)
    for (const sleeper of [second, first]) sleeper.want(at(0))
    first.onWake = () => second.want(at(10))
    second.onWake = () => assert.fail('it was put off')
    agenda.wake(nowAt(5))
    assert.equal(agenda.nextWake, at(10))
  })
})

class TestSleeper {
  readonly who: number
  readonly appointment: Appointment
  asked = 0
  onWake: () => void = () => undefined
  #nextWake: Instant | undefined = undefined

  constructor(who: number, agenda: Agenda) {
    this.who = who
    this.appointment = agenda.add(this)
  }

  get nextWake(): Instant | undefined {
    this.asked += 1
    return this.#nextWake
  }

  want(at: Instant | undefined): void {
    this.#nextWake = at
    this.appointment.touch()
  }

  wake(_now: Now): void {
    this.want(undefined)
    this.onWake()
  }
}
