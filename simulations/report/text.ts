/** A run's outcome for people: what was measured as tables, then each expectation with a mark. */

import Table from 'cli-table3'
import type { Outcome } from './document.js'
import type { Cell, Column, Expectation, FindingTable, Measurement } from './findings.js'

/** Breaches of one expectation that are shown; the JSON has all. */
const SHOWN_BREACHES = 5

/** The outcome as text, ending in a line feed. `replay` is the command that gives it again. */
export function renderOutcome(outcome: Outcome, summary: string, replay: string): string {
  const { scenario, complete, findings } = outcome
  const blocks = [
    `${scenario}: ${summary}`,
    ...(complete
      ? []
      : [`incomplete: interrupted after ${clockText(outcome.simulatedMs)} of simulated time`]),
    ...(findings.measurements.length === 0 ? [] : [renderMeasurements(findings.measurements)]),
    ...findings.tables.map(renderTable),
    ...findings.expectations.map((expectation) => renderExpectation(expectation, complete)),
    `again: ${replay}`,
  ]
  return `${blocks.join('\n')}\n`
}

/** `26:03:09` for hours, minutes and seconds; hours are not turned into days. */
export function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const two = (value: number): string => String(value % 60).padStart(2, '0')
  return `${Math.floor(seconds / 3_600)}:${two(Math.floor(seconds / 60))}:${two(seconds)}`
}

function renderMeasurements(measurements: readonly Measurement[]): string {
  return render(
    [
      { key: 'what', heading: 'measured' },
      { key: 'unit', heading: 'unit' },
      { key: 'value', heading: 'value' },
      ...['median', 'p95', 'p99', 'max'].map((key) => ({ key, heading: key })),
    ],
    measurements.map((entry) => {
      const { what, unit } = entry
      if ('value' in entry) return { what, unit, value: figureText(entry.value) }
      const { count, median, p95, p99, max } = entry.distribution
      const missing = (entry.unanswered ?? 0) > 0 ? `, ${entry.unanswered} in vain` : ''
      return {
        what,
        unit,
        value: `${count} times${missing}`,
        median: figureText(median),
        p95: figureText(p95),
        p99: figureText(p99),
        max: figureText(max),
      }
    }),
  )
}

function renderTable({ title, columns, rows }: FindingTable): string {
  return `${title}\n${render(columns, rows)}`
}

function renderExpectation({ what, broken }: Expectation, complete: boolean): string {
  if (!complete) return `  ? ${what}: not judged`
  if (broken.length === 0) return `  ✓ ${what}`
  const more = broken.length - SHOWN_BREACHES
  return [
    `  ✗ ${what}: broken ${broken.length === 1 ? 'once' : `${broken.length} times`}`,
    ...broken.slice(0, SHOWN_BREACHES).map((breach) => `      ${breach}`),
    ...(more > 0 ? [`      … and ${more} more`] : []),
  ].join('\n')
}

function render(columns: readonly Column[], rows: readonly Readonly<Record<string, Cell>>[]): string {
  const table = new Table({
    head: columns.map(({ heading }) => heading),
    colAligns: columns.map(({ key }, index) =>
      index === 0 || rows.every((row) => isWord(row[key])) ? 'left' : 'right',
    ),
    // cli-table3 colours headings and borders unless told not to.
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(columns.map((column) => cellText(row[column.key] ?? null, column)))
  return table.toString()
}

/** True for a cell that is read from the left. */
function isWord(cell: Cell | undefined): boolean {
  return typeof cell === 'string' && !/^[\d–]/.test(cell)
}

function cellText(cell: Cell, { digits = 0 }: Column): string {
  if (typeof cell === 'string') return cell
  return cell === null ? '–' : cell.toFixed(digits)
}

/** Whole where it is large, with a decimal where that matters. */
function figureText(value: number | null): string {
  if (value === null) return '–'
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 1 ? 1 : 3)
}
