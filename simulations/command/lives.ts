/** Lives of modelled fleets, played one after the other for those who compare them. */

import type { Outcome } from '../report/document.js'
import type { Values } from '../scenario.js'
import { churn } from '../scenarios/churn.js'
import { replayCommand } from './arguments.js'
import { ensureFits, presentMemory } from './memory.js'
import type { Surroundings } from './runOrder.js'
import { playShown } from './runOrder.js'

type ChurnValues = Values<keyof typeof churn.parameters & string>

/** A life and the command that gives it again. */
export interface Life {
  readonly outcome: Outcome
  readonly replay: string
}

/** Plays the scenario `churn`, with its defaults for what is not given. */
export async function live(
  given: Partial<ChurnValues>,
  seed: number,
  surroundings: Surroundings,
): Promise<Life> {
  const standard = Object.entries(churn.parameters).map(([name, { default: value }]) => [name, value])
  const values = { ...Object.fromEntries(standard), ...given } as ChurnValues
  const replay = replayCommand({ scenario: churn, seed, values })
  ensureFits(churn, values, presentMemory())
  const run = churn.begin({ seed, values, observers: [] })
  const complete = await playShown(run, `${values.nodes} machines`, replay, surroundings)
  const { elapsed: simulatedMs } = run.queue
  const findings = run.findings()
  return {
    outcome: { scenario: churn.name, seed, parameters: values, complete, simulatedMs, findings },
    replay,
  }
}
