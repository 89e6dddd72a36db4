/**
 * Which counters of a session were received (RFC 6479, as the kernel's WireGuard has it): a ring of words with a bit for
 * each counter. When a newer one comes, the words between are cleared, and never shifted.
 */

const WORD_BITS = 32
const WORDS = 256

/** How far behind the newest a counter may be: a word less than there is, because the newest one's is partly filled. */
export const WINDOW = WORDS * WORD_BITS - WORD_BITS

export class ReplayWindow {
  readonly #words = new Uint32Array(WORDS)
  /** One more than the newest counter; 0 before the first. */
  #end = 0

  /** Takes note of a counter, a whole number below 2^53. False where it was received before, or is too old to tell. */
  accept(counter: number): boolean {
    const place = counter + 1
    if (place + WINDOW < this.#end) return false
    const word = Math.floor(place / WORD_BITS)
    if (place > this.#end) {
      const newest = Math.floor(this.#end / WORD_BITS)
      const fresh = Math.min(word - newest, WORDS)
      for (let step = 1; step <= fresh; step++) this.#words[(newest + step) % WORDS] = 0
      this.#end = place
    }
    const at = word % WORDS
    const bit = 1 << (place % WORD_BITS)
    const known = this.#words[at] ?? 0
    if ((known & bit) !== 0) return false
    this.#words[at] = known | bit
    return true
  }
}
