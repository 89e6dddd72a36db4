/** A terminal that is redrawn in place, and left as it was found. */

const ESC = '\x1b['
/** The other screen, no cursor, no wrapping (xterm's private modes 1049, 25 and 7). */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l`
const LEAVE = `${ESC}?7h${ESC}?25h${ESC}?1049l`
const HOME = `${ESC}H`
const CLEAR_LINE = `${ESC}K`
const CLEAR_BELOW = `${ESC}J`

export class Screen {
  readonly #terminal: { write(text: string): unknown }

  constructor(terminal: { write(text: string): unknown }) {
    this.#terminal = terminal
    this.#terminal.write(ENTER)
  }

  /** Shows the lines in place of what was there: line by line, so that it does not flicker. */
  draw(text: string): void {
    this.#terminal.write(`${HOME}${text.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`)
  }

  /** Gives the terminal back. */
  close(): void {
    this.#terminal.write(LEAVE)
  }
}

/**
 * As many lines as a terminal of so many rows shows without scrolling; the last says how many there are more.
 * A terminal that does not know its size has 0 rows: then nothing is cut.
 */
export function fitScreen(text: string, rows: number): string {
  const lines = text.trimEnd().split('\n')
  if (rows === 0 || lines.length < rows) return `${lines.join('\n')}\n`
  const shown = Math.max(0, rows - 2)
  return `${[...lines.slice(0, shown), `… ${lines.length - shown} more lines`].join('\n')}\n`
}
