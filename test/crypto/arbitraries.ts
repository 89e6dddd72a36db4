/** Arbitrary keys and randomness for property tests. */

import fc from 'fast-check'
import { type Random, seededRandom } from '../../src/base/random.js'

/** 32 bytes that serve as an X25519 private key, clamped or not. */
export function privateKeys(): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: 32, maxLength: 32 })
}

/** Repeatable randomness. */
export function randoms(): fc.Arbitrary<Random> {
  return fc.nat().map(seededRandom)
}
