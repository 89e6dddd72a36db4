/**
 * A worker thread that runs and shrinks cases, one at a time, as `Crew` asks for it.
 *
 * What it takes for a case depends on nothing but the case, so it makes no difference which worker has it, nor how many
 * there are.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { SECOND } from '../../src/base/time.js'
import { caseOf } from './arbitraries.js'
import type { Case } from './case.js'
import type { CaseOutcome, CryptographyName, RunCase, Violation } from './outcome.js'
import { type Shrunk, shrink } from './shrink.js'

/** What a worker is told at its start. */
export interface WorkerSettings {
  /** URL of a module that exports `runCase`. */
  readonly runner: string
  readonly cryptography: CryptographyName
  /** Of one byte: what is in the making ends as soon as it is not 0. */
  readonly ended: SharedArrayBuffer
}

export type Task =
  | { readonly type: 'run'; readonly seed: number }
  | {
      readonly type: 'shrink'
      readonly case: Case
      readonly violation: Violation
      readonly maxRuns: number
    }

export interface Results {
  readonly run: CaseOutcome
  readonly shrink: Shrunk<Violation>
}

if (parentPort !== null) {
  const port = parentPort
  const { runner, cryptography, ended } = workerData as WorkerSettings
  const { runCase } = (await import(runner)) as { readonly runCase: RunCase }
  const isEnded = new Uint8Array(ended)
  port.on('message', (task: Task) => port.postMessage(perform(task, runCase, cryptography, isEnded)))
}

function perform(
  task: Task,
  runCase: RunCase,
  cryptography: CryptographyName,
  isEnded: Uint8Array,
): Results[Task['type']] {
  if (task.type === 'run') return runCase(caseOf(task.seed), cryptography)
  return shrink(task.case, task.violation, {
    run: (smaller) => {
      const { violation } = runCase(smaller, cryptography)
      return violation?.invariant === task.violation.invariant ? violation : undefined
    },
    cut: withoutTheRest,
    maxRuns: task.maxRuns,
    goesOn: () => Atomics.load(isEnded, 0) === 0,
  })
}

/** Smaller cases may fail somewhat later. */
const LATER = { share: 1 / 4, ms: 30 * SECOND } as const

function withoutTheRest(whole: Case, { atMs }: Violation): Case {
  const lengthMs = Math.ceil((atMs * (1 + LATER.share) + LATER.ms) / SECOND) * SECOND
  return lengthMs < whole.lengthMs ? { ...whole, lengthMs } : whole
}
