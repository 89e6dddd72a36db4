/**
 * What many values of one quantity come to. All values are kept, so that the figures are exact and do not depend on an
 * approximation: for events that are counted in thousands (moves, first pings), not for each packet.
 */

/** Percentiles by the nearest rank: each is a value that occurred. All are null where there were no values. */
export interface Distribution {
  readonly count: number
  readonly median: number | null
  readonly p95: number | null
  readonly p99: number | null
  readonly max: number | null
}

export class Samples {
  readonly #values: number[] = []

  add(value: number): void {
    this.#values.push(value)
  }

  get count(): number {
    return this.#values.length
  }

  get sum(): number {
    return this.#values.reduce((sum, value) => sum + value, 0)
  }

  /** By the nearest rank, for each of these percentages; empty where there were no values. */
  quantiles(percents: readonly number[]): readonly number[] {
    const sorted = Float64Array.from(this.#values).sort()
    return percents.flatMap((percent) => nearestRank(sorted, percent) ?? [])
  }

  get distribution(): Distribution {
    const sorted = Float64Array.from(this.#values).sort()
    return {
      count: sorted.length,
      median: nearestRank(sorted, 50),
      p95: nearestRank(sorted, 95),
      p99: nearestRank(sorted, 99),
      max: nearestRank(sorted, 100),
    }
  }
}

/** The smallest value that at least so many percent of all values do not exceed. */
function nearestRank(sorted: Float64Array, percent: number): number | null {
  return sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] ?? null
}
