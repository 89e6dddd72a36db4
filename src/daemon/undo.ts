/** What has to be taken down again, in the opposite order of how it was put up. */

import { causeOf } from '../base/userError.js'
import type { Logger } from './logger.js'

type Step = () => void | Promise<void>

export class Undo {
  readonly #log: Logger
  readonly #steps: Step[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  push(step: Step): void {
    this.#steps.push(step)
  }

  /** Takes everything down, the last thing first. A step that fails is said, and does not keep the others from it. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step()
      } catch (error) {
        this.#log.warn({ cause: causeOf(error) }, 'could not clean up everything')
      }
    }
  }
}
