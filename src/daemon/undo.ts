/** What has to be taken down again, in the opposite order of how it was put up. */

import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import type { Logger } from './logger.js'

type Step = () => void | Promise<void>

export class Undo {
  readonly #log: Logger
  readonly #steps: { readonly step: Step; readonly deadlineMs: number | undefined }[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  /** `deadlineMs`: a step that takes longer is left to itself, so that it does not keep the others from their turn. */
  push(step: Step, deadlineMs?: number): void {
    this.#steps.push({ step, deadlineMs })
  }

  /** Takes everything down, the last thing first. A step that fails is said, and does not keep the others from it. */
  async run(): Promise<void> {
    for (const { step, deadlineMs } of this.#steps.splice(0).reverse()) {
      try {
        await (deadlineMs === undefined ? step() : within(deadlineMs, step()))
      } catch (error) {
        this.#log.warn({ cause: causeOf(error) }, 'could not clean up everything')
      }
    }
  }
}

async function within(ms: number, done: void | Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${ms / SECOND} s`)), ms)
  })
  try {
    await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
  }
}
