/** Random numbers for one part of a network, many at a time: a link draws several for each datagram. */

import type { Random } from '../../src/base/random.js'

const BLOCK = 256

export class Draws {
  readonly #random: Random
  #block: DataView
  #at = BLOCK

  constructor(random: Random) {
    this.#random = random
    this.#block = new DataView(new ArrayBuffer(0))
  }

  /** From 0 up to, but not including, 1; uniform, in steps of 2^-32. */
  share(): number {
    if (this.#at === BLOCK) {
      const bytes = this.#random.bytes(BLOCK)
      this.#block = new DataView(bytes.buffer, bytes.byteOffset, BLOCK)
      this.#at = 0
    }
    const value = this.#block.getUint32(this.#at)
    this.#at += 4
    return value / 2 ** 32
  }

  /** A whole number from 0 to `below` - 1. `below` is small beside 2^32, so that what is left over does not matter. */
  below(below: number): number {
    return Math.floor(this.share() * below)
  }
}
