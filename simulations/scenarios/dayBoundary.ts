/**
 * A day and more with clocks that are wrong by up to an hour, either way. Check names change each hour by each host's
 * own clock, records expire and are published anew, WireGuard rekeys every two minutes, and midnight passes.
 *
 * It begins five hours before midnight. Some pairs talk all the time; on links that lose nothing they lose nothing. The
 * others talk for a minute around each hour of the true clock. One host is off for longer than its record lives, and comes
 * back. Whoever looks for the record of a peer that is there finds it, whatever day it is by the clock of either.
 */

import { randomBelow, seededRandom } from '../../src/base/random.js'
import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import { Tally } from './conversation.js'
import { LookUpTally } from './lookUps.js'
import { populate } from './population.js'
import { Stage, type Talk } from './stage.js'
import { Waits } from './waits.js'

const SKEW_MS = 1 * HOUR
/** 2026-01-01T19:00:00Z, in milliseconds. */
const BEGINS_AT = 1_767_294_000_000
const SETTLING_MS = 1 * MINUTE
const STEADY_PING_MS = 10 * SECOND
const HOURLY_PING_MS = 1 * SECOND
/** Who talks around the hour begins up to this long before it, and talks for twice as long. */
const AROUND_MS = 30 * SECOND
/** Records live for four hours (src/engine/directory/ownRecord.ts), by the reader's clock for up to two more. */
const AWAY_MS = 7 * HOUR
const AWAY_FROM_MS = 90 * MINUTE
/** For its daemon to start, and its record to be published. */
const COMING_BACK_MS = 30 * SECOND

type Names = 'nodes' | 'hours'

export const dayBoundary: Scenario<Names> = {
  name: 'day-boundary',
  summary: 'Clocks are off by up to an hour, and names, records and a day end while hosts talk',
  parameters: {
    nodes: { what: 'hosts of the fleet', unit: 'hosts', default: 20, min: 3, max: 1_000 },
    hours: { what: 'simulated time', unit: 'hours', default: 26, min: 10, max: 168 },
  },
  size: ({ nodes }) => ({ hosts: nodes, pairs: 2 * nodes }),
  begin: (setting) => new DayBoundary(setting).run,
}

class DayBoundary {
  readonly #stage: Stage
  readonly #hours: number
  readonly #lookUps: LookUpTally
  readonly #steadyTally = new Tally()
  readonly #hourlyTally = new Tally()
  readonly #steady: readonly Talk[]
  readonly #hourly: readonly Talk[]
  readonly #aroundTheHour = new Waits()
  readonly #afterAbsence = new Waits()

  constructor({ seed, values: { nodes, hours }, observers }: Setting<Names>) {
    const { topology } = populate(seededRandom(seed), {
      hosts: nodes,
      peers: 2,
      servers: 4,
      symmetric: 0,
      lossless: true,
      clockSkewMs: SKEW_MS,
    })
    this.#stage = new Stage({ topology, seed, observers, unixStart: BEGINS_AT })
    const { world, machines, queue } = this.#stage
    this.#lookUps = new LookUpTally(machines, () => queue.elapsed)
    world.observers.push(this.#lookUps)
    this.#hours = hours
    // The last host is the one that goes away.
    const isSteady = ({ from, to }: Talk, index: number): boolean =>
      index % 2 === 0 && from !== this.#absent && to !== this.#absent
    this.#steady = this.#stage.talks(this.#steadyTally).filter(isSteady)
    this.#hourly = this.#stage.talks(this.#hourlyTally).filter((talk, index) => !isSteady(talk, index))
  }

  get run(): Run {
    const { queue } = this.#stage
    return {
      queue,
      traced: () => this.#stage.traced(),
      totalMs: SETTLING_MS + this.#hours * HOUR,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage
    const random = this.#stage.fork()
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const { conversation } of this.#steady) conversation.begin(STEADY_PING_MS)
    for (let hour = 1; hour < this.#hours; hour++)
      for (const talk of this.#hourly)
        queue.in(hour * HOUR - queue.elapsed - randomBelow(random, AROUND_MS), () => this.#talk(talk))
    queue.in(AWAY_FROM_MS, () => this.#absent.stop())
    queue.in(AWAY_FROM_MS + AWAY_MS, () => this.#comeBack())
    yield* pass(queue, this.#hours * HOUR)
  }

  get #absent() {
    return this.#stage.machine(this.#stage.machines.length - 1)
  }

  #talk(talk: Talk): void {
    if (talk.from.daemon === undefined || talk.to.daemon === undefined) return
    const { conversation } = talk
    conversation.expect(this.#aroundTheHour, this.#stage.wait('a talk began', talk))
    conversation.begin(HOURLY_PING_MS)
    this.#stage.queue.in(2 * AROUND_MS, () => conversation.end())
  }

  #comeBack(): void {
    const { queue } = this.#stage
    this.#absent.start()
    queue.in(COMING_BACK_MS, () => {
      for (const talk of this.#hourly) {
        if (talk.from !== this.#absent && talk.to !== this.#absent) continue
        const { conversation } = talk
        conversation.expect(this.#afterAbsence, this.#stage.wait('one came back', talk))
        conversation.begin(HOURLY_PING_MS)
        queue.in(MINUTE, () => conversation.end())
      }
    })
  }

  #findings(): Findings {
    const { lost } = this.#steadyTally
    return {
      measurements: [
        ...this.#steadyTally.measurements,
        this.#aroundTheHour.measurement(
          'first-answer',
          'from the begin of a talk around the hour to the first answer',
        ),
        this.#afterAbsence.measurement('after-absence', 'the same with the host that came back'),
        ...this.#lookUps.measurements,
        ...this.#stage.measurements,
      ],
      tables: [],
      expectations: [
        {
          name: 'nothing-lost',
          what: 'who talks all the time loses nothing',
          broken: lost === 0 ? [] : [`${lost} pings were lost`],
        },
        this.#aroundTheHour.expectation('talks-begin', 'who begins to talk around the hour is answered'),
        this.#afterAbsence.expectation(
          'absent-returns',
          'who was away longer than its record lives is reached',
        ),
        {
          name: 'look-ups-find',
          what: 'who looks for the record of a peer that is there finds it',
          broken: this.#lookUps.lost,
        },
        ...this.#stage.expectations,
      ],
    }
  }
}
