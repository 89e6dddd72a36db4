/** How something goes: a line that lives on a terminal; elsewhere a plain line now and then. */

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

export class StatusLine {
  readonly #terminal: Terminal
  #drawnAt: number

  /** `begunAt` is in milliseconds of real time. What is soon over has no line, but on a terminal. */
  constructor(terminal: Terminal, begunAt: number) {
    this.#terminal = terminal
    this.#drawnAt = this.isLive ? Number.NEGATIVE_INFINITY : begunAt
  }

  /** True where there is somebody to see a line change. */
  get isLive(): boolean {
    return this.#terminal.isTTY === true
  }

  /** Draws what `line` gives, where it is time to. `now` is milliseconds of real time. */
  show(now: number, line: () => string): void {
    if (now - this.#drawnAt < this.#everyMs) return
    this.#drawnAt = now
    if (this.isLive)
      this.#terminal.write(`${CLEAR_LINE}${line().slice(0, (this.#terminal.columns ?? 80) - 1)}`)
    else this.#terminal.write(`${line()}\n`)
  }

  /** Something that stays to be read, in the place of the line. */
  say(text: string): void {
    this.#terminal.write(`${this.isLive ? CLEAR_LINE : ''}${text}\n`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.isLive) this.#terminal.write(CLEAR_LINE)
  }

  get #everyMs(): number {
    return this.isLive ? REDRAW_MS : REPEAT_MS
  }
}

/** `1:05` for minutes and seconds. */
export function minutesText(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
