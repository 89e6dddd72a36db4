import type { GossipFloors } from '../../../src/io/mesh/gossipVerdicts.js'

/** Floors for sequence numbers that are no times. */
export class MemoryFloors implements GossipFloors {
  readonly #floors = new Map<string, number>()

  get(author: string): number | undefined {
    return this.#floors.get(author)
  }

  raise(author: string, sequence: number): void {
    this.#floors.set(author, Math.max(sequence, this.#floors.get(author) ?? 0))
  }
}
