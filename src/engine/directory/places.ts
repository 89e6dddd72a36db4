/** Where a peer's records have said that it is, to tell a peer that moved from one that repeats itself. */

import type { PeerRecord } from '../../wire/record.js'

/** A gateway with a pool of addresses may show a few of them in turn. */
const MAX_PLACES = 64

export class Places {
  readonly #known = new Set<string>()

  /** Takes note of a record. True where it names a place that none before it did. Ports come and go, and do not count. */
  note(record: PeerRecord | undefined): boolean {
    const named = (record?.candidates ?? []).map(({ type, address }) => `${type} ${address.ip}`)
    const isNew = named.some((place) => !this.#known.has(place))
    if (this.#known.size > MAX_PLACES) this.#known.clear()
    for (const place of named) this.#known.add(place)
    return isNew
  }

  forget(): void {
    this.#known.clear()
  }
}
