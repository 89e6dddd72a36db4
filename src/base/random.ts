/** Randomness as an argument: the shell passes the system's, simulations and tests a seeded one. */

/** A source of random bytes. */
export interface Random {
  bytes(length: number): Uint8Array
}

/** A whole number from 0 to `below` - 1, uniform. `below` is at most 2^32. */
export function randomBelow(random: Random, below: number): number {
  const limit = Math.floor(2 ** 32 / below) * below
  for (;;) {
    const bytes = random.bytes(4)
    const value = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
    if (value < limit) return value % below
  }
}

/**
 * A source of its own for one part, so that what it draws does not shift what other parts draw. Repeatable, not secret.
 */
export function forked(random: Random): Random {
  return seededRandom(randomBelow(random, 2 ** 32))
}

/**
 * Repeatable, not secret: sfc32 (Chris Doty-Humphrey's PractRand), seeded through twelve discarded rounds.
 * For simulations and tests only.
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 | 0
  let b = seed | 0
  let c = Math.floor(seed / 2 ** 32) | 0
  let counter = 1
  const next = (): number => {
    const value = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + value) | 0
    return value >>> 0
  }
  for (let round = 0; round < 12; round++) next()
  return {
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let at = 0; at < length; at++) bytes[at] = next() & 0xff
      return bytes
    },
  }
}
