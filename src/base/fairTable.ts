/**
 * A bounded table that anybody can fill, and in which nobody can displace what others put there.
 *
 * Each entry belongs to an *owner*: who brought it, told by something that costs him, like an IP address. When the table
 * is full, the owner with the most entries loses the one that he put there longest ago; of several with as many, the one
 * of them who put nothing there for longest. So whoever puts in more than others displaces his own, and while there are
 * more places than owners, one who has a single entry keeps it.
 *
 * An entry that several bring belongs to the one of them with the fewest. Otherwise one could take what belongs to
 * another by bringing it again, and then displace it.
 */

interface Entry<Value> {
  readonly value: Value
  readonly owner: string
}

export class FairTable<Value> {
  readonly #max: number
  readonly #entries = new Map<string, Entry<Value>>()
  /** The keys of each owner, the one put there longest ago first. */
  readonly #owners = new Map<string, Set<string>>()
  /** The owners with as many entries as the index says, the one whose number changed longest ago first. */
  readonly #byNumber: Set<string>[] = []

  /** `max`: how many entries it holds. */
  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  ownerOf(key: string): string | undefined {
    return this.#entries.get(key)?.owner
  }

  /** Whose the entry would be if `bringer` put it there now. */
  ownerWith(key: string, bringer: string): string {
    const present = this.ownerOf(key)
    if (present === undefined) return bringer
    return this.#numberOf(bringer) + 1 < this.#numberOf(present) ? bringer : present
  }

  /** All entries. */
  *entries(): Generator<readonly [key: string, value: Value]> {
    for (const [key, { value }] of this.#entries) yield [key, value]
  }

  /**
   * Puts `value` under `key`, in place of what is there, as the newest entry of its owner: of `bringer`, or of the
   * present owner where that one has fewer. Returns the key that had to go for it; undefined where there was room.
   */
  set(key: string, value: Value, bringer: string): string | undefined {
    const owner = this.ownerWith(key, bringer)
    this.delete(key)
    this.#entries.set(key, { value, owner })
    const keys = this.#owners.get(owner) ?? new Set()
    this.#owners.set(owner, keys)
    keys.add(key)
    this.#count(owner, keys.size - 1, keys.size)
    if (this.#entries.size <= this.#max) return undefined
    const displaced = this.#displaced()
    if (displaced !== undefined) this.delete(displaced)
    return displaced
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    const keys = entry && this.#owners.get(entry.owner)
    if (entry === undefined || keys === undefined) return
    this.#entries.delete(key)
    keys.delete(key)
    if (keys.size === 0) this.#owners.delete(entry.owner)
    this.#count(entry.owner, keys.size + 1, keys.size)
  }

  #numberOf(owner: string): number {
    return this.#owners.get(owner)?.size ?? 0
  }

  #count(owner: string, before: number, after: number): void {
    this.#byNumber[before]?.delete(owner)
    while (this.#byNumber.length <= after) this.#byNumber.push(new Set())
    if (after > 0) this.#byNumber[after]?.add(owner)
    while (this.#byNumber.at(-1)?.size === 0) this.#byNumber.pop()
  }

  #displaced(): string | undefined {
    const [owner = ''] = this.#byNumber.at(-1) ?? []
    const [oldest] = this.#owners.get(owner) ?? []
    return oldest
  }
}
