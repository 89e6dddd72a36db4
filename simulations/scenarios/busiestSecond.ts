/** What the mesh was asked in the busiest second of a run. */

import { SECOND } from '../../src/base/time.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Measurement } from '../report/findings.js'

/** Counts that only grow, of whatever the mesh was asked. */
export type MeshCounts = Readonly<Record<'lookUps' | 'knocks' | 'publications', number>>

export class BusiestSecond {
  readonly #queue: EventQueue
  readonly #counts: MeshCounts
  #last: MeshCounts
  #most: MeshCounts = { lookUps: 0, knocks: 0, publications: 0 }

  constructor(queue: EventQueue, counts: MeshCounts) {
    this.#queue = queue
    this.#counts = counts
    this.#last = { ...counts }
    this.#look()
  }

  get measurements(): readonly Measurement[] {
    const { lookUps, knocks, publications } = this.#most
    const name = (what: string): string => `${what} in the busiest second`
    return [
      { name: 'busiest-look-ups', what: name('look-ups'), unit: 'times', value: lookUps },
      { name: 'busiest-knocks', what: name('knocks'), unit: 'times', value: knocks },
      { name: 'busiest-publications', what: name('publications'), unit: 'times', value: publications },
    ]
  }

  #look(): void {
    const { lookUps, knocks, publications } = this.#counts
    const most = (was: number, now: number, before: number): number => Math.max(was, now - before)
    this.#most = {
      lookUps: most(this.#most.lookUps, lookUps, this.#last.lookUps),
      knocks: most(this.#most.knocks, knocks, this.#last.knocks),
      publications: most(this.#most.publications, publications, this.#last.publications),
    }
    this.#last = { lookUps, knocks, publications }
    this.#queue.in(SECOND, () => this.#look())
  }
}
