/**
 * A run's outcome for programs. The names of the fields stay; nothing in it depends on the machine or its clock, so that
 * one seed gives one document, to the byte.
 */

import { createHash } from 'node:crypto'
import type { Distribution } from './distribution.js'
import { type Findings, hasHeld, type Measurement } from './findings.js'

/** What was run, and how far it came. */
export interface Outcome {
  readonly scenario: string
  readonly seed: number
  readonly parameters: Readonly<Record<string, number>>
  /** False where it was interrupted. */
  readonly complete: boolean
  /** Simulated milliseconds that passed. */
  readonly simulatedMs: number
  readonly findings: Findings
}

/** The outcome as JSON, ending in a line feed. */
export function renderDocument(outcome: Outcome): string {
  const { scenario, seed, parameters, complete, simulatedMs, findings } = outcome
  const body = {
    scenario,
    seed,
    parameters,
    ...(complete ? { complete } : { complete, incomplete: 'interrupted' }),
    simulatedMs: round(simulatedMs),
    // Of a run that was cut short it cannot be said.
    held: complete ? hasHeld(findings) : null,
    expectations: findings.expectations.map(({ name, what, broken }) => ({
      name,
      what,
      held: complete ? broken.length === 0 : null,
      broken,
    })),
    measurements: Object.fromEntries(findings.measurements.map((entry) => [entry.name, measured(entry)])),
    tables: Object.fromEntries(findings.tables.map(({ name, rows }) => [name, rows.map(roundedRow)])),
  }
  return `${JSON.stringify({ ...body, digest: digestOf(body) }, undefined, 2)}\n`
}

/** Two runs with the same digest found the same. */
export function digestOf(found: unknown): string {
  return createHash('sha256').update(JSON.stringify(found)).digest('hex').slice(0, 16)
}

/** To a thousandth: of milliseconds, that is finer than anything here is modelled. */
export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

function measured(entry: Measurement): unknown {
  const { what, unit } = entry
  if ('value' in entry) return { what, unit, value: round(entry.value) }
  const { distribution, unanswered } = entry
  return {
    what,
    unit,
    ...roundedDistribution(distribution),
    ...(unanswered === undefined ? {} : { unanswered }),
  }
}

function roundedDistribution({ count, median, p95, p99, max }: Distribution): Distribution {
  const figure = (value: number | null) => (value === null ? null : round(value))
  return { count, median: figure(median), p95: figure(p95), p99: figure(p99), max: figure(max) }
}

function roundedRow(row: Findings['tables'][number]['rows'][number]): unknown {
  return Object.fromEntries(
    Object.entries(row).map(([key, cell]) => [key, typeof cell === 'number' ? round(cell) : cell]),
  )
}
