/** The highest sequence numbers seen, in bounded memory. */

/** The highest sequence number seen of each author. */
export interface Floors {
  /** Undefined where nothing is known of the author. */
  get(author: string): number | undefined
  raise(author: string, sequence: number): void
}

/** At some 150 bytes each, half a megabyte or so. */
export const MAX_FLOORS = 4096

/**
 * Floors that last as long as the process. Beyond {@link MAX_FLOORS} authors the one raised longest ago is forgotten:
 * a flood of made-up authors can thus make an older record pass once more, for as long as that is valid. Whoever wants
 * a record still refuses what is older than his own.
 */
export class MemoryFloors implements Floors {
  readonly #floors = new Map<string, number>()

  get(author: string): number | undefined {
    return this.#floors.get(author)
  }

  raise(author: string, sequence: number): void {
    const floor = Math.max(sequence, this.#floors.get(author) ?? 0)
    this.#floors.delete(author)
    this.#floors.set(author, floor)
    if (this.#floors.size <= MAX_FLOORS) return
    const oldest = this.#floors.keys().next()
    if (!oldest.done) this.#floors.delete(oldest.value)
  }
}
