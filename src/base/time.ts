/**
 * The two clocks, as types that the compiler refuses to mix.
 *
 * - `Instant` is monotonic and starts anywhere: deadlines, round trips, "last heard".
 * - `UnixTime` is the wall clock: records, epochs of check names. It can jump.
 *
 * Both count milliseconds. Nothing in the pure layers reads a clock: every decision is told when it is.
 */

declare const instant: unique symbol
declare const unixTime: unique symbol

/** Monotonic milliseconds since an arbitrary start. */
export type Instant = number & { readonly [instant]: true }

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type UnixTime = number & { readonly [unixTime]: true }

/** What both clocks showed when something happened. */
export interface Now {
  readonly instant: Instant
  readonly unix: UnixTime
}

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

export function asInstant(ms: number): Instant {
  return ms as Instant
}

export function asUnixTime(ms: number): UnixTime {
  return ms as UnixTime
}

/** The moment `ms` milliseconds after `start` (before it, if negative), on the same clock. */
export function after<Clock extends Instant | UnixTime>(start: Clock, ms: number): Clock {
  return (start + ms) as Clock
}

/** Milliseconds from `start` to `end`. */
export function elapsed<Clock extends Instant | UnixTime>(start: Clock, end: Clock): number {
  return end - start
}

/** The later of two moments. */
export function later<Clock extends Instant | UnixTime>(a: Clock, b: Clock): Clock {
  return a > b ? a : b
}

/** The earlier of two moments, either of which may be absent. */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return a < b ? a : b
}
