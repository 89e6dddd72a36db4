/** What a simulated run found, as plain data: text and JSON are made of it. */

import type { Distribution } from './distribution.js'

/** A quantity: one value, or the distribution of many. Names are kebab-case and stay as they are. */
export type Measurement = {
  readonly name: string
  /** In words, for people. */
  readonly what: string
  /** `ms`, `datagrams`, …; empty for a share or a plain number. */
  readonly unit: string
} & (
  | { readonly value: number }
  | {
      readonly distribution: Distribution
      /** How often nothing could be measured, because what was waited for did not come. */
      readonly unanswered?: number
    }
)

/** Null where there is nothing to say. */
export type Cell = string | number | null

export interface Column {
  /** The key of the column's cells in each row. */
  readonly key: string
  readonly heading: string
  /** Digits after the point; 0 where absent. */
  readonly digits?: number
}

export interface FindingTable {
  readonly name: string
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly Readonly<Record<string, Cell>>[]
}

/** What users may rely on, and whether it held. */
export interface Expectation {
  readonly name: string
  readonly what: string
  /** Each case in which it did not hold, in words; empty where it held. */
  readonly broken: readonly string[]
}

export interface Findings {
  readonly measurements: readonly Measurement[]
  readonly tables: readonly FindingTable[]
  readonly expectations: readonly Expectation[]
}

export function hasHeld({ expectations }: Findings): boolean {
  return expectations.every(({ broken }) => broken.length === 0)
}
