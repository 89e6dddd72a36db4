/** Runs that only look at the case: what the search does with its outcomes can be foretold. */

import type { Case } from '../../../simulations/search/case.js'
import { type CaseOutcome, NO_STATISTICS, type Violation } from '../../../simulations/search/outcome.js'

export function runCase(whole: Case): CaseOutcome {
  const { schedule, lengthMs } = whole
  const statistics = { ...NO_STATISTICS, simulatedMs: lengthMs, struck: { sleeps: 1 } }
  return { violation: violationOf(schedule.map(({ fault }) => fault.type)), statistics }
}

function violationOf(types: readonly string[]): Violation | undefined {
  if (types.includes('partition') && types.includes('sleeps'))
    return { invariant: 'awake', what: 'a host slept through a partition', atMs: 1_000 }
  if (types.includes('junk-flood')) return { invariant: 'clean', what: 'there was junk', atMs: 2_000 }
  return undefined
}
