/** What a life of a fleet comes to: figures, a table over time, and what was promised. */

import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import type { Samples } from '../report/distribution.js'
import type { Expectation, FindingTable, Measurement } from '../report/findings.js'
import { STRETCH_MS, type Stretch, type Tally } from './tally.js'

/** Wanted of a fleet whose sessions have a median of two hours or more, and of one that is harder. */
const WANTED_SHARE = { calm: 0.999, hard: 0.99 } as const
const CALM_MEDIAN_MS = 2 * HOUR
const WANTED_COLD_MS = 1 * SECOND
const WANTED_CLIENT_BYTES = 2_000
/** After servers vanished, look-ups are as good again within this time. */
const WANTED_RECOVERY_MS = 15 * MINUTE
/** A row of the table over time is so many stretches, or more of them in a long life. */
const ROWS = 48

const NAMES = {
  other: { key: 'client', what: 'a client' },
  serving: { key: 'server', what: 'a server' },
  bootstrap: { key: 'bootstrap', what: 'a bootstrap node' },
} as const

export interface Struck {
  /** When the fleet was struck, since counting began, in ms; and when that was over, if it ends. */
  readonly at: number
  readonly healed: number | undefined
}

export function measure(tally: Tally, gossips: boolean): readonly Measurement[] {
  const { ways } = tally
  const met = ways.direct + ways['direct-by-guessing'] + ways.relayed + ways.streamed
  const talks = met + ways.failed
  return [
    share('found', 'look-ups of peers that are there: found', tally.found, tally.lookUps),
    value('look-ups', 'look-ups of peers that are there', 'times', tally.lookUps),
    value('missed', 'not found, though a server held the record', 'times', tally.missed),
    value('lost', 'not found, and held by no server', 'times', tally.lost),
    share('stale', 'found, but not what the author says now', tally.stale, tally.found),
    share('useless', 'found, and of no use to reach the author', tally.useless, tally.found),
    samples('age', 'age of what was found', 's', tally.ageMs, 1 / SECOND),
    samples('cold-look-up', 'first look-ups of a session, to the first record', 'ms', tally.coldMs),
    samples('warm-look-up', 'later look-ups, to the first record', 'ms', tally.warmMs),
    samples('asked', 'requests of a look-up', 'requests', tally.asked),
    samples('published', 'requests of a publication', 'requests', tally.published),
    samples('connect', 'from a first packet to the first answer', 'ms', tally.connectMs),
    share('direct', 'talks over a direct path', ways.direct + ways['direct-by-guessing'], met),
    share('relayed', 'talks over a relay, or a stream to one', ways.relayed + ways.streamed, met),
    share('unreached', 'talks with a peer that is there and is not reached at once', ways.failed, talks),
    ...(['other', 'serving', 'bootstrap'] as const).flatMap((role) => [
      samples(
        `${NAMES[role].key}-bytes`,
        `${NAMES[role].what}, both ways`,
        'bytes/s',
        tally.bytesASecond[role],
      ),
      samples(
        `${NAMES[role].key}-requests`,
        `${NAMES[role].what}, sent and received`,
        'requests/h',
        tally.requestsAnHour[role],
      ),
    ]),
    ...(['serving', 'bootstrap'] as const).flatMap((role) => [
      samples(
        `${NAMES[role].key}-connections`,
        `connections of ${NAMES[role].what}`,
        'connections',
        tally.connections[role],
      ),
      samples(
        `${NAMES[role].key}-reservations`,
        `reservations at ${NAMES[role].what}`,
        'reservations',
        tally.reservations[role],
      ),
      samples(`${NAMES[role].key}-records`, `records at ${NAMES[role].what}`, 'records', tally.records[role]),
    ]),
    samples('routing-table', 'servers that a machine knows', 'servers', tally.tableSizes),
    value('refused', 'bootstrap nodes that had no room for a connection', 'times', tally.bootstrapRefusals),
    value('gossip', 'records are gossiped', '0 or 1', gossips ? 1 : 0),
  ]
}

/** How what took time is distributed: of so many percent of all, none took longer. */
export function quantilesTable({ coldMs, warmMs, connectMs }: Tally): FindingTable {
  const percents = Array.from({ length: 100 }, (_, index) => index + 1)
  const [cold, warm, connect] = [coldMs, warmMs, connectMs].map((samples) => samples.quantiles(percents))
  return {
    name: 'quantiles',
    title: 'So many percent took no longer, in ms',
    columns: [
      { key: 'percent', heading: 'percent' },
      { key: 'cold', heading: 'first look-ups' },
      { key: 'warm', heading: 'later look-ups' },
      { key: 'connect', heading: 'first packet to first answer' },
    ],
    rows: percents.flatMap((percent, index) =>
      SHOWN_PERCENTS.has(percent)
        ? [
            {
              percent,
              cold: cold?.[index] ?? null,
              warm: warm?.[index] ?? null,
              connect: connect?.[index] ?? null,
            },
          ]
        : [],
    ),
  }
}

