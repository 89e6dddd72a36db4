/** Where a peer's records have said that it is, to tell a peer that moved from one that repeats itself. */

import type { PeerRecord } from '../../wire/record.js'

/** A gateway with a pool of addresses may show a few of them in turn. */
const MAX_PLACES = 64

export class Places {
  readonly #known = new Set<string>()
  #last = ''
  /** True where the record that was noted last names other places than the one before it. */
  haveChanged = false

  /** Takes note of a record. True where it names a place that none before it did. Ports come and go, and do not count. */
  note(record: PeerRecord | undefined): boolean {
    const named = (record?.candidates ?? []).map(({ type, address }) => `${type} ${address.ip}`)
    const last = [...new Set(named)].sort().join()
    this.haveChanged = last !== this.#last
    this.#last = last
    const isNew = named.some((place) => !this.#known.has(place))
    if (this.#known.size > MAX_PLACES) this.#known.clear()
    for (const place of named) this.#known.add(place)
    return isNew
  }

  forget(): void {
    this.#known.clear()
  }
}
