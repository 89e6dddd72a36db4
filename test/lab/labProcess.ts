/** A program that runs in the laboratory until it is stopped: its output, its end. */

import { type ChildProcess, type Serializable, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Opens Node's message channel to the child, which must be a Node program. */
  readonly messages?: boolean
}

const STOP_GRACE_MS = 5_000

export class LabProcess {
  /** All that was written so far. */
  stdout = ''
  stderr = ''
  /** Settles when the process has ended and its output is complete; never rejects. */
  readonly ended: Promise<void>
  readonly #commandLine: string
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()
  #end: string | undefined

  constructor(command: string, args: readonly string[], { env = {}, messages = false }: ProcessOptions = {}) {
    this.#commandLine = [command, ...args].join(' ')
    this.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...(messages ? (['ipc'] as const) : [])],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#changed()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#changed()
    })
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#end ??= how
        this.#changed()
        resolve()
      }
      this.#child.on('error', (error) => end(error.message))
      this.#child.on('close', (code, signal) => end(signal ?? `exit code ${code}`))
    })
  }

  /** The process id; undefined where the program could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** How it ended: an exit code, a signal or why it did not start; undefined while it runs. */
  get end(): string | undefined {
    return this.#end
  }

  /** The exit code; null while it runs and where a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode
  }

  /** Resolves once stdout or stderr matches; rejects with all the output if the process ends first, or after `deadlineMs`. */
  waitForOutput(pattern: RegExp, deadlineMs = 30_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
      }
      const fail = (why: string): void => {
        settle()
        reject(new Error(`${this.#commandLine}: ${why} without ${pattern}\n${this.stdout}${this.stderr}`))
      }
      const look = (): void => {
        const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
        if (match !== null) {
          settle()
          resolve(match)
        } else if (this.#end !== undefined) fail(this.#end)
      }
      const timer = setTimeout(() => fail(`${deadlineMs} ms`), deadlineMs)
      this.#watchers.add(look)
      look()
    })
  }

  send(message: Serializable): void {
    this.#child.send(message)
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#child.on('message', listener)
  }

  /** Sends a signal; nothing happens where the process has ended. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /**
   * Asks the process to end, ends it by force if it takes longer than 5 s, and resolves when it is gone. A child of its
   * own may live on, and may hold the output open.
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#end !== undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.signal(signal)
    const force = setTimeout(() => this.signal('SIGKILL'), STOP_GRACE_MS)
    await gone
    clearTimeout(force)
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
  }
}
