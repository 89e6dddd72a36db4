/**
 * Shows how far a run is.
 *
 *     roaming ████████▌           35 %  8:24:10 of 24:00:00  1,520 times real time  0:37 left
 *
 * Our own and not `cli-progress`: away from a terminal that one repeats its bar, and simulated time, speed and time left
 * would have to be computed here all the same.
 */

import { minutesText, StatusLine, type Terminal } from '../report/statusLine.js'
import { clockText } from '../report/text.js'

const BAR_WIDTH = 20
/** The speed is that of the last while: slow and busy hours of a run differ. */
const SPEED_OVER_MS = 3_000

export class ProgressBar {
  readonly #name: string
  readonly #totalMs: number
  readonly #statusLine: StatusLine
  readonly #clock: () => number
  readonly #begunAt: number
  #since: { readonly at: number; readonly simulatedMs: number }
  #speed: number | undefined = undefined

  /** `totalMs` is simulated; `clock` shows milliseconds of real time. */
  constructor(name: string, totalMs: number, terminal: Terminal, clock: () => number) {
    this.#name = name
    this.#totalMs = totalMs
    this.#clock = clock
    this.#begunAt = clock()
    this.#statusLine = new StatusLine(terminal, this.#begunAt)
    this.#since = { at: this.#begunAt, simulatedMs: 0 }
  }

  /** So much simulated time has passed. Draws where it is time to. */
  show(simulatedMs: number): void {
    const now = this.#clock()
    this.#statusLine.show(now, () => {
      this.#measureSpeed(now, simulatedMs)
      return this.#line(simulatedMs)
    })
  }

  /** Takes the bar away and says how long it took; `simulatedMs` have passed in all. */
  end(simulatedMs: number, complete: boolean): void {
    const tookMs = this.#clock() - this.#begunAt
    const speed = tookMs > 0 ? `, ${speedText(simulatedMs / tookMs)}` : ''
    const mark = complete ? 'simulated' : 'interrupted after'
    this.#statusLine.say(
      `${this.#name}: ${mark} ${clockText(simulatedMs)} in ${(tookMs / 1_000).toFixed(1)} s${speed}`,
    )
  }

  /** Takes the bar away, for something that is to be said. */
  clear(): void {
    this.#statusLine.clear()
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
    const bar = this.#statusLine.isLive ? ` ${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}` : ':'
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
