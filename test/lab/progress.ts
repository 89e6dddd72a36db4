/** Shows how a long run goes: a line that lives on a terminal, plain lines elsewhere. */

import type { WriteStream } from 'node:tty'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100
const CLEAR_LINE = '\r\x1b[K'

/** Says how far a step has come; shown on a terminal only. */
export type Say = (detail: string) => void

export class Progress {
  readonly #stream: WriteStream

  /** Standard error by default: what is found goes to the standard output. */
  constructor(stream: WriteStream = process.stderr) {
    this.#stream = stream
  }

  /** A line of its own, shown at once and left standing. */
  note(line: string): void {
    this.#stream.write(`${this.#stream.isTTY ? CLEAR_LINE : ''}  ${line}\n`)
  }

  /** Does `work`, and shows meanwhile what is being done and for how long. */
  async step<Value>(what: string, work: (say: Say) => Promise<Value>): Promise<Value> {
    const begun = performance.now()
    const seconds = (): string => `${((performance.now() - begun) / 1_000).toFixed(1)} s`
    let detail = ''
    let frame = 0
    let timer: NodeJS.Timeout | undefined
    if (this.#stream.isTTY) {
      const draw = (): void => {
        const said = detail === '' ? '' : `, ${detail}`
        const line = `${FRAMES[frame++ % FRAMES.length]} ${what}${said} (${seconds()})`
        this.#stream.write(`${CLEAR_LINE}${line.slice(0, (this.#stream.columns ?? 80) - 1)}`)
      }
      draw()
      timer = setInterval(draw, FRAME_MS)
    } else {
      this.#stream.write(`… ${what}\n`)
    }
    const end = (mark: string): void => {
      clearInterval(timer)
      this.#stream.write(`${this.#stream.isTTY ? CLEAR_LINE : ''}${mark} ${what} (${seconds()})\n`)
    }
    // An interrupted run ends here: the shell's prompt gets a line of its own.
    const onExit = (): void => end('✗')
    process.once('exit', onExit)
    try {
      const value = await work((text) => {
        detail = text
      })
      end('✓')
      return value
    } catch (error) {
      end('✗')
      throw error
    } finally {
      process.off('exit', onExit)
    }
  }
}
