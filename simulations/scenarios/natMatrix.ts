/**
 * Two hosts for each two networks (networks.ts), with round trips of 100 ms between all of them. One pair after the
 * other: the first host pings the second, of which it knows the key, and once it is answered goes on pinging, while the
 * two look for something better.
 *
 * Users expect everybody to be answered who reaches a member relay, and a direct path wherever there can be one; and that
 * the change from one to the other is not noticed. A table says of each pair how it came to talk, how it talks in the end,
 * and what that cost.
 */

import { SECOND } from '../../src/base/time.js'
import type { Machine } from '../hosts/machine.js'
import type { Ping } from '../hosts/pinger.js'
import type { WayKind } from '../oracle/ways.js'
import { Samples } from '../report/distribution.js'
import type { Expectation, Findings, FindingTable } from '../report/findings.js'
import { type Course, pass, passUntil, type Run, type Scenario, type Setting } from '../scenario.js'
import type { Access } from './access.js'
import { meetingStage } from './meetingStage.js'
import { accessMeetings, allMeetings, type Meeting, ROUND_TRIP_MS } from './networks.js'
import type { Stage } from './stage.js'

/** The peer's record is known, as it is soon after both joined, and nothing is open between the two. */
const FIRST_ANSWER_ROUND_TRIPS = 4
/** The first answer over a relay, by whatever family. */
const RELAYED_ROUND_TRIPS = 6
/** A direct path where nothing has to be guessed. */
const DIRECT_ROUND_TRIPS = 10
/** Of those pairs that have to guess, so many may fail within {@link IMPROVING_MS}. */
const UNLUCKY_SHARE = 0.05
/** Between two answers to pings that leave each 50 ms, while the path becomes another one. */
const SILENCE_MS = 200

const SETTLING_MS = 60 * SECOND
/** After this a pair has no way. */
const PATIENCE_MS = 20 * SECOND
/** So long two that talk look for a direct path. */
const IMPROVING_MS = 30 * SECOND
const EVERY_MS = 50
/** From a direct path on, to see what the change has cost. */
const AFTERWARDS_MS = 1 * SECOND
const BETWEEN_MS = 5 * SECOND

/** How two hosts talk. */
export type WayOfTalking = 'direct' | 'relayed' | 'none'

export interface MatrixCell<Name extends string = string> {
  readonly from: Name
  readonly to: Name
  /** When the first ping was answered, and in the end. */
  readonly firstWay: WayOfTalking
  readonly way: WayOfTalking
  /** What there can be, as the oracle knows. */
  readonly canBeDirect: WayKind
  readonly canBeRelayed: boolean
  /** From the ping to its answer; undefined where there was none. */
  readonly roundTrips: number | undefined
  /** From the ping until both had a direct path; undefined where they never did. */
  readonly directAfter: number | undefined
  /** That both hosts sent until the first answer. */
  readonly datagrams: number
  /** That both sent until they had a direct path, or until the end, and that were no data. */
  readonly spent: number
  /** Of the pings after the first answer. */
  readonly lost: number
  /** The longest time between two answers. */
  readonly silenceMs: number
}

export const natMatrix: Scenario<never> = {
  name: 'nat-matrix',
  summary: 'Every two kinds of networks, one pair after the other: how the two hosts in them come to talk',
  parameters: {},
  size: () => ({ hosts: 2 * allMeetings().length, pairs: allMeetings().length }),
  begin: (setting) => new NatMatrix(allMeetings(), setting).run,
}

/** The cells for each two kinds of access that the laboratory has. */
export function natMatrixCells(seed: number): readonly MatrixCell<Access>[] {
  const matrix = new NatMatrix(accessMeetings(), { seed, observers: [] })
  const course = matrix.run.course()
  while (course.next().done !== true);
  return matrix.cells
}

/** See {@link natMatrix}, over these meetings. */
export class NatMatrix<Name extends string> {
  readonly cells: MatrixCell<Name>[] = []
  readonly #meetings: readonly Meeting<Name>[]
  readonly #stage: Stage

  constructor(meetings: readonly Meeting<Name>[], setting: Pick<Setting<string>, 'seed' | 'observers'>) {
    this.#meetings = meetings
    this.#stage = meetingStage(meetings, setting)
  }

