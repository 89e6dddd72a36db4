/** The figures of a report: what was measured as pictures, each with a sentence that says what to see. */

import * as Plot from '@observablehq/plot'
import { curveText, fit, type Observation } from '../../fleet/growth.js'
import type { Outcome } from '../document.js'
import { distributionOf, figureOf, nodesOf } from '../figureOf.js'
import type { Cell, FindingTable } from '../findings.js'
import { draw, drawSeries, type Figure, type Series } from './drawing.js'

type Row = Readonly<Record<string, Cell>>

/** A share of all, in percent, or 100 where nothing was asked. */
const wholeOf = (cell: Cell | undefined): number => (typeof cell === 'number' ? cell : 100)

/** How long what takes time took. */
export function distributionFigure(outcome: Outcome): Figure {
  const rows = tableOf(outcome, 'quantiles')?.rows ?? []
  const series = (name: string, key: string): Series => ({
    name,
    points: rows.flatMap(({ percent, [key]: ms }) =>
      typeof percent === 'number' && typeof ms === 'number' ? [{ x: Math.max(ms, 1), y: percent }] : [],
    ),
  })
  const cold = distributionOf(outcome, 'cold-look-up')
  return {
    title: 'How long look-ups and first answers take',
    saying: `Half of the first look-ups of a session have a record after ${text(cold.median)} ms, 95 % of them after ${text(cold.p95)} ms. A curve further to the left is faster.`,
    svg: drawSeries(
      [
        series('first look-ups of a session', 'cold'),
        series('later look-ups', 'warm'),
        series('first packet to first answer', 'connect'),
      ],
      { x: 'ms', y: '% took no longer', logarithmicX: true },
    ),
  }
}

/** How look-ups go over time; `what` befell the fleet half-way. `where` tells the fleet from others. */
export function courseFigure(outcome: Outcome, what: string | undefined, where = ''): Figure {
  const rows = tableOf(outcome, 'over-time')?.rows ?? []
  const points = (of: (row: Row) => number) =>
    rows.flatMap((row) => {
      const { minute } = row
      return typeof minute === 'number' ? [{ x: minute, y: of(row) }] : []
    })
  const missed = points(({ found }) => 100 - wholeOf(found))
  const lowest = Math.min(100, ...missed.map(({ y }) => 100 - y))
  const { hours = 0 }: Readonly<Record<string, number>> = outcome.parameters
  const half = (hours * 60) / 2
  const struck =
    what === undefined ? [] : [Plot.ruleX([half], { stroke: 'currentColor', strokeDasharray: '1 3' })]
  const share = text(figureOf(outcome, 'found'))
  return {
    title:
      what === undefined
        ? `Look-ups through the churn${where === '' ? '' : `, ${where}`}`
        : `Look-ups after ${what}`,
    saying: `${share} % of all look-ups of peers that are there found them; in the worst stretch ${text(lowest)} %.${what === undefined ? '' : ' The dotted line is when it happened.'}`,
    svg: drawSeries(
      [
        { name: '% of look-ups that did not find a peer that is there', points: missed },
        {
          name: '% of what was found that was not the newest',
          points: points(({ stale }) => (typeof stale === 'number' ? stale : 0)),
        },
      ],
      { x: 'minutes', y: '%', fromZero: true, reachesY: 10 },
      struck,
    ),
  }
}

/** How many are there over time. */
export function populationFigure(outcome: Outcome): Figure {
  const rows = tableOf(outcome, 'over-time')?.rows ?? []
  const points = (key: string) =>
    rows.map(({ minute, [key]: value }) => ({ x: Number(minute), y: Number(value) }))
  return {
    title: 'Machines that are there',
    saying: 'All machines, and those of them that serve; who serves keeps the records and relays.',
    svg: drawSeries(
      [
        { name: 'machines', points: points('online') },
        { name: 'of them serve', points: points('servers') },
      ],
      { x: 'minutes', y: 'machines', fromZero: true },
    ),
  }
}

/** A quantity of fleets of several sizes. */
export interface Growing {
  readonly name: string
  readonly outcomes: readonly Outcome[]
  readonly of: (outcome: Outcome) => number
}

