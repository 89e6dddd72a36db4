/** Cases in files: what the search writes with `--write`, and reads with `--case`. */

import { cases } from './arbitraries.js'
import { type Case, soundCase } from './case.js'

export function formatCase(whole: Case): string {
  return `${JSON.stringify(whole, undefined, 2)}\n`
}

/** The case in a file's text; undefined where it is none, or one beyond what the search makes. */
export function parseCase(text: string): Case | undefined {
  let read: unknown
  try {
    read = JSON.parse(text)
    // Absent keys are undefined ones. Text that has not the form of a case fails somewhere in here.
    const sound = soundCase(read as Case)
    return cases.canShrinkWithoutContext(sound) ? sound : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}
