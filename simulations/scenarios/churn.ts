/**
 * A fleet of thousands in which machines come and go: does it find what it looks for, how fast, and what does that cost?
 * Half-way something may happen: servers vanish at once, the bootstrap nodes do, or the internet splits for a while.
 *
 * It is played by the model in simulations/fleet, not by the simulated internet: nothing smaller than a request is in it.
 */

import { seededRandom } from '../../src/base/random.js'
import { HOUR, MINUTE } from '../../src/base/time.js'
import { DEFAULT_GOSSIP_LIMIT } from '../../src/io/mesh/fleetSize.js'
import { judge, measure, quantilesTable, seriesTable } from '../fleet/findings.js'
import { Fleet } from '../fleet/fleet.js'
import type { Machine } from '../fleet/machine.js'
import { populate } from '../fleet/population.js'
import { availabilityOf, churnOfKad, churnOfMedian, KAD_MEDIAN_MS } from '../fleet/sessions.js'
import { Draws } from '../network/draws.js'
import { EventQueue } from '../network/eventQueue.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting, type Values } from '../scenario.js'

type Names =
  | 'nodes'
  | 'hours'
  | 'median-session'
  | 'kad'
  | 'online'
  | 'serving'
  | 'bootstrap'
  | 'peers'
  | 'talks'
  | 'rtt'
  | 'silent'
  | 'symmetric'
  | 'no-udp'
  | 'vanish'
  | 'bootstrap-vanish'
  | 'partition'
  | 'gossip-limit'

const percent = (what: string, standard: number, max = 100) =>
  ({ what, unit: 'percent', default: standard, min: 0, max }) as const

export const churn: Scenario<Names> = {
  name: 'churn',
  summary: 'A fleet of thousands in which machines come and go, publish, look each other up, and talk',
  parameters: {
    nodes: {
      what: 'machines that are there at a time',
      unit: 'machines',
      default: 1_000,
      min: 2,
      max: 200_000,
    },
    hours: { what: 'simulated time', unit: 'hours', default: 4, min: 1, max: 168 },
    'median-session': {
      what: 'half of the sessions are over after this',
      unit: 'minutes',
      default: 120,
      min: 1,
      max: 100_000,
    },
    kad: {
      what: '1: sessions and pauses as they were measured in KAD, whatever the two others say',
      unit: '0 or 1',
      default: 0,
      min: 0,
      max: 1,
    },
    online: { ...percent('of the time each machine is there', 50, 99), min: 1 },
    serving: { ...percent('of the machines others can reach, and which serve', 20), min: 1 },
    bootstrap: { what: 'nodes that all are told of', unit: 'nodes', default: 3, min: 1, max: 1_000 },
    peers: { what: 'WireGuard peers of each', unit: 'peers', default: 5, min: 1, max: 100 },
    talks: { what: 'how often each wants to talk to a peer', unit: 'an hour', default: 2, min: 0, max: 60 },
    rtt: { what: 'mean round trip', unit: 'ms', default: 50, min: 1, max: 1_000 },
    silent: percent('of those that leave say nothing', 50),
    symmetric: percent('of gateways map each destination to another port', 11),
    'no-udp': percent('of networks let no UDP out', 2),
    vanish: percent('of the servers vanish for good half-way', 0),
    'bootstrap-vanish': {
      what: '1: all bootstrap nodes vanish half-way',
      unit: '0 or 1',
      default: 0,
      min: 0,
      max: 1,
    },
    partition: {
      what: 'half-way the internet splits in two for this long',
      unit: 'minutes',
      default: 0,
      min: 0,
      max: 240,
    },
    'gossip-limit': {
      what: 'beyond so many machines records are not gossiped',
      unit: 'machines',
      default: DEFAULT_GOSSIP_LIMIT,
      min: 0,
      max: 1_000_000,
    },
  },
  size: ({ nodes, online, peers }) => {
    const machines = (nodes * 100) / online
    // A machine of the model takes a small part of what one of the simulated internet does.
    return { hosts: machines / 10, pairs: (machines * peers) / 200 }
  },
  begin: (setting) => new ChurnRun(setting).run,
}

/** So much passes before anything is counted. */
const WARMING_MS = HOUR

class ChurnRun {
  readonly #queue = new EventQueue(0, 0)
  readonly #values: Values<Names>
  readonly #machines: readonly Machine[]
  readonly #draws: Draws
  readonly #fleet: Fleet
  /** When what befalls the fleet does, since counting began. */
  #struckMs: number | undefined
  #healedMs: number | undefined

  constructor({ seed, values }: Setting<Names>) {
    this.#values = values
    this.#draws = new Draws(seededRandom(seed))
    const share = (name: Names): number => values[name] / 100
    const churning =
      values.kad === 1 ? churnOfKad() : churnOfMedian(values['median-session'] * MINUTE, share('online'))
    const availability = availabilityOf(churning)
    this.#machines = populate(
      {
        nodes: values.nodes,
        availability,
        bootstrap: values.bootstrap,
        serving: share('serving'),
        symmetric: share('symmetric'),
        withoutUdp: share('no-udp'),
        peers: values.peers,
      },
      this.#draws,
    )
    this.#fleet = new Fleet(
      {
        machines: this.#machines,
        churn: churning,
        rttMs: values.rtt,
        silentLeaves: share('silent'),
        talksAnHour: values.talks,
        gossipLimit: values['gossip-limit'],
      },
      this.#queue,
      this.#draws,
    )
  }

  get run(): Run {
    return {
      queue: this.#queue,
      traced: () => [],
      totalMs: WARMING_MS + this.#values.hours * HOUR,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  get #medianMs(): number {
    return this.#values.kad === 1 ? KAD_MEDIAN_MS : this.#values['median-session'] * MINUTE
  }

  *#course(): Course {
    const half = (this.#values.hours * HOUR) / 2
    this.#fleet.start()
    yield* pass(this.#queue, WARMING_MS)
    this.#fleet.beginCounting()
    yield* pass(this.#queue, half)
    yield* this.#befall(half)
    this.#fleet.readLoads()
  }

  *#befall(leftMs: number): Course {
    const { partition, vanish, 'bootstrap-vanish': bootstrapVanishes } = this.#values
    const { network } = this.#fleet
    const doomed = [
      ...(bootstrapVanishes === 1 ? this.#machines.filter(({ isBootstrap }) => isBootstrap) : []),
      ...this.#machines.filter(
        ({ serves, isBootstrap }) => serves && !isBootstrap && this.#draws.share() < vanish / 100,
      ),
    ]
    if (doomed.length > 0 || partition > 0) this.#struckMs = leftMs
    this.#fleet.kill(doomed)
    if (partition === 0) {
      yield* pass(this.#queue, leftMs)
      return
    }
    const lasts = Math.min(partition * MINUTE, leftMs / 2)
    network.isPartitioned = true
    yield* pass(this.#queue, lasts)
    network.isPartitioned = false
    this.#healedMs = leftMs + lasts
    yield* pass(this.#queue, leftMs - lasts)
  }

  #findings(): Findings {
    const { tally, gossips } = this.#fleet
    const struck = this.#struckMs === undefined ? undefined : { at: this.#struckMs, healed: this.#healedMs }
    return {
      measurements: measure(tally, gossips),
      tables: [quantilesTable(tally), seriesTable(tally)],
      expectations: judge(tally, struck, this.#medianMs),
    }
  }
}
