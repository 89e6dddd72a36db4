/**
 * What breaks a path, each by itself (eventList.ts), while one host pings another every 50 ms, with round trips of 100 ms
 * between all: how long nothing is answered, what is lost, and what noticed it.
 *
 * Users expect that it is over before they have looked up, and that the two come back to a direct path.
 */

import { SECOND } from '../../src/base/time.js'
import type { Machine } from '../hosts/machine.js'
import type { Ping } from '../hosts/pinger.js'
import type { Site } from '../network/site.js'
import { Samples } from '../report/distribution.js'
import type { Expectation, Findings, FindingTable, Measurement } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import { EVENTS, type PathEvent, type Struck } from './eventList.js'
import { type Meeting, ROUND_TRIP_MS, siteIndex, topologyOf, withSpareSites } from './networks.js'
import { Stage } from './stage.js'

const SERVERS = 3
const SETTLING_MS = 60 * SECOND
const EVERY_MS = 50
/** So long a pair has talked, and has settled on its paths, when something befalls it. */
const BEFORE_MS = 10 * SECOND
const AFTERWARDS_MS = 15 * SECOND

type Names = 'tries' | 'relays'

export const events: Scenario<Names> = {
  name: 'events',
  summary: 'Hosts move, gateways forget, paths die: how long two that talk are silent, and what noticed it',
  parameters: {
    tries: { what: 'pairs for each event', unit: 'pairs', default: 8, min: 1, max: 200 },
    relays: { what: 'member relays', unit: 'relays', default: SERVERS, min: 0, max: SERVERS },
  },
  size: ({ tries }) => ({ hosts: 2 * tries * EVENTS.length, pairs: tries * EVENTS.length }),
  begin: (setting) => new Events(setting).run,
}

/** What became of one pair. */
interface Outcome {
  readonly event: PathEvent
  readonly pair: string
  /** From the event, or from when there was a way again, to the first answer; or the longest pause, if that is longer. */
  readonly silenceMs: number
  readonly lost: number
  /** The first sign that each side noticed. */
  readonly noticedBy: string
  /** At the end. */
  readonly way: string
}

/** Plays every event, and measures. */
export class Events {
  readonly outcomes: Outcome[] = []
  readonly #stage: Stage
  readonly #tries: number
  readonly #meetings: readonly Meeting[]
  readonly #hasRelays: boolean

