/**
 * Runs the cases of many seeds on all cores, and shrinks what fails.
 *
 * All seeds are run first; then, of each invariant that was violated, the case with the lowest seed is shrunk. So the
 * outcome for given seeds is the same however many workers there are.
 */

import { caseOf } from './arbitraries.js'
import type { Case } from './case.js'
import { Crew } from './crew.js'
import {
  type CaseStatistics,
  type CryptographyName,
  NO_STATISTICS,
  type RunCase,
  sumOf,
  type Violation,
} from './outcome.js'
import type { Shrunk } from './shrink.js'

export interface Found {
  readonly seed: number
  readonly violation: Violation
}

export interface Smallest extends Shrunk<Violation> {
  readonly seed: number
}

export interface Progress {
  readonly seeds: number
  readonly found: number
}

export interface SearchOptions {
  readonly from: number
  /** The last one; undefined to go on until the signal. */
  readonly to: number | undefined
  readonly workers: number
  readonly cryptography: CryptographyName
  /** Runs for each case that is shrunk, at most. */
  readonly shrinkRuns: number
  /** URL of a module that exports `runCase`. */
  readonly runner?: string
  /** True where the first violation, of the lowest seed, is enough. */
  readonly firstOnly?: boolean
  /** No more seeds are begun. */
  readonly enough?: AbortSignal
  /** Everything ends at once, with what there is. */
  readonly interrupted?: AbortSignal
  readonly onFound?: (found: Found) => void
  readonly onProgress?: (progress: Progress) => void
}

export interface SearchOutcome {
  /** How many were run. */
  readonly seeds: number
  /** False where it was interrupted. */
  readonly complete: boolean
  /** In the order of their seeds. */
  readonly found: readonly Found[]
  /** The lowest seed's of each invariant, in the same order. */
  readonly smallest: readonly Smallest[]
  readonly statistics: CaseStatistics
}

const RUNNER = new URL('runCase.js', import.meta.url).href

export async function search(options: SearchOptions): Promise<SearchOutcome> {
  const { workers, cryptography, runner = RUNNER, interrupted } = options
  const crew = new Crew({ workers, runner, cryptography })
  // What is being shrunk ends by itself, at the end of a run.
  const endShrinking = (): void => crew.endShrinking()
  interrupted?.addEventListener('abort', endShrinking)
  try {
    const hunt = new Hunt(crew, options)
    await Promise.race([hunt.runAll(), whenAborted(interrupted)])
    if (interrupted?.aborted !== true) await hunt.shrinkAll()
    return hunt.outcome(interrupted?.aborted !== true)
  } finally {
    interrupted?.removeEventListener('abort', endShrinking)
    await crew.dismiss()
  }
}

class Hunt {
  readonly #crew: Crew
  readonly #options: SearchOptions
  readonly #found: Found[] = []
  readonly #smallest: Smallest[] = []
  #next: number
  #seeds = 0
  #statistics = NO_STATISTICS

  constructor(crew: Crew, options: SearchOptions) {
    this.#crew = crew
    this.#options = options
    this.#next = options.from
  }

  /** Each worker takes the next seed as soon as it is done with one. */
  async runAll(): Promise<void> {
    await this.#withAll(async (worker) => {
      for (;;) {
        const seed = this.#take()
        if (seed === undefined) return
        const { violation, statistics } = await this.#crew.perform(worker, { type: 'run', seed })
        if (this.#options.interrupted?.aborted === true) return
        this.#seeds += 1
        this.#statistics = sumOf(this.#statistics, statistics)
        if (violation !== undefined) this.#keep({ seed, violation })
        this.#options.onProgress?.({ seeds: this.#seeds, found: this.#found.length })
      }
    })
  }

  async shrinkAll(): Promise<void> {
    const { shrinkRuns: maxRuns, firstOnly = false } = this.#options
    const left = this.#firstOfEach().slice(0, firstOnly ? 1 : undefined)
    await this.#withAll(async (worker) => {
      for (let found = left.shift(); found !== undefined; found = left.shift()) {
        const { seed, violation } = found
        const task = { type: 'shrink', case: caseOf(seed), violation, maxRuns } as const
        this.#smallest.push({ seed, ...(await this.#crew.perform(worker, task)) })
      }
    })
    this.#smallest.sort((a, b) => a.seed - b.seed)
  }

  outcome(complete: boolean): SearchOutcome {
    return {
      seeds: this.#seeds,
      complete,
      found: this.#found,
      smallest: this.#smallest,
      statistics: this.#statistics,
    }
  }

  #keep(found: Found): void {
    this.#found.push(found)
    this.#found.sort((a, b) => a.seed - b.seed)
    this.#options.onFound?.(found)
  }

  #take(): number | undefined {
    const { to = Number.POSITIVE_INFINITY, enough, firstOnly = false } = this.#options
    if (this.#next > to || enough?.aborted === true) return undefined
    // Lower ones that are under way may still be violated.
    if (firstOnly && this.#found.length > 0) return undefined
    return this.#next++
  }

  #firstOfEach(): Found[] {
    const first = new Map<string, Found>()
    for (const found of this.#found) {
      if (!first.has(found.violation.invariant)) first.set(found.violation.invariant, found)
    }
    return [...first.values()]
  }

  async #withAll(work: (worker: number) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: this.#crew.size }, (_, worker) => work(worker)))
  }
}

/** Never settles where there is no signal, or it stays silent. */
async function whenAborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return
  await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }))
}

/** A case as it is, on this thread's own: for one that comes from a file. */
export async function runOne(
  whole: Case,
  cryptography: CryptographyName,
  runner: string = RUNNER,
): Promise<Violation | undefined> {
  const { runCase } = (await import(runner)) as { readonly runCase: RunCase }
  return runCase(whole, cryptography).violation
}
