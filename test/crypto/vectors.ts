/** Vectors of test/vectors, and bytes spelt in hex as they are there. Tests run from the repository's root. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromString, toString as toText } from 'uint8arrays'

/** The parsed file, as the caller knows it to be. */
export function readVectors<Shape>(name: string): Shape {
  return JSON.parse(readFileSync(join('test', 'vectors', name), 'utf8')) as Shape
}

export function hex(text: string): Uint8Array {
  return fromString(text, 'hex')
}

export function toHex(bytes: Uint8Array): string {
  return toText(bytes, 'hex')
}

/** A copy with one bit the other way round; bit 0 is the lowest of the first byte. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  const at = bit >> 3
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7))
  return flipped
}
