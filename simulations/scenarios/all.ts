/** Every scenario there is, in the order in which they are listed. */

import type { Scenario } from '../scenario.js'
import { churn } from './churn.js'
import { dayBoundary } from './dayBoundary.js'
import { events } from './events.js'
import { flashCrowd } from './flashCrowd.js'
import { guessing } from './guessing.js'
import { hostileMembers } from './hostileMembers.js'
import { natMatrix } from './natMatrix.js'
import { partition } from './partition.js'
import { relayFailover } from './relayFailover.js'
import { roaming } from './roaming.js'
import { withoutUdp } from './withoutUdp.js'

export const SCENARIOS: readonly Scenario[] = [
  natMatrix,
  guessing,
  withoutUdp,
  roaming,
  events,
  relayFailover,
  partition,
  flashCrowd,
  hostileMembers,
  dayBoundary,
  churn,
]