/** Quantities at several sizes of a fleet, with the curves that fit. */
export function growthFigure(title: string, unit: string, quantities: readonly Growing[]): Figure {
  const grown = quantities.map(({ name, outcomes, of }) => ({
    name,
    observations: outcomes.map((outcome): Observation => ({ nodes: nodesOf(outcome), value: of(outcome) })),
  }))
  const curves = grown.flatMap(({ name, observations }) => {
    const curve = fit(observations)
    if (curve === undefined) return []
    return [`${name}: ${curveText(curve)} ${unit}, within ${Math.ceil(100 * curve.error)} %`]
  })
  const series = grown.map(({ name, observations }) => ({
    name,
    points: observations.map(({ nodes, value }) => ({ x: nodes, y: value })),
  }))
  const dots = series.map(({ points }) => Plot.dot(points, { x: 'x', y: 'y', r: 3, fill: 'currentColor' }))
  return {
    title,
    saying: `With N machines there at a time, ${curves.join('; ')}.`,
    svg: drawSeries(series, { x: 'machines', y: unit, logarithmicX: true, fromZero: true }, dots),
  }
}

interface Pair {
  readonly from: string
  readonly to: string
  readonly way: string
}

const COLOUR_OF_WAY: Readonly<Record<string, string>> = { direct: 'var(--blue)', relayed: 'var(--orange)' }
const MARK_OF_WAY: Readonly<Record<string, string>> = { direct: '●', relayed: '◐' }
const colourOf = ({ way }: Pair): string => COLOUR_OF_WAY[way] ?? 'var(--pink)'
const markOf = ({ way }: Pair): string => MARK_OF_WAY[way] ?? '○'

/** What becomes of each pair of networks: of any two, and of those that are met in one place only. */
export function natMatrixFigures(outcome: Outcome): readonly Figure[] {
  const pairs = (tableOf(outcome, 'pairs')?.rows ?? []).flatMap(({ from, to, way }): readonly Pair[] =>
    typeof from === 'string' && typeof to === 'string' && typeof way === 'string' ? [{ from, to, way }] : [],
  )
  const common = pairs.filter(({ from, to }) => from === to).map(({ from }) => from)
  const isCommon = ({ from, to }: Pair): boolean => common.includes(from) && common.includes(to)
  const matrix = pairs.filter(isCommon)
  const both = matrix.flatMap((pair) =>
    pair.from === pair.to ? [pair] : [pair, { ...pair, from: pair.to, to: pair.from }],
  )
  const others = pairs
    .filter((pair) => !isCommon(pair))
    .map((pair) => ({ ...pair, y: `${pair.from} – ${pair.to}` }))
  const directOf = (all: readonly Pair[]): string =>
    `${all.filter(({ way }) => way === 'direct').length} of ${all.length}`
  const marks = (all: readonly Pair[], x: string, y: string): readonly Plot.Markish[] => [
    Plot.cell(all, { x, y, fill: colourOf }),
    Plot.text(all, { x, y, text: markOf, fill: 'var(--paper)', fontSize: 14 }),
  ]
  return [
    {
      title: 'Who talks to whom, and how',
      saying: `${directOf(matrix)} pairs of networks come to a direct path (●), the others stay on a relay (◐); ○ would be none.`,
      svg: draw({
        height: 480,
        marginLeft: 120,
        marginBottom: 120,
        marginTop: 8,
        padding: 0.08,
        x: { label: null, tickRotate: -60, domain: common },
        y: { label: null, domain: common },
        marks: [...marks(both, 'from', 'to')],
      }),
    },
    {
      title: 'Networks that are near each other, and gateways that are asked to open a port',
      saying: `${directOf(others)} of them come to a direct path (●); the others stay on a relay (◐), because their gateway lets nothing back in, or does not do what it says.`,
      svg: draw({
        height: 420,
        marginLeft: 210,
        marginBottom: 40,
        marginTop: 8,
        padding: 0.08,
        x: { label: null, domain: ['direct', 'relayed', 'none'] },
        y: { label: null, domain: others.map(({ y }) => y) },
        marks: [...marks(others, 'way', 'y')],
      }),
    },
  ]
}

function tableOf({ findings }: Outcome, name: string): FindingTable | undefined {
  return findings.tables.find((table) => table.name === name)
}

function text(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  return Number.isInteger(value) ? `${value}` : value.toFixed(value >= 99.9 ? 2 : 1)
}
