/**
 * TAI64N timestamps, which order the first messages of a peer (whitepaper section 5.1).
 *
 * ```
 *  0                8            12
 *  | seconds, u64 BE | nanos, u32 BE |
 * ```
 *
 * Seconds count from 2^62 at 1970-01-01, ten seconds on for TAI (https://cr.yp.to/libtai/tai64.html).
 */

import { compare } from 'uint8arrays'
import { SECOND, type UnixTime } from '../base/time.js'

export const TAI64N_LENGTH = 12

const EPOCH = 2n ** 62n + 10n
const NANOSECONDS_PER_MILLISECOND = 1_000_000

/** The timestamp of a moment. */
export function tai64n(unix: UnixTime): Uint8Array {
  const bytes = new Uint8Array(TAI64N_LENGTH)
  const view = new DataView(bytes.buffer)
  const seconds = Math.floor(unix / SECOND)
  view.setBigUint64(0, EPOCH + BigInt(seconds))
  view.setUint32(8, Math.floor((unix - seconds * SECOND) * NANOSECONDS_PER_MILLISECOND))
  return bytes
}

/** Below zero where `a` is earlier than `b`, above where it is later, zero where they are the same. */
export function compareTai64n(a: Uint8Array, b: Uint8Array): number {
  return compare(a, b)
}
