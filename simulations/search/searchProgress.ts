/** Shows how far a search is. */

import { minutesText, StatusLine, type Terminal } from '../report/statusLine.js'
import type { Progress } from './search.js'

export interface ProgressOptions {
  /** How many there are; undefined where time decides. */
  readonly seeds: number | undefined
  /** For how long, in ms; undefined where the seeds decide. */
  readonly ms: number | undefined
  readonly terminal: Terminal
  /** Milliseconds of real time. */
  readonly clock: () => number
}

export class SearchProgress {
  readonly #options: ProgressOptions
  readonly #begunAt: number
  readonly #statusLine: StatusLine

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#begunAt = options.clock()
    this.#statusLine = new StatusLine(options.terminal, this.#begunAt)
  }

  show(progress: Progress): void {
    const now = this.#options.clock()
    this.#statusLine.show(now, () => this.#line(progress, now - this.#begunAt))
  }

  /** Something that stays to be read. */
  say(text: string): void {
    this.#statusLine.say(text)
  }

  /** Takes the line away. */
  end(): void {
    this.#statusLine.clear()
  }

  #line({ seeds, found }: Progress, tookMs: number): string {
    const perSecond = tookMs > 0 ? seeds / (tookMs / 1_000) : 0
    const of = this.#options.seeds === undefined ? '' : ` of ${this.#options.seeds}`
    const left = this.#leftMs(seeds, tookMs)
    return [
      `search: ${seeds}${of} seeds`,
      `${perSecond.toFixed(1)} a second`,
      `${found} found`,
      ...(left === undefined ? [] : [`${minutesText(left)} left`]),
    ].join(', ')
  }

  #leftMs(seeds: number, tookMs: number): number | undefined {
    if (this.#options.ms !== undefined) return this.#options.ms - tookMs
    if (this.#options.seeds === undefined || seeds === 0) return undefined
    return ((this.#options.seeds - seeds) * tookMs) / seeds
  }
}
