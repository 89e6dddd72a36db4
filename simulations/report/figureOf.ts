/** What an outcome says of one quantity, by its name. */

import type { Distribution } from './distribution.js'
import type { Outcome } from './document.js'

/** A single figure; not a number where there is none of this name. */
export function figureOf({ findings }: Outcome, name: string): number {
  const found = findings.measurements.find((each) => each.name === name)
  return found !== undefined && 'value' in found ? found.value : Number.NaN
}

/** A distribution; an empty one where there is none of this name. */
export function distributionOf({ findings }: Outcome, name: string): Distribution {
  const found = findings.measurements.find((each) => each.name === name)
  const none = { count: 0, median: null, p95: null, p99: null, max: null }
  return found !== undefined && 'distribution' in found ? found.distribution : none
}

/** How many machines there were, where that is a parameter. */
export function nodesOf({ parameters }: Outcome): number {
  const { nodes = Number.NaN } = parameters
  return nodes
}
