/** The figures of a report: what was measured as pictures, each with a sentence that says what to see. */

import * as Plot from '@observablehq/plot'
import { curveText, fit, type Observation } from '../../fleet/growth.js'
import type { Outcome } from '../document.js'
import { distributionOf, figureOf, nodesOf } from '../figureOf.js'
import type { Cell, FindingTable } from '../findings.js'
import { draw, drawSeries, type Figure, type Series } from './drawing.js'

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
  const points = (key: string) =>
    rows.flatMap(({ minute, [key]: value }) =>
      typeof minute === 'number' ? [{ x: minute, y: wholeOf(value) }] : [],
    )
  const found = points('found')
  const lowest = Math.min(100, ...found.map(({ y }) => y))
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
        { name: '% of look-ups that found a peer that is there', points: found },
        {
          name: '% of what was found that was not the newest',
          points: rows.map(({ minute, stale }) => ({
            x: Number(minute),
            y: typeof stale === 'number' ? stale : 0,
          })),
        },
      ],
      { x: 'minutes', y: '%', fromZero: true },
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

/** What becomes of each pair of networks. */
export function natMatrixFigure(outcome: Outcome): Figure {
  const cells = (tableOf(outcome, 'pairs')?.rows ?? []).flatMap(({ from, to, way }) =>
    typeof from === 'string' && typeof to === 'string' && typeof way === 'string' ? [{ from, to, way }] : [],
  )
  const both = cells.flatMap(({ from, to, way }) => [
    { from, to, way },
    ...(from === to ? [] : [{ from: to, to: from, way }]),
  ])
  const colour: Readonly<Record<string, string>> = { direct: 'var(--blue)', relayed: 'var(--orange)' }
  const mark: Readonly<Record<string, string>> = { direct: '●', relayed: '◐' }
  const direct = cells.filter(({ way }) => way === 'direct').length
  return {
    title: 'Who talks to whom, and how',
    saying: `${direct} of ${cells.length} pairs of networks come to a direct path (●), the others stay on a relay (◐); ○ would be none.`,
    svg: draw({
      width: 640,
      height: 560,
      marginLeft: 150,
      marginBottom: 150,
      marginTop: 10,
      padding: 0.08,
      x: { label: null, tickRotate: -55 },
      y: { label: null },
      marks: [
        Plot.cell(both, {
          x: 'from',
          y: 'to',
          fill: ({ way }: { way: string }) => colour[way] ?? 'var(--pink)',
        }),
        Plot.text(both, {
          x: 'from',
          y: 'to',
          text: ({ way }: { way: string }) => mark[way] ?? '○',
          fill: 'var(--paper)',
          fontSize: 14,
        }),
      ],
    }),
  }
}

function tableOf({ findings }: Outcome, name: string): FindingTable | undefined {
  return findings.tables.find((table) => table.name === name)
}

function text(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  return Number.isInteger(value) ? `${value}` : value.toFixed(value >= 99.9 ? 2 : 1)
}
