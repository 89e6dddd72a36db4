/**
 * Shows how far a run is. A line that lives on a terminal; elsewhere a plain line now and then.
 *
 *     roaming ████████▌           35 %  8:24:10 of 24:00:00  1,520 times real time  0:37 left
 *
 * Our own and not `cli-progress`: away from a terminal that one repeats its bar, and simulated time, speed and time left
 * would have to be computed here all the same.
 */

import { clockText } from '../report/text.js'

/** What of a terminal is needed; process.stderr has it. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const CLEAR_LINE = '\r\x1b[K'
const BAR_WIDTH = 20
/** How often a line is drawn, in milliseconds of real time: on a terminal, elsewhere. */
const REDRAW_MS = 100
const REPEAT_MS = 10_000
/** The speed is that of the last while: slow and busy hours of a run differ. */
const SPEED_OVER_MS = 3_000

export class ProgressBar {
  readonly #name: string
  readonly #totalMs: number
  readonly #terminal: Terminal
  readonly #clock: () => number
  readonly #begunAt: number
  #drawnAt: number
  #since: { readonly at: number; readonly simulatedMs: number }
  #speed: number | undefined = undefined

  /** `totalMs` is simulated; `clock` shows milliseconds of real time. */
  constructor(name: string, totalMs: number, terminal: Terminal, clock: () => number) {
    this.#name = name
    this.#totalMs = totalMs
    this.#terminal = terminal
    this.#clock = clock
    this.#begunAt = clock()
    this.#drawnAt = this.#begunAt - REDRAW_MS
    this.#since = { at: this.#begunAt, simulatedMs: 0 }
  }

  /** So much simulated time has passed. Draws where it is time to. */
  show(simulatedMs: number): void {
    const now = this.#clock()
    if (now - this.#drawnAt < (this.#isLive ? REDRAW_MS : REPEAT_MS)) return
    this.#drawnAt = now
    this.#measureSpeed(now, simulatedMs)
    const line = this.#line(simulatedMs)
    if (this.#isLive)
      this.#terminal.write(`${CLEAR_LINE}${line.slice(0, (this.#terminal.columns ?? 80) - 1)}`)
    else this.#terminal.write(`${line}\n`)
  }

  /** Takes the bar away and says how long it took; `simulatedMs` have passed in all. */
  end(simulatedMs: number, complete: boolean): void {
    const tookMs = this.#clock() - this.#begunAt
    const speed = tookMs > 0 ? `, ${speedText(simulatedMs / tookMs)}` : ''
    const mark = complete ? 'simulated' : 'interrupted after'
    this.#terminal.write(
      `${this.#isLive ? CLEAR_LINE : ''}${this.#name}: ${mark} ${clockText(simulatedMs)} in ${(tookMs / 1_000).toFixed(1)} s${speed}\n`,
    )
  }

  /** Takes the bar away, for something that is to be said. */
  clear(): void {
    if (this.#isLive) this.#terminal.write(CLEAR_LINE)
  }

  get #isLive(): boolean {
    return this.#terminal.isTTY === true
  }

  #measureSpeed(now: number, simulatedMs: number): void {
    const took = now - this.#since.at
    if (took <= 0) return
    this.#speed = (simulatedMs - this.#since.simulatedMs) / took
    if (took >= SPEED_OVER_MS) this.#since = { at: now, simulatedMs }
  }

  #line(simulatedMs: number): string {
    const share = this.#totalMs > 0 ? Math.min(1, simulatedMs / this.#totalMs) : 1
    const full = Math.floor(share * BAR_WIDTH)
    const bar = this.#isLive ? ` ${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}` : ':'
    const done = `${String(Math.floor(share * 100)).padStart(3)} %`
    const time = `${clockText(simulatedMs)} of ${clockText(this.#totalMs)}`
    const speed = this.#speed
    if (speed === undefined || speed <= 0) return `${this.#name}${bar} ${done}  ${time}`
    const left = minutesText((this.#totalMs - simulatedMs) / speed)
    return `${this.#name}${bar} ${done}  ${time}  ${speedText(speed)}  ${left} left`
  }
}

function speedText(speed: number): string {
  const rounded = speed >= 10 ? String(Math.round(speed)) : speed.toFixed(1)
  return `${rounded.replace(/\B(?=(\d{3})+$)/g, ',')} times real time`
}

/** `1:05` for minutes and seconds. */
function minutesText(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
