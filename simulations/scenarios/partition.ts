/**
 * The internet splits in two for a while: Europe, Asia and Oceania on one side, the Americas on the other, with servers
 * on both. Then it heals.
 *
 * Users expect that those on one side go on as if nothing had happened, also those who begin to talk meanwhile, and that
 * those apart have each other back within the time that is stated for any fault: the longest pause between attempts, and
 * what an attempt takes.
 */

import { seededRandom } from '../../src/base/random.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import type { Place } from '../network/place.js'
import type { Region } from '../network/regions.js'
import type { Site } from '../network/site.js'
import { PROMISE_MS } from '../oracle/connected.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import { Tally } from './conversation.js'
import { populate } from './population.js'
import { Stage, type Talk } from './stage.js'
import { Waits } from './waits.js'

const AMERICA: ReadonlySet<Region> = new Set(['north-america-east', 'north-america-west', 'south-america'])

const SETTLING_MS = 1 * MINUTE
const PING_MS = 1 * SECOND
const BEFORE_MS = 1 * MINUTE
const AFTER_MS = 3 * MINUTE

type Names = 'nodes' | 'minutes'

export const partition: Scenario<Names> = {
  name: 'partition',
  summary: 'The internet splits in two for a while, and heals',
  parameters: {
    nodes: { what: 'hosts of the fleet', unit: 'hosts', default: 40, min: 4, max: 2_000 },
    minutes: { what: 'how long it is split', unit: 'minutes', default: 10, min: 1, max: 600 },
  },
  size: ({ nodes }) => ({ hosts: nodes, pairs: 3 * nodes }),
  begin: (setting) => new Partition(setting).run,
}

class Partition {
  readonly #stage: Stage
  readonly #splitMs: number
  readonly #tally = new Tally()
  /** Those who talk from the beginning, and those who begin in the middle of the split. */
  readonly #early: readonly Talk[]
  readonly #late: readonly Talk[]
  readonly #goOn = new Waits()
  readonly #beginApart = new Waits()
  readonly #healed = new Waits(PROMISE_MS)

  constructor({ seed, values: { nodes, minutes }, observers }: Setting<Names>) {
    const { topology } = populate(seededRandom(seed), {
      hosts: nodes,
      peers: 3,
      servers: 6,
      symmetric: 0,
    })
    this.#stage = new Stage({ topology, seed, observers })
    this.#splitMs = minutes * MINUTE
    const talks = this.#stage.talks(this.#tally)
    this.#early = talks.filter((_talk, index) => index % 3 !== 0)
    this.#late = talks.filter((_talk, index) => index % 3 === 0)
  }

  get run(): Run {
    const { queue } = this.#stage
    return {
      queue,
      traced: () => this.#stage.traced(),
      totalMs: SETTLING_MS + BEFORE_MS + this.#splitMs + AFTER_MS,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const { conversation } of this.#early) conversation.begin(PING_MS)
    yield* pass(queue, BEFORE_MS)

    this.#split()
    for (const talk of this.#early) {
      if (isApart(talk)) talk.conversation.excuse()
      else this.#expect(this.#goOn, 'the split began', talk)
    }
    yield* pass(queue, this.#splitMs / 2)
    for (const talk of this.#late) {
      if (isApart(talk)) talk.conversation.excuse()
      else this.#expect(this.#beginApart, 'a talk began', talk)
      talk.conversation.begin(PING_MS)
    }
    yield* pass(queue, this.#splitMs / 2)

    this.#stage.world.internet.heal()
    for (const talk of [...this.#early, ...this.#late])
      if (isApart(talk)) this.#expect(this.#healed, 'the split was over', talk)
    yield* pass(queue, AFTER_MS)
    for (const { conversation } of [...this.#early, ...this.#late]) conversation.end()
  }

  #split(): void {
    const { internet, servers, topology } = this.#stage.world
    const side = (region: Region | undefined): number => (region !== undefined && AMERICA.has(region) ? 1 : 0)
    const sideOf = new Map<Site | Place, number>()
    for (const site of internet.sites) sideOf.set(site, side(site.spec.region))
    for (const [index, { place }] of servers.entries())
      sideOf.set(place, side(topology.servers[index]?.region))
    internet.partition(sideOf)
  }

  #expect(waits: Waits, why: string, talk: Talk): void {
    talk.conversation.expect(waits, this.#stage.wait(why, talk))
  }

  #findings(): Findings {
    return {
      measurements: [
        ...this.#tally.measurements,
        this.#goOn.measurement('go-on', 'on one side: from the split to the next answer'),
        this.#beginApart.measurement(
          'begin-meanwhile',
          'on one side: from the begin of a talk meanwhile to its first answer',
        ),
        this.#healed.measurement('healed', 'on two sides: from the end of the split to the first answer'),
        ...this.#stage.measurements,
      ],
      tables: [],
      expectations: [
        this.#goOn.expectation('one-side-goes-on', 'those on one side go on'),
        this.#beginApart.expectation('one-side-begins', 'those on one side begin to talk meanwhile'),
        this.#healed.expectation('sides-meet-again', 'those on two sides meet again'),
        ...this.#stage.expectations,
      ],
    }
  }
}

function isApart({ from, to }: Talk): boolean {
  const isAmerican = (machine: Talk['from']): boolean =>
    machine.places.some(({ site }) => site !== undefined && AMERICA.has(site.spec.region))
  return isAmerican(from) !== isAmerican(to)
}
