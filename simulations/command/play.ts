/** Plays a scenario to its end, or until it is interrupted, and lets the rest of the process breathe meanwhile. */

import { setImmediate } from 'node:timers/promises'
import type { Run } from '../scenario.js'

/** So long the process hears nothing, in milliseconds of real time, if one slice does not take longer. */
const BREATH_MS = 30

export interface Audience {
  /** So much simulated time has passed. */
  show(simulatedMs: number): void
  /** True where the run is to end. */
  isInterrupted(): boolean
}

/** Returns whether the run came to its end. `clock` shows milliseconds of real time. */
export async function play(run: Run, audience: Audience, clock: () => number): Promise<boolean> {
  const course = run.course()
  let breathedAt = clock()
  for (;;) {
    if (course.next().done === true) return true
    if (clock() - breathedAt < BREATH_MS) continue
    // Signals are heard here.
    await setImmediate()
    breathedAt = clock()
    if (audience.isInterrupted()) return false
    audience.show(run.queue.elapsed)
  }
}
