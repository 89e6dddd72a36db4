/**
 * What passes from the emulated machine to the one that runs it: a line of JSON for each test that ended, one for what
 * it has to say (its diagnostics), and one for the end of them all (init.sh). This module is both ends: as a reporter of Node's test runner it writes the lines, and
 * `parseResultLine` reads them.
 */

import { inspect } from 'node:util'

/** A test or a suite that ended. */
export interface TestResult {
  readonly kind: 'test'
  readonly name: string
  /** How many suites it is within. */
  readonly nesting: number
  readonly durationMs: number
  readonly isSuite: boolean
  readonly isSkipped: boolean
  /** Why it failed; undefined where it passed. */
  readonly failure: string | undefined
}

/** What a test says besides: what it measured. It comes after the test's end. */
export interface TestNote {
  readonly kind: 'note'
  readonly note: string
}

/** The machine's file of tests ran to its end, or was ended. */
export interface FileEnd {
  readonly kind: 'file'
  readonly exitCode: number
}

/** As Node's runner gives it to a reporter; what is read of it here. There are further kinds of events. */
export type RunnerEvent =
  | { readonly type: 'test:pass' | 'test:fail'; readonly data: RunnerResult }
  | { readonly type: 'test:diagnostic'; readonly data: RunnerNote }

interface RunnerResult {
  readonly name: string
  readonly nesting: number
  readonly skip?: string | boolean
  readonly details: {
    readonly duration_ms: number
    readonly type?: string
    readonly error?: Error
  }
}

interface RunnerNote {
  readonly message: string
  /** Of the test; the runner's own summary has none. */
  readonly file?: string
}

/** The reporter. Node wants a default export, which init.sh makes of it. */
export async function* resultLines(events: AsyncIterable<RunnerEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type === 'test:diagnostic' && data.file !== undefined)
      yield `${JSON.stringify({ note: data.message })}\n`
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { error, duration_ms, type: unit } = data.details
    const line = {
      name: data.name,
      nesting: data.nesting,
      durationMs: duration_ms,
      isSuite: unit === 'suite',
      isSkipped: data.skip !== undefined && data.skip !== false,
      ...(type === 'test:fail' ? { failure: inspect(error?.cause ?? error, { colors: false }) } : {}),
    }
    yield `${JSON.stringify(line)}\n`
  }
}

/** Reads one line; undefined for anything else. */
export function parseResultLine(line: string): TestResult | TestNote | FileEnd | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { name, nesting, durationMs, isSuite, isSkipped, failure, note, exitCode } = value as Readonly<
    Record<string, unknown>
  >
  if (typeof exitCode === 'number') return { kind: 'file', exitCode }
  if (typeof note === 'string') return { kind: 'note', note }
  if (typeof name !== 'string' || typeof nesting !== 'number' || typeof durationMs !== 'number')
    return undefined
  return {
    kind: 'test',
    name,
    nesting,
    durationMs,
    isSuite: isSuite === true,
    isSkipped: isSkipped === true,
    failure: typeof failure === 'string' ? failure : undefined,
  }
}
