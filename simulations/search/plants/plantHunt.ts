/** Searches for a planted bug, and tells how it was found. */

import { search } from '../search.js'
import { PLANT_SEEDS, type Plant } from './plant.js'
import { plant } from './planting.js'

export interface Caught {
  readonly plant: Plant
  /** Seeds that were run. */
  readonly seeds: number
  /** Seeds of these that failed. */
  readonly failed: number
  /** Undefined where it was not found. */
  readonly smallest:
    | {
        readonly seed: number
        readonly invariant: string
        readonly what: string
        readonly faults: number
        readonly hosts: number
        readonly isSmallest: boolean
      }
    | undefined
}

export interface HuntOptions {
  readonly shrinkRuns: number
  /** False to run all seeds, and count those that fail. */
  readonly firstOnly: boolean
  readonly seeds?: number
}

export async function huntFor(bug: Plant, options: HuntOptions): Promise<Caught> {
  const { shrinkRuns, firstOnly, seeds = PLANT_SEEDS } = options
  const bed = plant(bug)
  try {
    const outcome = await search({
      from: bug.from,
      to: bug.from + seeds - 1,
      workers: 1,
      cryptography: bug.cryptography ?? 'stand-in',
      shrinkRuns,
      runner: bed.runner,
      firstOnly,
    })
    const [smallest] = outcome.smallest
    return {
      plant: bug,
      seeds: outcome.seeds,
      failed: outcome.found.length,
      smallest: smallest && {
        seed: smallest.seed,
        invariant: smallest.failure.invariant,
        what: smallest.failure.what,
        faults: smallest.case.schedule.length,
        hosts: smallest.case.topology.hosts.length,
        isSmallest: smallest.isSmallest,
      },
    }
  } finally {
    bed.clear()
  }
}

/** All of them, so many at once, in their order. */
export async function huntForAll(
  bugs: readonly Plant[],
  atOnce: number,
  options: HuntOptions,
  onCaught: (caught: Caught) => void = () => undefined,
): Promise<readonly Caught[]> {
  const all: Caught[] = []
  const left = [...bugs.entries()]
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, bug] = next
      const caught = await huntFor(bug, options)
      all[index] = caught
      onCaught(caught)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return all
}
