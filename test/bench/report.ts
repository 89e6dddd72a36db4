/** What a benchmark found, as tables for people and JSON for programs. */

import Table from 'cli-table3'

export interface Column {
  /** The key of the column's values in each row. */
  readonly key: string
  readonly heading: string
  /** Digits after the point; 0 where absent. */
  readonly digits?: number
}

/** A cell; null where there is nothing to say: shown as a dash. Numbers that are not finite count as null. */
export type Cell = string | number | null

export interface Finding {
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly Readonly<Record<string, Cell>>[]
  /** What the figures mean, and how they compare with what is wanted: a line each. */
  readonly notes: readonly string[]
}

/** The finding as text, ending in a line feed. */
export function renderFinding({ title, columns, rows, notes }: Finding): string {
  const table = new Table({
    head: columns.map(({ heading }) => heading),
    colAligns: columns.map(({ key }) =>
      rows.every((row) => typeof row[key] === 'string') ? 'left' : 'right',
    ),
    // cli-table3 colours headings and borders unless told not to.
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(columns.map((column) => cellText(row[column.key] ?? null, column)))
  return [title, table.toString(), ...notes.map((note) => `  ${note}`), ''].join('\n')
}

function cellText(cell: Cell, { digits = 0 }: Column): string {
  if (typeof cell === 'string') return cell
  return cell === null || !Number.isFinite(cell) ? '–' : cell.toFixed(digits)
}