  constructor({ seed, values: { tries, relays }, observers }: Setting<Names>) {
    this.#tries = tries
    this.#hasRelays = relays > 0
    this.#meetings = EVENTS.flatMap(({ networks }) =>
      Array.from({ length: tries }, (_, index) =>
        withSpareSites(networks[index % networks.length] ?? ['port-restricted', 'port-restricted']),
      ),
    )
    const servers = Array.from({ length: SERVERS }, (_, index) => ({
      region: 'europe' as const,
      relays: index < relays,
    }))
    this.#stage = new Stage({
      topology: topologyOf(this.#meetings, servers),
      seed,
      observers,
      hostsBehindGateway: 2,
    })
  }

  get run(): Run {
    return {
      queue: this.#stage.queue,
      traced: () => this.#stage.traced(),
      totalMs: SETTLING_MS + EVENTS.length * (BEFORE_MS + AFTERWARDS_MS),
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    this.#stage.start()
    yield* pass(this.#stage.queue, SETTLING_MS)
    for (const [index, event] of EVENTS.entries()) yield* this.#befall(event, index * this.#tries)
  }

  /** The event befalls the pairs from `first` on, all of them, at different moments between two pings. */
  *#befall(event: PathEvent, first: number): Course {
    const { queue } = this.#stage
    const trials = Array.from({ length: this.#tries }, (_, index) => this.#trial(event, first + index))
    yield* pass(queue, BEFORE_MS)
    for (const [index, trial] of trials.entries())
      queue.in((index * EVERY_MS) / this.#tries, () => trial.strike())
    yield* pass(queue, AFTERWARDS_MS)
    for (const trial of trials) this.outcomes.push(trial.end())
  }

  #trial(event: PathEvent, index: number): { strike(): void; end(): Outcome } {
    const stage = this.#stage
    const { queue } = stage
    const [from, to] = [stage.machine(2 * index), stage.machine(2 * index + 1)]
    const meeting = this.#meetings[index]
    const pings: Ping[] = []
    let talks = true
    let struckAt = queue.elapsed
    let wayAt = struckAt
    const tick = (): void => {
      if (!talks) return
      pings.push(from.ping(to.publicKey))
      queue.in(EVERY_MS, tick)
    }
    tick()
    return {
      strike: () => {
        struckAt = queue.elapsed
        const struck: Struck = { from, to, site: (which) => this.#site(4 * index + siteIndex(which)) }
        wayAt = struckAt + event.strike(struck, stage.world)
      },
      end: () => {
        talks = false
        const noticed = [from, to].map((machine) => {
          const other = machine === from ? to : from
          return firstSign(machine, other, queue.elapsed - struckAt)
        })
        return {
          event,
          pair: `${meeting?.from ?? ''} to ${meeting?.to ?? ''}`,
          silenceMs: silenceMs(pings, struckAt, wayAt),
          lost: pings.filter(
            ({ answeredAt, sentAt }) =>
              answeredAt === undefined && sentAt >= wayAt - EVERY_MS && sentAt < queue.elapsed - SECOND,
          ).length,
          noticedBy: noticed.join(' / '),
          way: stage.wayOf(from, to),
        }
      },
    }
  }

  #site(index: number): Site {
    const site = this.#stage.world.internet.sites[index]
    if (site === undefined) throw new Error(`there is no site ${index}`)
    return site
  }

  #findings(): Findings {
    return {
      measurements: [this.#measurement(), ...this.#stage.measurements],
      tables: [this.#table()],
      expectations: [...EVENTS.map((event) => this.#expectation(event)), ...this.#stage.expectations],
    }
  }

  #measurement(): Measurement {
    const all = new Samples()
    for (const { silenceMs: ms } of this.outcomes) all.add(ms)
    return { name: 'silence', what: 'without an answer', unit: 'ms', distribution: all.distribution }
  }

  #expectation(event: PathEvent): Expectation {
    const limit = this.#hasRelays ? event.withinMs : event.withoutRelayMs
    return {
      name: event.name,
      what: `${event.what}: answered again within ${limit} ms`,
      broken: this.#of(event)
        .filter(({ silenceMs: ms }) => ms > limit)
        .map(({ pair, silenceMs: ms }) => `${pair}: ${ms.toFixed(0)} ms`),
    }
  }

  #of(event: PathEvent): readonly Outcome[] {
    return this.outcomes.filter((outcome) => outcome.event === event)
  }

  #table(): FindingTable {
    return {
      name: 'events',
      title: 'What happened, how long nothing was answered, and what noticed it',
      columns: [
        { key: 'event', heading: 'event' },
        { key: 'median', heading: 'silent ms' },
        { key: 'p95', heading: 'p95' },
        { key: 'trips', heading: 'round trips', digits: 1 },
        { key: 'lost', heading: 'lost', digits: 1 },
        { key: 'direct', heading: 'direct' },
        { key: 'noticedBy', heading: 'noticed by (who pings / who is pinged)' },
      ],
      rows: EVENTS.map((event) => {
        const outcomes = this.#of(event)
        const silence = new Samples()
        for (const { silenceMs: ms } of outcomes) silence.add(ms)
        const { median, p95 } = silence.distribution
        return {
          event: event.what,
          median,
          p95,
          trips: median === null ? null : median / ROUND_TRIP_MS,
          lost: outcomes.reduce((sum, { lost }) => sum + lost, 0) / Math.max(1, outcomes.length),
          direct: `${outcomes.filter(({ way }) => way === 'direct').length}/${outcomes.length}`,
          noticedBy: mostFrequent(outcomes.map(({ noticedBy }) => noticedBy)),
        }
      }),
    }
  }
}

/** What one noticed first of the other in the last `ms` milliseconds. */
function firstSign(machine: Machine, other: Machine, ms: number): string {
  const signs = machine.daemon?.status(other.publicKey).signs ?? []
  return signs.find(({ agoMs }) => agoMs <= ms)?.sign ?? 'nothing'
}

/** The longest time without an answer since `struckAt`; what passed until there was a way again is left out. */
function silenceMs(pings: readonly Ping[], struckAt: number, wayAt: number): number {
  const answers = pings.flatMap(({ answeredAt }) => answeredAt ?? []).sort((a, b) => a - b)
  const from = answers.findLastIndex((at) => at <= struckAt)
  const times = [...answers.slice(Math.max(0, from)), pings.at(-1)?.sentAt ?? 0]
  return times.reduce((longest, at, index) => {
    const before = times[index - 1] ?? at
    return Math.max(longest, at - (before < wayAt && wayAt > struckAt ? Math.max(before, wayAt) : before))
  }, 0)
}

function mostFrequent(texts: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? ''
}
