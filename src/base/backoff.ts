/** Tries that fail are made ever more rarely. */

/** The pause after the first failure, and the longest one, in milliseconds, both above zero. */
export interface Backoff {
  readonly first: number
  readonly longest: number
}

/** How long to wait after so many `failures` before this one: twice as long each time. */
export function backoffMs({ first, longest }: Backoff, failures: number): number {
  return Math.min(longest, first * 2 ** failures)
}
