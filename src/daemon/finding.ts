/** What `tunnelbore doctor` has to say, line by line. */

/**
 * - `ok`: as it should be
 * - `note`: a limit to know of, with which everything works
 * - `warning`: something does not work as well as it could
 * - `failure`: what has to be mended, or nothing, or nobody, is reached
 */
export type Severity = 'ok' | 'note' | 'warning' | 'failure'

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly about: string
  readonly severity: Severity
  readonly says: string
  /** What mends it; null where nothing is to be mended. */
  readonly mend: string | null
}

export function ok(about: string, says: string): Finding {
  return { about, severity: 'ok', says, mend: null }
}

export function finding(
  severity: Exclude<Severity, 'ok'>,
  about: string,
  says: string,
  mend: string,
): Finding {
  return { about, severity, says, mend }
}

/** All that was found; `doctor --json` prints this. */
export interface Diagnosis {
  /** False where anything has to be mended: there is a failure. */
  readonly ok: boolean
  readonly machine: readonly Finding[]
  /** Each node that runs here. */
  readonly nodes: readonly { readonly node: string; readonly findings: readonly Finding[] }[]
}
