/**
 * A heap of actions by time, equal times in the order of adding. Times, orders and actions stand in arrays of their own,
 * where numbers do not become objects; each node has four children, because a shallow heap moves less.
 */

/** Four children: node n's are 4n + 1 to 4n + 4. */
const CHILDREN = 4
const CHILDREN_BITS = 2

/** What is read beyond the end of an array of times: nothing comes after it, and it comes before nothing. */
const NOWHERE = Number.NaN

export class EventHeap {
  #size = 0
  #added = 0
  #times = new Float64Array(64)
  #orders = new Float64Array(64)
  readonly #actions: (() => void)[] = []

  /** When the first action is due; positive infinity where there is none. */
  get firstAt(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] ?? NOWHERE)
  }

  add(time: number, action: () => void): void {
    if (this.#size === this.#times.length) this.#grow()
    const times = this.#times
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> CHILDREN_BITS
      const above = times[parent] ?? NOWHERE
      // What is added last comes last of its time.
      if (above <= time) break
      this.#move(parent, at, above)
      at = parent
    }
    this.#put(at, time, this.#added++, action)
  }

  /** Takes out the first action. */
  take(): (() => void) | undefined {
    const first = this.#actions[0]
    const last = this.#actions.pop()
    if (last === undefined) return undefined
    const size = --this.#size
    if (size > 0) this.#sink(this.#times[size] ?? NOWHERE, this.#orders[size] ?? NOWHERE, last)
    return first
  }

  /** Puts an action where the first was, and then as far down as it belongs. */
  #sink(time: number, order: number, action: () => void): void {
    const size = this.#size
    const times = this.#times
    const orders = this.#orders
    let at = 0
    for (let child = 1; child < size; child = CHILDREN * at + 1) {
      let first = child
      let firstTime = times[child] ?? NOWHERE
      const end = child + CHILDREN < size ? child + CHILDREN : size
      for (let other = child + 1; other < end; other++) {
        const otherTime = times[other] ?? NOWHERE
        if (
          otherTime < firstTime ||
          (otherTime === firstTime && (orders[other] ?? NOWHERE) < (orders[first] ?? NOWHERE))
        ) {
          first = other
          firstTime = otherTime
        }
      }
      if (time < firstTime || (time === firstTime && order < (orders[first] ?? NOWHERE))) break
      this.#move(first, at, firstTime)
      at = first
    }
    this.#put(at, time, order, action)
  }

  #move(from: number, to: number, time: number): void {
    const action = this.#actions[from]
    if (action !== undefined) this.#put(to, time, this.#orders[from] ?? NOWHERE, action)
  }

  #put(node: number, time: number, order: number, action: () => void): void {
    this.#times[node] = time
    this.#orders[node] = order
    this.#actions[node] = action
  }

  #grow(): void {
    const times = new Float64Array(2 * this.#times.length)
    const orders = new Float64Array(2 * this.#orders.length)
    times.set(this.#times)
    orders.set(this.#orders)
    this.#times = times
    this.#orders = orders
  }
}
