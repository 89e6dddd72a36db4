/**
 * Runs tests beside others that measure: in a process of the scheduler's idle class, which gets what the others leave.
 * What it prints is kept until it may be shown.
 */

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./run.js', import.meta.url))

/** How tests ended that ran beside others. */
export interface Ended {
  readonly failed: boolean
  /** The closing lines of Node's test runner, such as `tests 12`. */
  readonly closing: ReadonlyMap<string, number>
}

export interface Besides {
  /** Shows what was printed until now, and from now on what comes. */
  show(write: (text: string) => void): void
  readonly ended: Promise<Ended>
}

/** Starts the runner for these test files, paths below test/ without `.ts`. */
export function runBesides(files: readonly string[], signal: AbortSignal): Besides {
  const closing = new Map<string, number>()
  let kept = ''
  let line = ''
  let print = (text: string): void => {
    kept += text
  }
  const child = spawn('chrt', ['--idle', '0', process.execPath, '--enable-source-maps', PROGRAM, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${line}${text}`.split('\n')
    line = lines.pop() ?? ''
    for (const each of lines) {
      const [, name, value] = /^# (\w+) (\d+)$/.exec(each) ?? []
      if (name === undefined) print(`${each}\n`)
      else closing.set(name, Number(value))
    }
  })
  const ended = new Promise<Ended>((resolve) => {
    // Such as where there is no `chrt`, or where it was stopped.
    child.on('error', (error) => print(`${error.message}\n`))
    child.on('close', (code) => {
      print(line)
      resolve({ failed: code !== 0, closing })
    })
  })
  return {
    show(write) {
      print = write
      if (kept !== '') write(kept)
      kept = ''
    },
    ended,
  }
}
