/**
 * A fleet that lives on the move. For ten minutes of each hour each host talks to a few peers, a ping a second; the rest
 * of the hour it is silent, and the mappings of its gateways die. Twice in the run each host moves to another network
 * while it talks: from home to a mobile network, to somebody else's home.
 *
 * Users expect that whoever begins to talk is answered within ten seconds wherever there can be a direct path, and that a
 * move breaks nothing for good: all come back within the time that is stated for any fault. How long it really takes is
 * measured.
 */

import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import type { Machine } from '../hosts/machine.js'
import { PROMISE_MS } from '../oracle/connected.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import { Tally } from './conversation.js'
import { populate, SYMMETRIC } from './population.js'
import { Stage, type Talk } from './stage.js'
import { Waits } from './waits.js'

const ACTIVE_MS = 10 * MINUTE
const PING_MS = 1 * SECOND
const MOVES = 2
/** From the start of everything to the first who talks. */
const SETTLING_MS = 30 * SECOND

type Names = 'nodes' | 'hours' | 'active-peers' | 'symmetric'

export const roaming: Scenario<Names> = {
  name: 'roaming',
  summary: 'A fleet whose hosts talk for ten minutes of each hour, and move to other networks while they do',
  parameters: {
    nodes: { what: 'hosts of the fleet', unit: 'hosts', default: 100, min: 2, max: 10_000 },
    hours: { what: 'simulated time', unit: 'hours', default: 24, min: 1, max: 168 },
    'active-peers': { what: 'whom each host talks to', unit: 'peers', default: 2, min: 1, max: 10 },
    symmetric: { ...SYMMETRIC, default: 0 },
  },
  size: ({ nodes, 'active-peers': peers }) => ({ hosts: nodes, pairs: nodes * peers }),
  begin: (setting) => new Roaming(setting).run,
}

class Roaming {
  readonly #stage: Stage
  readonly #hours: number
  /** Sites that somebody can move to. */
  readonly #roamable: readonly number[]
  readonly #talks: readonly Talk[]
  readonly #tally = new Tally()
  readonly #atFirst = new Waits()
  readonly #moverPings = new Waits(PROMISE_MS)
  readonly #movedIsPinged = new Waits(PROMISE_MS)
  #moves = 0

  constructor({ seed, values, observers }: Setting<Names>) {
    const { nodes, hours, 'active-peers': peers, symmetric } = values
    const { topology, roamable } = populate(seededRandom(seed), {
      hosts: nodes,
      peers,
      servers: 5,
      symmetric,
    })
    this.#stage = new Stage({ topology, seed, observers })
    this.#hours = hours
    this.#roamable = roamable
    this.#talks = this.#stage.talks(this.#tally)
  }

  get run(): Run {
    return {
      queue: this.#stage.world.queue,
      traced: () => this.#stage.traced(),
      totalMs: SETTLING_MS + this.#hours * HOUR,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage.world
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const machine of this.#stage.machines) this.#planDay(machine)
    yield* pass(queue, this.#hours * HOUR)
  }

  /** When in each hour the host talks, and when it moves meanwhile. */
  #planDay(machine: Machine): void {
    const { queue } = this.#stage
    const random = this.#stage.fork()
    const talks = this.#talks.filter(({ from }) => from === machine)
    const minute = randomBelow(random, HOUR - ACTIVE_MS)
    for (let hour = 0; hour < this.#hours; hour++)
      queue.in(hour * HOUR + minute, () => {
        for (const talk of talks) this.#talk(talk)
      })
    for (let move = 0; move < MOVES; move++) {
      const hour = randomBelow(random, this.#hours)
      // Not so late that a wait is cut short by the end of the talk.
      const within = randomBelow(random, ACTIVE_MS - MINUTE)
      queue.in(hour * HOUR + minute + within, () => this.#move(machine, random))
    }
  }

  #talk(talk: Talk): void {
    const { conversation } = talk
    conversation.expect(this.#atFirst, this.#stage.wait('a talk began', talk))
    conversation.begin(PING_MS)
    this.#stage.queue.in(ACTIVE_MS, () => conversation.end())
  }

  #move(machine: Machine, random: Random): void {
    this.#moves += 1
    const site = this.#roamable[randomBelow(random, this.#roamable.length)]
    if (site === undefined) return
    this.#stage.move(machine, site)
    for (const talk of this.#talks) {
      if (!talk.conversation.talks) continue
      const isMover = talk.from === machine
      if (!isMover && talk.to !== machine) continue
      const waits = isMover ? this.#moverPings : this.#movedIsPinged
      talk.conversation.expect(waits, this.#stage.wait(`${machine.name} moved`, talk))
    }
  }

  #findings(): Findings {
    return {
      measurements: [
        ...this.#tally.measurements,
        { name: 'moves', what: 'moves to another network', unit: 'times', value: this.#moves },
        this.#atFirst.measurement('first-answer', 'from the begin of a talk to the first answer'),
        this.#moverPings.measurement(
          'silence-mover-pings',
          'from a move to the first answer, the mover pings',
        ),
        this.#movedIsPinged.measurement('silence-moved-is-pinged', 'the same, the moved is pinged'),
        ...this.#stage.measurements,
      ],
      tables: [],
      expectations: [
        this.#atFirst.expectation('talks-begin', 'who begins to talk is answered'),
        this.#moverPings.expectation('mover-is-answered', 'who moves and talks is answered'),
        this.#movedIsPinged.expectation('moved-is-reached', 'who has moved is reached'),
        ...this.#stage.expectations,
      ],
    }
  }
}
