/** Knocks that wait for the engine's answer: an id goes in with the knock and comes back with the answer. */
export class KnockDesk {
  readonly #waiting = new Map<number, (answer: Uint8Array | undefined) => void>()
  #lastId = 0

  /** Gives a knock an id, hands it on, and resolves to the answer. The engine answers every knock. */
  ask(handOn: (id: number) => void): Promise<Uint8Array | undefined> {
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
}
