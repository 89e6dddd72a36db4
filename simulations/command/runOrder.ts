/** Runs what was ordered: checks that it can be done, plays it, says what came of it. */

import { open, writeFile } from 'node:fs/promises'
import { causeOf, UserError } from '../../src/base/userError.js'
import { ConnectionTrace } from '../report/connectionTrace.js'
import { type Outcome, renderDocument } from '../report/document.js'
import { hasHeld } from '../report/findings.js'
import { renderSequence } from '../report/sequenceDiagram.js'
import type { Terminal } from '../report/statusLine.js'
import { renderOutcome } from '../report/text.js'
import type { Run } from '../scenario.js'
import { type Order, replayCommand } from './arguments.js'
import { ensureFits, presentMemory } from './memory.js'
import { play } from './play.js'
import { ProgressBar } from './progressBar.js'

export interface Surroundings {
  /** For the progress. */
  readonly terminal: Terminal
  /** For what was found. */
  write(text: string): unknown
  /** Milliseconds of real time. */
  clock(): number
  isInterrupted(): boolean
}

export type Verdict = 'held' | 'broken' | 'interrupted'

export async function runOrder(order: Order, surroundings: Surroundings): Promise<Verdict> {
  const { scenario, seed, values, sequence } = order
  ensureFits(scenario, values, presentMemory())
  if (sequence !== undefined) await ensureWritable(sequence)
  const replay = replayCommand(order)
  let run: Run | undefined
  const trace = new ConnectionTrace({
    elapsed: () => run?.queue.elapsed ?? 0,
    hosts: () => run?.traced() ?? [],
  })
  run = scenario.begin({ seed, values, observers: sequence === undefined ? [] : [trace] })
  const complete = await playShown(run, scenario.name, replay, surroundings)
  const outcome: Outcome = {
    scenario: scenario.name,
    seed,
    parameters: values,
    complete,
    simulatedMs: run.queue.elapsed,
    findings: run.findings(),
  }
  surroundings.write(order.json ? renderDocument(outcome) : renderOutcome(outcome, scenario.summary, replay))
  if (sequence !== undefined) await writeFile(sequence, renderSequence(trace.connection, replay))
  if (!complete) return 'interrupted'
  return hasHeld(outcome.findings) ? 'held' : 'broken'
}

/** Plays a run, and shows how far it is. Returns false where it was interrupted. */
export async function playShown(
  run: Run,
  name: string,
  replay: string,
  { terminal, clock, isInterrupted }: Surroundings,
): Promise<boolean> {
  const bar = new ProgressBar(name, run.totalMs, terminal, clock)
  try {
    const audience = { show: (simulatedMs: number) => bar.show(simulatedMs), isInterrupted }
    const complete = await play(run, audience, clock)
    bar.end(run.queue.elapsed, complete)
    return complete
  } catch (error) {
    bar.clear()
    const at = (run.queue.elapsed / 1_000).toFixed(3)
    throw new Error(`${causeOf(error)}, ${at} s into ${replay}`, { cause: error })
  }
}

/** A path that cannot be written to is told before the run. */
export async function ensureWritable(path: string): Promise<void> {
  try {
    await (await open(path, 'a')).close()
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${causeOf(error)}`, 2)
  }
}
