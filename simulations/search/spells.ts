/** What lasts for a time and may overlap with its like: it begins with the first of them and ends with the last. */

import type { EventQueue } from '../network/eventQueue.js'

export class Spells {
  readonly #queue: EventQueue
  readonly #under = new Map<string, number>()

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  /** `begin` is done unless a spell of this name is on already, `end` when the last one is over. */
  cast(name: string, forMs: number, begin: () => void, end: () => void): void {
    const under = this.#under.get(name) ?? 0
    this.#under.set(name, under + 1)
    if (under === 0) begin()
    this.#queue.in(forMs, () => {
      const left = (this.#under.get(name) ?? 1) - 1
      this.#under.set(name, left)
      if (left === 0) end()
    })
  }

  isOn(name: string): boolean {
    return (this.#under.get(name) ?? 0) > 0
  }
}
