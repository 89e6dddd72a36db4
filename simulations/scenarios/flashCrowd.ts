/**
 * A whole fleet begins at once, twice. First every daemon is killed and started again at the same moment, as after an
 * update; then the power fails everywhere, for the servers too, and within half a minute of its return everything has
 * booted, with no session, no path, and nothing stored in the mesh.
 *
 * Users expect that ten seconds after all is up again they can talk.
 */

import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import { BusiestSecond } from './busiestSecond.js'
import { Tally } from './conversation.js'
import { populate } from './population.js'
import { Stage } from './stage.js'
import { Waits } from './waits.js'

const SETTLING_MS = 1 * MINUTE
const PING_MS = 1 * SECOND
const DAEMONS_DOWN_MS = 1 * SECOND
/** How long the power is off; and everything has booted so much later. */
const POWER_OFF_MS = 10 * SECOND
const BOOTING_MS = 30 * SECOND
const WATCHED_MS = 2 * MINUTE

type Names = 'nodes' | 'active-peers'

export const flashCrowd: Scenario<Names> = {
  name: 'flash-crowd',
  summary: 'All daemons start again at once, then everything boots within 30 s of a power cut',
  parameters: {
    nodes: { what: 'hosts of the fleet', unit: 'hosts', default: 100, min: 2, max: 5_000 },
    'active-peers': { what: 'whom each host talks to', unit: 'peers', default: 2, min: 1, max: 10 },
  },
  size: ({ nodes, 'active-peers': peers }) => ({ hosts: nodes, pairs: nodes * peers }),
  begin: (setting) => new FlashCrowd(setting).run,
}

class FlashCrowd {
  readonly #stage: Stage
  readonly #tally = new Tally()
  readonly #atFirst = new Waits()
  readonly #afterUpdate = new Waits()
  readonly #afterPowerCut = new Waits()
  readonly #busiest: BusiestSecond

  constructor({ seed, values, observers }: Setting<Names>) {
    const { nodes, 'active-peers': peers } = values
    const { topology } = populate(seededRandom(seed), { hosts: nodes, peers, servers: 5, symmetric: 0 })
    this.#stage = new Stage({ topology, seed, observers })
    this.#busiest = new BusiestSecond(this.#stage.queue, this.#stage.world.mesh.counts)
  }

  get run(): Run {
    const { queue } = this.#stage
    return {
      queue,
      traced: () => this.#stage.traced(),
      totalMs:
        SETTLING_MS + WATCHED_MS + DAEMONS_DOWN_MS + WATCHED_MS + POWER_OFF_MS + BOOTING_MS + WATCHED_MS,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage
    const talks = this.#stage.talks(this.#tally)
    const expect = (waits: Waits, why: string): void => {
      for (const talk of talks) talk.conversation.expect(waits, this.#stage.wait(why, talk))
    }
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    expect(this.#atFirst, 'all began to talk')
    for (const { conversation } of talks) conversation.begin(PING_MS)
    yield* pass(queue, WATCHED_MS)

    for (const { conversation } of talks) conversation.excuse()
    for (const machine of this.#stage.machines) machine.crash()
    yield* pass(queue, DAEMONS_DOWN_MS)
    this.#stage.start()
    expect(this.#afterUpdate, 'all daemons started again')
    yield* pass(queue, WATCHED_MS)

    for (const { conversation } of talks) conversation.excuse()
    this.#powerCut(this.#stage.fork())
    yield* pass(queue, POWER_OFF_MS + BOOTING_MS)
    expect(this.#afterPowerCut, 'all had booted')
    yield* pass(queue, WATCHED_MS)
    for (const { conversation } of talks) conversation.end()
  }

  #powerCut(random: Random): void {
    const offMs = (): number => POWER_OFF_MS + randomBelow(random, BOOTING_MS)
    for (const server of this.#stage.world.servers) {
      server.cut()
      this.#stage.queue.in(offMs(), () => server.restore())
    }
    for (const machine of this.#stage.machines) machine.reboot(offMs())
  }

  #findings(): Findings {
    return {
      measurements: [
        ...this.#tally.measurements,
        this.#atFirst.measurement('first-answer', 'all begin to talk: to the first answer'),
        this.#afterUpdate.measurement('after-update', 'all daemons started again: to the first answer'),
        this.#afterPowerCut.measurement('after-power-cut', 'all has booted: to the first answer'),
        ...this.#busiest.measurements,
        ...this.#stage.measurements,
      ],
      tables: [],
      expectations: [
        this.#atFirst.expectation('fleet-begins', 'a fleet that begins to talk at once is answered'),
        this.#afterUpdate.expectation('fleet-restarts', 'after all daemons started again all are answered'),
        this.#afterPowerCut.expectation('fleet-boots', 'after all have booted all are answered'),
        ...this.#stage.expectations,
      ],
    }
  }
}