  get run(): Run {
    const { queue } = this.#stage
    const drawn = this.#meetings.findIndex(
      ({ from, to }) => from === 'port-restricted' && to === 'port-restricted',
    )
    const eachMs = PATIENCE_MS + IMPROVING_MS + AFTERWARDS_MS + BETWEEN_MS
    return {
      queue,
      // Home routers: their connection is drawn, or the first where there are none.
      traced: () =>
        this.#stage
          .traced()
          .slice(2 * Math.max(0, drawn))
          .slice(0, 2),
      totalMs: SETTLING_MS + this.#meetings.length * eachMs,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const [index, meeting] of this.#meetings.entries()) {
      yield* this.#meet(meeting, this.#stage.machine(2 * index), this.#stage.machine(2 * index + 1))
      yield* pass(queue, BETWEEN_MS)
    }
  }

  *#meet({ from, to }: Meeting<Name>, a: Machine, b: Machine): Course {
    const stage = this.#stage
    const { queue, traffic } = stage
    const both = (count: (name: string) => number) => count(a.name) + count(b.name)
    const sent = () => both((name) => traffic.of(name))
    const noData = () => both((name) => traffic.withoutDataOf(name))
    const [sentBefore, noDataBefore] = [sent(), noData()]
    const ping = a.ping(b.publicKey)
    yield* passUntil(queue, () => ping.answeredAt !== undefined, PATIENCE_MS)
    const datagrams = sent() - sentBefore
    const firstWay = ping.answeredAt === undefined ? 'none' : stage.wayOf(a, b)

    const pings: Ping[] = []
    const isDirect = () => stage.wayOf(a, b) === 'direct' && stage.wayOf(b, a) === 'direct'
    let directAfter: number | undefined
    let spent: number | undefined
    if (ping.answeredAt !== undefined) {
      const end = queue.elapsed + IMPROVING_MS
      while (directAfter === undefined && queue.elapsed < end) {
        pings.push(a.ping(b.publicKey))
        if (!(yield* passUntil(queue, isDirect, EVERY_MS))) continue
        directAfter = (queue.elapsed - ping.sentAt) / ROUND_TRIP_MS
        spent = noData() - noDataBefore
      }
      for (let ms = 0; ms < AFTERWARDS_MS; ms += EVERY_MS) {
        yield* pass(queue, EVERY_MS)
        pings.push(a.ping(b.publicKey))
      }
      yield* passUntil(queue, () => pings.at(-1)?.answeredAt !== undefined, 4 * ROUND_TRIP_MS)
    }
    this.cells.push({
      from,
      to,
      firstWay,
      way: ping.answeredAt === undefined ? 'none' : stage.wayOf(a, b),
      canBeDirect: stage.directWay(a, b),
      canBeRelayed: stage.canBeRelayed(a, b),
      roundTrips: ping.answeredAt && (ping.answeredAt - ping.sentAt) / ROUND_TRIP_MS,
      directAfter,
      datagrams,
      spent: spent ?? noData() - noDataBefore,
      lost: pings.filter(({ answeredAt }) => answeredAt === undefined).length,
      silenceMs: longestSilence([ping, ...pings]),
    })
  }

  #findings(): Findings {
    const trips = new Samples()
    const certainTrips = new Samples()
    const untilDirect = new Samples()
    const datagrams = new Samples()
    const spent = new Samples()
    for (const cell of this.cells) {
      if (cell.directAfter !== undefined) untilDirect.add(cell.directAfter)
      if (cell.roundTrips === undefined) continue
      if (cell.canBeDirect === 'certain') certainTrips.add(cell.roundTrips)
      spent.add(cell.spent)
      trips.add(cell.roundTrips)
      datagrams.add(cell.datagrams)
    }
    return {
      measurements: [
        {
          name: 'first-answer',
          what: 'from the first ping to its answer',
          unit: 'round trips',
          distribution: trips.distribution,
        },
        {
          name: 'until-direct',
          what: 'from it until both had a direct path',
          unit: 'round trips',
          distribution: untilDirect.distribution,
        },
        {
          name: 'spent',
          what: 'what both sent until then, or until the end, without data',
          unit: 'datagrams',
          distribution: spent.distribution,
        },
        {
          name: 'datagrams-until-answered',
          what: 'what both sent until the first answer',
          unit: 'datagrams',
          distribution: datagrams.distribution,
        },
      ],
      tables: [tableOf(this.cells)],
      expectations: [
        ...expectationsOf(this.cells, certainTrips.distribution.median),
        ...this.#stage.expectations,
      ],
    }
  }
}

