/** Knocks that wait for the engine's answer: an id goes in with the knock and comes back with the answer. */
export class KnockDesk {
  readonly #waiting = new Map<number, (answer: Uint8Array | undefined) => void>()
  #lastId = 0
  #closed = false

  /** Gives a knock an id, hands it on, and resolves to the answer. The engine answers every knock. */
  ask(handOn: (id: number) => void): Promise<Uint8Array | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    this.#lastId += 1
    const id = this.#lastId
    const answer = new Promise<Uint8Array | undefined>((resolve) => this.#waiting.set(id, resolve))
    handOn(id)
    return answer
  }

  answer(id: number, answer: Uint8Array | undefined): void {
    this.#waiting.get(id)?.(answer)
    this.#waiting.delete(id)
  }

  /** There is no engine any more: knocks that wait, and those still to come, get no answer. */
  close(): void {
    this.#closed = true
    for (const id of [...this.#waiting.keys()]) this.answer(id, undefined)
  }
}
