/**
 * A scenario: a story that is played on the simulated internet, and what users expect of it.
 *
 * The command line knows it by its name, offers its parameters, and plays its course a slice of simulated time after
 * the other, so that a run can be watched, and ended early with what was measured until then. One seed and one set of
 * values give one run, to the byte.
 */

import type { EventQueue } from './network/eventQueue.js'
import type { Observer } from './observer.js'
import type { TracedHost } from './report/connectionTrace.js'
import type { Findings } from './report/findings.js'

/** A number that the user may set: `--<name> <unit>`. */
export interface Parameter {
  readonly what: string
  readonly unit: string
  readonly default: number
  readonly min: number
  readonly max: number
  /** True where parts of one are allowed. */
  readonly fractional?: boolean
}

export type Values<Names extends string> = Readonly<Record<Names, number>>

export interface Setting<Names extends string> {
  readonly seed: number
  readonly values: Values<Names>
  /** Watch the world from its beginning. */
  readonly observers: readonly Observer[]
}

/** What has to be held in memory. */
export interface Size {
  readonly hosts: number
  /** Pairs of hosts that are peers of each other. */
  readonly pairs: number
}

export interface Scenario<Names extends string = string> {
  readonly name: string
  /** One sentence, without its full stop. */
  readonly summary: string
  /** By name, in the order in which they are shown. */
  readonly parameters: Readonly<Record<Names, Parameter>>
  size(values: Values<Names>): Size
  begin(setting: Setting<Names>): Run
}

/** Yields between slices of simulated time. */
export type Course<Result = void> = Generator<undefined, Result>

export interface Run {
  /** The time of its world. */
  readonly queue: EventQueue
  /** Of whom the first connection is drawn, if one is to be. */
  traced(): readonly TracedHost[]
  /** Milliseconds of simulated time that the course takes. */
  readonly totalMs: number
  /** To be played once. */
  course(): Course
  /** What was measured until now. */
  findings(): Findings
}

/** So much simulated time is one slice. */
const SLICE_MS = 250

/** Lets `ms` milliseconds pass, in slices. */
export function* pass(queue: EventQueue, ms: number): Course {
  yield* passUntil(queue, () => false, ms)
}

/** Lets time pass until `done`, for `ms` milliseconds at most, in slices. Returns whether it was done. */
export function* passUntil(queue: EventQueue, done: () => boolean, ms: number): Course<boolean> {
  const end = queue.elapsed + ms
  for (;;) {
    const left = end - queue.elapsed
    if (queue.runUntil(done, Math.min(SLICE_MS, left))) return true
    if (left <= SLICE_MS) return false
    yield
  }
}
