/** Tries that fail are made ever more rarely. */

/** The pause after the first failure, and the longest one, in milliseconds, both above zero. */
export interface Backoff {
  readonly first: number
  readonly longest: number
  /** How many times as long as the one before each pause is; 2 where absent. */
  readonly growth?: number
}

/** How long to wait after so many `failures` before this one: longer each time. */
export function backoffMs({ first, longest, growth = 2 }: Backoff, failures: number): number {
  return Math.min(longest, first * growth ** failures)
}