/** Each fifth, and the rare ones one by one. */
const SHOWN_PERCENTS: ReadonlySet<number> = new Set([
  ...Array.from({ length: 19 }, (_, index) => 5 * (index + 1)),
  ...[1, 96, 97, 98, 99, 100],
])

/** How it went over time, in at most {@link ROWS} rows. */
export function seriesTable({ stretches }: Tally): FindingTable {
  const size = Math.max(1, Math.ceil(stretches.length / ROWS))
  const rows: FindingTable['rows'][number][] = []
  for (let from = 0; from < stretches.length; from += size) {
    const group = stretches.slice(from, from + size)
    const sum = (of: (stretch: Stretch) => number): number => group.reduce((all, each) => all + of(each), 0)
    const lookUps = sum((each) => each.lookUps)
    const found = sum((each) => each.found)
    rows.push({
      minute: (from * STRETCH_MS) / MINUTE,
      online: group.at(-1)?.online ?? null,
      servers: group.at(-1)?.servers ?? null,
      lookUps,
      found: lookUps === 0 ? null : (100 * found) / lookUps,
      stale: found === 0 ? null : (100 * sum((each) => each.stale)) / found,
      publications: sum((each) => each.publications),
      unstored: sum((each) => each.unstored),
      requests: sum((each) => each.requests),
    })
  }
  return {
    name: 'over-time',
    title: 'Over time, since counting began',
    columns: [
      { key: 'minute', heading: 'minute' },
      { key: 'online', heading: 'machines' },
      { key: 'servers', heading: 'servers' },
      { key: 'lookUps', heading: 'look-ups' },
      { key: 'found', heading: '% found', digits: 2 },
      { key: 'stale', heading: '% stale', digits: 2 },
      { key: 'publications', heading: 'publications' },
      { key: 'unstored', heading: 'unstored' },
      { key: 'requests', heading: 'requests' },
    ],
    rows,
  }
}

export function judge(tally: Tally, struck: Struck | undefined, medianMs: number): readonly Expectation[] {
  const wanted = medianMs >= CALM_MEDIAN_MS ? WANTED_SHARE.calm : WANTED_SHARE.hard
  const { p95 } = tally.coldMs.distribution
  const client = tally.bytesASecond.other.distribution.median
  const common: readonly Expectation[] = [
    expect(
      'cold-look-ups',
      `95 % of first look-ups within ${WANTED_COLD_MS} ms`,
      p95 === null || p95 < WANTED_COLD_MS,
      `${p95?.toFixed(0)} ms`,
    ),
    expect(
      'client-traffic',
      `a client has less than ${WANTED_CLIENT_BYTES} bytes a second`,
      client === null || client < WANTED_CLIENT_BYTES,
      `${client?.toFixed(0)} bytes a second`,
    ),
  ]
  const found = (stretches: readonly Stretch[]): string | undefined => {
    const lookUps = stretches.reduce((sum, each) => sum + each.lookUps, 0)
    const share = stretches.reduce((sum, each) => sum + each.found, 0) / Math.max(1, lookUps)
    return lookUps === 0 || share >= wanted ? undefined : `${(100 * share).toFixed(3)} %`
  }
  const promise = `at least ${100 * wanted} % of the look-ups of peers that are there find them`
  if (struck === undefined) {
    const broken = found(tally.stretches)
    return [expect('found', promise, broken === undefined, broken ?? ''), ...common]
  }
  const healedAt = (struck.healed ?? struck.at) + WANTED_RECOVERY_MS
  const before = found(tally.stretches.slice(0, Math.floor(struck.at / STRETCH_MS)))
  const after = found(tally.stretches.slice(Math.ceil(healedAt / STRETCH_MS)))
  return [
    expect('found-before', `${promise}, before it was struck`, before === undefined, before ?? ''),
    expect(
      'found-again',
      `the same, from ${WANTED_RECOVERY_MS / MINUTE} minutes after it on`,
      after === undefined,
      after ?? '',
    ),
    ...common,
  ]
}

function expect(name: string, what: string, held: boolean, breach: string): Expectation {
  return { name, what, broken: held ? [] : [breach] }
}

function value(name: string, what: string, unit: string, figure: number): Measurement {
  return { name, what, unit, value: figure }
}

/** In percent; 0 of 0 is 0. */
function share(name: string, what: string, part: number, whole: number): Measurement {
  return value(name, what, 'percent', whole === 0 ? 0 : (100 * part) / whole)
}

function samples(name: string, what: string, unit: string, of: Samples, scale = 1): Measurement {
  const { count, median, p95, p99, max } = of.distribution
  const scaled = (figure: number | null): number | null => (figure === null ? null : figure * scale)
  const distribution = { count, median: scaled(median), p95: scaled(p95), p99: scaled(p99), max: scaled(max) }
  return { name, what, unit, distribution }
}
