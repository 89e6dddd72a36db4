/** How long somebody who wanted a connection had to wait for its first answer; and whether a promise was kept. */

import { GOAL_MS } from '../oracle/connected.js'
import { Samples } from '../report/distribution.js'
import type { Expectation, Measurement } from '../report/findings.js'

/** Of those between whom there can be a direct path, so many in a thousand wait no longer than they are promised. */
const KEPT_PER_MILLE = 999

export interface Wait {
  /** Who waited for what, and since when, in words. */
  readonly what: string
  /** True where a direct path was possible when the wait began. */
  readonly isPromised: boolean
}

export class Waits {
  readonly #samples = new Samples()
  readonly #late: string[] = []
  #promised = 0
  #unanswered = 0
  readonly #limitMs: number

  /** Who was promised an answer is late after `limitMs`. */
  constructor(limitMs: number = GOAL_MS) {
    this.#limitMs = limitMs
  }

  answered(wait: Wait, ms: number): void {
    this.#samples.add(ms)
    if (!wait.isPromised) return
    this.#promised += 1
    if (ms > this.#limitMs) this.#late.push(`${wait.what} waited ${(ms / 1_000).toFixed(1)} s`)
  }

  /** Nobody waits any more, and there was no answer. Who waited for less than the limit may still have got one in time. */
  givenUp(wait: Wait, ms: number): void {
    this.#unanswered += 1
    if (!wait.isPromised || ms <= this.#limitMs) return
    this.#promised += 1
    this.#late.push(`${wait.what} had no answer in ${(ms / 1_000).toFixed(1)} s`)
  }

  measurement(name: string, what: string): Measurement {
    return {
      name,
      what,
      unit: 'ms',
      distribution: this.#samples.distribution,
      unanswered: this.#unanswered,
    }
  }

  /** Of those who were promised an answer, so many had it in time as were promised it. */
  expectation(name: string, what: string): Expectation {
    const allowed = Math.floor((this.#promised * (1_000 - KEPT_PER_MILLE)) / 1_000)
    return {
      name,
      what: `${what} within ${this.#limitMs / 1_000} s, ${KEPT_PER_MILLE / 10} % of ${this.#promised}`,
      broken: this.#late.length > allowed ? this.#late : [],
    }
  }
}
