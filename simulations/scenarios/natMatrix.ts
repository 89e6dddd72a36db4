/**
 * Two hosts for each two kinds of access, fifteen pairs, all of whose links take so long that a round trip between any
 * two hosts takes 100 ms. One pair after the other: the first host pings the second, of which it knows the key.
 *
 * Users expect a direct path wherever there can be one, and the first answer of half of those pairs after some six round
 * trips. A table says of each pair how it came to talk, and what that cost.
 */

import { SECOND } from '../../src/base/time.js'
import type { Ping } from '../hosts/pinger.js'
import { perfectLink } from '../network/link.js'
import { delayBetween } from '../network/regions.js'
import { LOCAL_MS } from '../network/segment.js'
import { Samples } from '../report/distribution.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, passUntil, type Run, type Scenario, type Setting } from '../scenario.js'
import type { ServerSpec, SiteSpec, Topology } from '../topology.js'
import { ACCESSES, type Access, plainSite } from './access.js'
import { Stage } from './stage.js'

/** Between any two hosts, behind gateways or not. */
const ROUND_TRIP_MS = 100
/**
 * Cold, with nothing known of the peer but its key: six where a server stands half way between two hosts
 * (docs/measurements.md). Here the way over a server is a fifth longer than the direct one, and it is gone six times.
 */
const FIRST_ANSWER_ROUND_TRIPS = 6.6
const SERVERS: readonly ServerSpec[] = [
  { region: 'europe', relays: true },
  { region: 'europe', relays: true },
  { region: 'europe', relays: true },
]

const SETTLING_MS = 60 * SECOND
/** After this a pair has no way. */
const PATIENCE_MS = 20 * SECOND
/** Until a better path has taken over, should there be one. */
const IMPROVING_MS = 5 * SECOND
const BETWEEN_MS = 5 * SECOND

/** How two hosts talk. */
export type WayOfTalking = 'direct' | 'relayed' | 'none'

export interface MatrixCell {
  readonly from: Access
  readonly to: Access
  readonly way: WayOfTalking
  /** True where there can be a direct path, and today's engine must find it. */
  readonly canBeDirect: boolean
  /** From the ping to its answer; undefined where there was none. */
  readonly roundTrips: number | undefined
  /** That both hosts sent until then. */
  readonly datagrams: number
}

export const natMatrix: Scenario<never> = {
  name: 'nat-matrix',
  summary: 'Fifteen pairs of gateways, one after the other: how the two behind them come to talk',
  parameters: {},
  size: () => ({ hosts: 2 * PAIRS.length, pairs: PAIRS.length }),
  begin: (setting) => new NatMatrix(setting).run,
}

/** The cells of the whole matrix. */
export function natMatrixCells(seed: number): readonly MatrixCell[] {
  const matrix = new NatMatrix({ seed, values: {}, observers: [] })
  const course = matrix.run.course()
  while (course.next().done !== true);
  return matrix.cells
}

const PAIRS: readonly (readonly [Access, Access])[] = ACCESSES.flatMap((from, at) =>
  ACCESSES.slice(at).map((to) => [from, to] as const),
)

/** The pair whose connection is drawn: of home routers. */
const DRAWN = PAIRS.findIndex(([from, to]) => from === 'port-restricted' && to === 'port-restricted')

class NatMatrix {
  readonly cells: MatrixCell[] = []
  readonly #stage: Stage

  constructor({ seed, observers }: Setting<never>) {
    this.#stage = new Stage({ topology: matrixTopology(), seed, observers })
  }

  get run(): Run {
    const { queue } = this.#stage
    return {
      queue,
      traced: () => this.#stage.traced().slice(2 * DRAWN, 2 * DRAWN + 2),
      totalMs: SETTLING_MS + PAIRS.length * (PATIENCE_MS + IMPROVING_MS + BETWEEN_MS),
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const [index, [from, to]] of PAIRS.entries()) yield* this.#meet(index, from, to)
  }

  *#meet(index: number, from: Access, to: Access): Course {
    const { queue, traffic } = this.#stage
    const a = this.#stage.machine(2 * index)
    const b = this.#stage.machine(2 * index + 1)
    const spent = () => traffic.of(a.name) + traffic.of(b.name)
    const before = spent()
    const ping = a.ping(b.publicKey)
    yield* passUntil(queue, () => ping.answeredAt !== undefined, PATIENCE_MS)
    const datagrams = spent() - before
    yield* pass(queue, IMPROVING_MS)
    this.cells.push({
      from,
      to,
      way: ping.answeredAt === undefined ? 'none' : this.#stage.wayOf(a, b),
      canBeDirect: this.#stage.canMeet(a, b),
      roundTrips: roundTrips(ping),
      datagrams,
    })
    yield* pass(queue, BETWEEN_MS)
  }

  #findings(): Findings {
    const trips = new Samples()
    const datagrams = new Samples()
    for (const cell of this.cells) {
      if (cell.roundTrips === undefined) continue
      trips.add(cell.roundTrips)
      datagrams.add(cell.datagrams)
    }
    const { distribution } = trips
    const isSlow = distribution.median !== null && distribution.median > FIRST_ANSWER_ROUND_TRIPS
    return {
      measurements: [
        {
          name: 'first-answer',
          what: 'from the first ping to its answer',
          unit: 'round trips',
          distribution,
        },
        {
          name: 'datagrams-until-answered',
          what: 'what both sent until then',
          unit: 'datagrams',
          distribution: datagrams.distribution,
        },
      ],
      tables: [
        {
          name: 'pairs',
          title: 'Who pings whom, over what, and what it took',
          columns: [
            { key: 'from', heading: 'from' },
            { key: 'to', heading: 'to' },
            { key: 'way', heading: 'way' },
            { key: 'roundTrips', heading: 'round trips', digits: 1 },
            { key: 'datagrams', heading: 'datagrams' },
          ],
          rows: this.cells.map(({ from, to, way, roundTrips, datagrams }) => ({
            from,
            to,
            way,
            roundTrips: roundTrips ?? null,
            datagrams,
          })),
        },
      ],
      expectations: [
        {
          name: 'direct-where-possible',
          what: 'there is a direct path wherever there can be one',
          broken: this.cells
            .filter(({ way, canBeDirect }) => canBeDirect && way !== 'direct')
            .map(({ from, to, way }) => `${from} to ${to}: ${way}`),
        },
        {
          name: 'first-answer-in-time',
          what: `half of the first answers came within ${FIRST_ANSWER_ROUND_TRIPS} round trips`,
          broken: isSlow ? [`the median is ${distribution.median?.toFixed(1)}`] : [],
        },
        ...this.#stage.expectations,
      ],
    }
  }
}

function roundTrips({ sentAt, answeredAt }: Ping): number | undefined {
  return answeredAt === undefined ? undefined : (answeredAt - sentAt) / ROUND_TRIP_MS
}

function matrixTopology(): Topology {
  const sites = PAIRS.flat().map(siteWith)
  return {
    sites,
    hosts: sites.map((_site, index) => ({ sites: [index], clockAheadMs: 0 })),
    servers: SERVERS,
    pairs: PAIRS.map((_pair, index) => [2 * index, 2 * index + 1]),
  }
}

/** A quarter of a round trip from the middle of the internet's way, whether there is a gateway or not. */
function siteWith(access: Access): SiteSpec {
  const toMiddle = ROUND_TRIP_MS / 4 - delayBetween('europe', 'europe') / 2
  return plainSite(access, perfectLink(access === 'open' ? toMiddle : toMiddle - LOCAL_MS))
}
