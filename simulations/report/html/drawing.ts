/**
 * Plots as SVG, drawn when the report is written: it needs no script to be looked at. Colours are variables of the page,
 * so that the same drawing suits light, dark and paper.
 */

import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/** One that is read on a phone as well: no wider than this, in CSS pixels. */
const WIDTH = 480
const HEIGHT = 280

/** Okabe and Ito's colours, which the colour-blind can tell apart; the page has darker and lighter ones of them. */
export const COLOURS = ['var(--blue)', 'var(--orange)', 'var(--green)', 'var(--pink)'] as const

/** A figure of the report. */
export interface Figure {
  readonly title: string
  /** What to see in it. */
  readonly saying: string
  /** An SVG element. */
  readonly svg: string
}

/** Lines and dots that belong together have a name, a colour and a form of their own. */
export interface Series {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
  /** Drawn as dots, not as a line. */
  readonly isDots?: boolean
}

export interface Axes {
  readonly x: string
  readonly y: string
  readonly logarithmicX?: boolean
  readonly logarithmicY?: boolean
  readonly fromZero?: boolean
  /** The axis reaches at least so far. */
  readonly reachesY?: number
}

/** Forms of lines, so that nobody needs the colours. */
const DASHES = ['none', '6 3', '2 3', '8 3 2 3'] as const

export function drawSeries(
  series: readonly Series[],
  axes: Axes,
  marks: readonly Plot.Markish[] = [],
): string {
  const shown = series.filter(({ points }) => points.length > 0)
  const lines = shown.map(({ points, isDots }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? 'currentColor'
    if (isDots === true) return Plot.dot(points, { x: 'x', y: 'y', fill: colour, r: 3.5 })
    const strokeDasharray = DASHES[index % DASHES.length] ?? 'none'
    return Plot.lineY(points, { x: 'x', y: 'y', stroke: colour, strokeWidth: 2, strokeDasharray })
  })
  const reached = axes.reachesY === undefined ? [] : [Plot.ruleY([axes.reachesY], { strokeOpacity: 0 })]
  return draw(
    {
      x: {
        label: axes.x,
        ...(axes.logarithmicX === true ? { type: 'log', ticks: 4, tickFormat: '~s' } : {}),
      },
      y: {
        label: axes.y,
        grid: true,
        ...(axes.logarithmicY === true ? { type: 'log', ticks: 5, tickFormat: '~s' } : {}),
        ...(axes.fromZero === true ? { zero: true } : {}),
      },
      marks: [...reached, ...marks, ...lines],
    },
    shown.map(({ name }) => name),
  )
}

/** Draws a plot, with a legend above it that names the series in their order. */
export function draw(options: Plot.PlotOptions, legend: readonly string[] = []): string {
  const { document } = parseHTML('<html><body></body></html>')
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginTop: 34 + 16 * legend.length,
    marginLeft: 56,
    marginBottom: 42,
    style: { fontSize: '12px' },
    ...options,
  })
  for (const [index, name] of legend.entries()) {
    const y = 30 + 16 * index
    const line = `<line x1="8" x2="36" y1="${y - 4}" y2="${y - 4}" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="3" stroke-dasharray="${DASHES[index % DASHES.length]}"></line>`
    const text = `<text x="42" y="${y}">${escaped(name)}</text>`
    svg.insertAdjacentHTML('beforeend', `<g text-anchor="start">${line}${text}</g>`)
  }
  // Its size comes from the page, and what can be read aloud from the title of the figure.
  svg.removeAttribute('width')
  svg.removeAttribute('height')
  svg.setAttribute('role', 'img')
  return svg.outerHTML
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