/** The longest time between two answers, in ms, in the order in which they came. */
function longestSilence(pings: readonly Ping[]): number {
  const answers = pings.flatMap(({ answeredAt }) => answeredAt ?? []).sort((a, b) => a - b)
  return answers.reduce((longest, at, index) => Math.max(longest, at - (answers[index - 1] ?? at)), 0)
}

function expectationsOf(cells: readonly MatrixCell[], certainMedian: number | null): readonly Expectation[] {
  const guessing = cells.filter(({ canBeDirect }) => canBeDirect === 'by-guessing')
  const unlucky = guessing.filter(({ way }) => way !== 'direct')
  const isSlow = certainMedian !== null && certainMedian > FIRST_ANSWER_ROUND_TRIPS
  return [
    {
      name: 'direct-where-possible',
      what: 'there is a direct path wherever there can be one',
      broken: cells
        .filter(({ way, canBeDirect }) => canBeDirect === 'certain' && way !== 'direct')
        .map((cell) => `${nameOf(cell)}: ${cell.way}`),
    },
    {
      name: 'never-where-impossible',
      what: 'and nobody claims one where there is none',
      broken: cells.filter(({ way, canBeDirect }) => canBeDirect === 'none' && way === 'direct').map(nameOf),
    },
    {
      name: 'answered-where-possible',
      what: 'whoever has a direct path or a relay is answered',
      broken: cells
        .filter((cell) => cell.way === 'none' && (cell.canBeRelayed || cell.canBeDirect === 'certain'))
        .map(nameOf),
    },
    {
      name: 'relayed-in-time',
      what: `without a certain direct path a relay answers within ${RELAYED_ROUND_TRIPS} round trips`,
      broken: cells
        .filter(({ canBeDirect, canBeRelayed }) => canBeDirect !== 'certain' && canBeRelayed)
        .filter(({ roundTrips = 0 }) => roundTrips > RELAYED_ROUND_TRIPS)
        .map((cell) => `${nameOf(cell)}: ${cell.roundTrips?.toFixed(1)}`),
    },
    {
      name: 'direct-in-time',
      what: `what is certain is there within ${DIRECT_ROUND_TRIPS} round trips`,
      broken: cells
        .filter(
          ({ canBeDirect, directAfter = 0 }) => canBeDirect === 'certain' && directAfter > DIRECT_ROUND_TRIPS,
        )
        .map((cell) => `${nameOf(cell)}: ${cell.directAfter?.toFixed(1)}`),
    },
    {
      name: 'guessed',
      what: `of those who have to guess, 95 of 100 have a direct path within ${IMPROVING_MS / SECOND} s`,
      broken: unlucky.length > UNLUCKY_SHARE * guessing.length ? unlucky.map(nameOf) : [],
    },
    {
      name: 'unnoticed',
      what: `after the first answer nothing is lost, and no answer is later than ${SILENCE_MS} ms after the one before`,
      broken: cells
        .filter(({ lost, silenceMs }) => lost > 0 || silenceMs > SILENCE_MS)
        .map((cell) => `${nameOf(cell)}: ${cell.lost} lost, ${cell.silenceMs.toFixed(0)} ms`),
    },
    {
      name: 'first-answer-in-time',
      what: `half of the first answers where a direct path is certain came within ${FIRST_ANSWER_ROUND_TRIPS} round trips`,
      broken: isSlow ? [`the median is ${certainMedian.toFixed(1)}`] : [],
    },
  ]
}

function nameOf({ from, to }: MatrixCell): string {
  return `${from} to ${to}`
}

function tableOf(cells: readonly MatrixCell[]): FindingTable {
  return {
    name: 'pairs',
    title: 'Who pings whom, over what, and what it took',
    columns: [
      { key: 'from', heading: 'from' },
      { key: 'to', heading: 'to' },
      { key: 'canBeDirect', heading: 'direct is' },
      { key: 'firstWay', heading: 'first' },
      { key: 'way', heading: 'in the end' },
      { key: 'roundTrips', heading: 'round trips', digits: 1 },
      { key: 'directAfter', heading: 'until direct', digits: 1 },
      { key: 'datagrams', heading: 'datagrams' },
      { key: 'spent', heading: 'spent' },
      { key: 'lost', heading: 'lost' },
      { key: 'silenceMs', heading: 'silent ms' },
    ],
    rows: cells.map(({ canBeRelayed, roundTrips, directAfter, ...cell }) => ({
      ...cell,
      roundTrips: roundTrips ?? null,
      directAfter: directAfter ?? null,
    })),
  }
}
