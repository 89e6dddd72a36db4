/**
 * Makes a case that fails as small as it will go while it fails in the same way.
 *
 * Greedy: the first smaller case that fails too is gone on with, until no smaller one does or the effort is spent. No
 * case is run twice. The outcome depends on the case and the effort alone, not on the time that runs take.
 */

import { type Case, soundCase } from './case.js'
import { PASSES, type Pass } from './smaller.js'

export interface ShrinkOptions<Failure> {
  /** Runs a case; undefined where it does not fail, or not in the way that is looked for. */
  readonly run: (smaller: Case) => Failure | undefined
  /** Leaves out of a case what comes long after it failed. It still fails in the same way. */
  readonly cut?: (whole: Case, failure: Failure) => Case
  /** Runs that are made at most. */
  readonly maxRuns: number
  /** Asked before each run: false ends the effort, complete or not. */
  readonly goesOn?: () => boolean
  readonly passes?: readonly Pass[]
}

export interface Shrunk<Failure> {
  readonly case: Case
  readonly failure: Failure
  readonly runs: number
  /** True where no smaller case fails; false where the effort was spent before that was known. */
  readonly isSmallest: boolean
}

export function shrink<Failure>(
  start: Case,
  failure: Failure,
  { run, cut = (whole) => whole, maxRuns, goesOn = () => true, passes = PASSES }: ShrinkOptions<Failure>,
): Shrunk<Failure> {
  let best = { case: cut(soundCase(start), failure), failure }
  let runs = 0
  const tried = new Set([JSON.stringify(best.case)])

  /** The first candidate that fails; `spent` where there was no effort left to look. */
  const firstFailing = (pass: Pass): 'none' | 'found' | 'spent' => {
    for (const candidate of pass(best.case)) {
      const smaller = soundCase(candidate)
      const text = JSON.stringify(smaller)
      if (tried.has(text)) continue
      if (runs >= maxRuns || !goesOn()) return 'spent'
      tried.add(text)
      runs += 1
      const found = run(smaller)
      if (found === undefined) continue
      best = { case: cut(smaller, found), failure: found }
      return 'found'
    }
    return 'none'
  }

  for (;;) {
    let progressed = false
    for (const pass of passes) {
      for (;;) {
        const outcome = firstFailing(pass)
        if (outcome === 'spent') return { ...best, runs, isSmallest: false }
        if (outcome === 'none') break
        progressed = true
      }
    }
    if (!progressed) return { ...best, runs, isSmallest: true }
  }
}
