/** Shows how far a search is: a line that lives on a terminal; elsewhere a plain line now and then. */

import type { Progress } from './search.js'

/** What of a terminal is needed; process.stderr has it. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const CLEAR_LINE = '\r\x1b[K'
/** How often a line is drawn, in milliseconds of real time: on a terminal, elsewhere. */
const REDRAW_MS = 100
const REPEAT_MS = 10_000

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
  #drawnAt = Number.NEGATIVE_INFINITY

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#begunAt = options.clock()
  }

  show(progress: Progress): void {
    const { terminal, clock } = this.#options
    const now = clock()
    if (now - this.#drawnAt < (this.#isLive ? REDRAW_MS : REPEAT_MS)) return
    this.#drawnAt = now
    const line = this.#line(progress, now - this.#begunAt)
    if (this.#isLive) terminal.write(`${CLEAR_LINE}${line.slice(0, (terminal.columns ?? 80) - 1)}`)
    else terminal.write(`${line}\n`)
  }

  /** Something that stays to be read. */
  say(text: string): void {
    this.end()
    this.#options.terminal.write(`${text}\n`)
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isLive) this.#options.terminal.write(CLEAR_LINE)
  }

  get #isLive(): boolean {
    return this.#options.terminal.isTTY === true
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

/** `1:05` for minutes and seconds. */
function minutesText(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
