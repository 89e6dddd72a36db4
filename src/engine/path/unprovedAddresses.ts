/**
 * Addresses of which nobody but the peer says that it is there. While a relay carries the traffic each gets a few series of
 * checks, whatever ports the peer names with it: the address may be somebody else's. After that there are none until we
 * are elsewhere, or somebody proves that the peer is there.
 */

import type { Pair } from './pair.js'

/** Of seven checks each. The peer names two ports, as a rule. */
const MAX_SERIES = 8

/** A peer that names ever new addresses pushes out its own former ones. */
const MAX_ADDRESSES = 64

export class UnprovedAddresses {
  readonly #series = new Map<string, number>()

  /** Whether another series may begin over a pair that nothing was proved of; if so, it is counted. */
  mayTry({ type, remote: { ip } }: Pick<Pair, 'type' | 'remote'>): boolean {
    // A relay has shown that it is one, and the user's word is good.
    if (type === 'relayed' || type === 'configured') return true
    const count = this.#series.get(ip) ?? 0
    if (count >= MAX_SERIES) return false
    const [oldest] = this.#series.keys()
    if (count === 0 && oldest !== undefined && this.#series.size >= MAX_ADDRESSES) this.#series.delete(oldest)
    this.#series.set(ip, count + 1)
    return true
  }

  /** The peer is there after all. */
  forget(ip: string): void {
    this.#series.delete(ip)
  }

  /** The peer says that it is elsewhere, or back: each address gets one more try, of both its ports. */
  allowAnother(): void {
    for (const [ip, count] of this.#series) this.#series.set(ip, Math.min(count, MAX_SERIES - 2))
  }

  clear(): void {
    this.#series.clear()
  }
}
