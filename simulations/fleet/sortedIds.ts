/**
 * A set of places in the DHT, 30-bit numbers, that names those nearest to a target in the order of XOR distance.
 *
 * Sorted numbers are a binary trie: numbers that share their first bits stand side by side. So the nearest are found by
 * going down where the target's bits lead, and then by turning back, without computing any distance.
 */

/** JavaScript engines compute with integers of so few bits without allocating any. */
const BITS = 30
/** How many places there are. */
export const PLACES = 2 ** BITS

export class SortedIds {
  #ids: Uint32Array
  #size: number

  constructor(ids: Iterable<number> = []) {
    this.#ids = Uint32Array.from(new Set(ids)).sort()
    this.#size = this.#ids.length
    if (this.#size === 0) this.#ids = new Uint32Array(8)
  }

  get size(): number {
    return this.#size
  }

  /** Returns whether it was not there. */
  add(id: number): boolean {
    const at = this.#firstFrom(id)
    if (at < this.#size && this.#ids[at] === id) return false
    if (this.#size === this.#ids.length) {
      const larger = new Uint32Array(2 * this.#size)
      larger.set(this.#ids)
      this.#ids = larger
    }
    this.#ids.copyWithin(at + 1, at, this.#size)
    this.#ids[at] = id
    this.#size += 1
    return true
  }

  /** Returns whether it was there. */
  remove(id: number): boolean {
    const at = this.#firstFrom(id)
    if (at >= this.#size || this.#ids[at] !== id) return false
    this.#ids.copyWithin(at, at + 1, this.#size)
    this.#size -= 1
    return true
  }

  has(id: number): boolean {
    const at = this.#firstFrom(id)
    return at < this.#size && this.#ids[at] === id
  }

  clear(): void {
    this.#size = 0
  }

  /** How many begin with the first `bits` bits of `id`; `bits` is 1 to 29. */
  sharing(id: number, bits: number): number {
    const low = (id >>> (BITS - bits)) << (BITS - bits)
    const next = low + 2 ** (BITS - bits)
    const end = next >= PLACES ? this.#size : this.#firstFrom(next)
    return end - this.#firstFrom(low)
  }

  /** Up to `count` of them, nearest to `target` first, appended to `into`. */
  nearest(target: number, count: number, into: number[] = []): number[] {
    this.#collect(0, this.#size, target, into.length + count, into)
    return into
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#ids.subarray(0, this.#size)[Symbol.iterator]()
  }

  #collect(from: number, to: number, target: number, full: number, into: number[]): void {
    if (from >= to || into.length >= full) return
    const ids = this.#ids
    const first = ids[from] ?? 0
    const differing = first ^ (ids[to - 1] ?? 0)
    if (differing === 0) {
      into.push(first)
      return
    }
    // The highest bit in which they differ parts them; all agree in those above.
    const bit = 31 - Math.clz32(differing)
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((((ids[middle] ?? 0) >>> bit) & 1) === 1) high = middle
      else low = middle + 1
    }
    const isHigherNearer = ((target >>> bit) & 1) === 1
    this.#collect(isHigherNearer ? low : from, isHigherNearer ? to : low, target, full, into)
    this.#collect(isHigherNearer ? from : low, isHigherNearer ? low : to, target, full, into)
  }

  /** Where the first stands that is not below `id`. */
  #firstFrom(id: number): number {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ids[middle] ?? 0) < id) low = middle + 1
      else high = middle
    }
    return low
  }
}
