/** What checks went to which address of a peer, and what came back: for the one who asks why there is no path. */

import { formatSocketAddress, type SocketAddress } from '../../base/address.js'
import type { Instant } from '../../base/time.js'
import type { CandidateType } from '../../wire/candidate.js'

/** As many as may be tried at a time (`MAX_PAIRS` of the agent); the one that was tried first is forgotten first. */
const MAX_ADDRESSES = 64

/** One address of the peer. */
export interface CheckedAddress {
  readonly remote: SocketAddress
  readonly type: CandidateType
  /** Checks of ours that went there, and answers that came. */
  readonly sent: number
  readonly answered: number
  /** Authenticated checks of the peer's that came from there. */
  readonly received: number
  /** When the last of these was. */
  readonly lastSentAt: Instant | undefined
  readonly lastHeardAt: Instant | undefined
}

type Entry = { -readonly [Name in keyof CheckedAddress]: CheckedAddress[Name] }

export class CheckLedger {
  readonly #entries = new Map<string, Entry>()

  /** In the order in which they were first tried. */
  get addresses(): readonly CheckedAddress[] {
    return [...this.#entries.values()].map((entry) => ({ ...entry }))
  }

  /** Another effort begins. */
  clear(): void {
    this.#entries.clear()
  }

  sent(type: CandidateType, remote: SocketAddress, now: Instant): void {
    const entry = this.#entry(type, remote)
    entry.type = type
    entry.sent += 1
    entry.lastSentAt = now
  }

  answered(remote: SocketAddress, now: Instant): void {
    const entry = this.#entry('peer-reflexive', remote)
    entry.answered += 1
    entry.lastHeardAt = now
  }

  received(remote: SocketAddress, now: Instant): void {
    const entry = this.#entry('peer-reflexive', remote)
    entry.received += 1
    entry.lastHeardAt = now
  }

  #entry(type: CandidateType, remote: SocketAddress): Entry {
    const key = formatSocketAddress(remote)
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const [oldest] = this.#entries.keys()
    if (this.#entries.size >= MAX_ADDRESSES && oldest !== undefined) this.#entries.delete(oldest)
    const entry: Entry = {
      remote,
      type,
      sent: 0,
      answered: 0,
      received: 0,
      lastSentAt: undefined,
      lastHeardAt: undefined,
    }
    this.#entries.set(key, entry)
    return entry
  }
}
