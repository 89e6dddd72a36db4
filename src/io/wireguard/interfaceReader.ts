/**
 * Reads an interface, once or again and again.
 *
 * Node forks itself to run a tool, and stands still for that long: several milliseconds in a process of our size, in
 * which no packet passes. So an interface that is watched is read through a small shell that stays and forks in our
 * place. It runs `wg` once for every line we write, and ends when its input does, which only we hold open: it cannot
 * outlive us, however we end.
 *
 * ```
 *  we → shell   "\n"
 *  shell → we   what `wg` printed, then "end <exit status>\n"
 * ```
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { toolEnvironment } from '../command.js'
import { type InterfaceDump, parseInterfaceDump } from './interfaceDump.js'
import { checkName, showDump } from './wgTool.js'

/** Reads the interface `name` once. Rejects with a WireGuardError. */
export async function readInterface(name: string): Promise<InterfaceDump> {
  return parseInterfaceDump(name, await showDump(name))
}

/** Reads one interface repeatedly and cheaply. */
export class InterfaceReader {
  readonly #name: string
  #shell: Shell | undefined
  #reading: Promise<InterfaceDump> | undefined

  constructor(name: string) {
    checkName(name)
    this.#name = name
  }

  /** The interface as it is now; rejects with a WireGuardError. Calls while one is under way share its result. */
  read(): Promise<InterfaceDump> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** Ends the shell. A read after that starts another. */
  close(): void {
    this.#shell?.end()
    this.#shell = undefined
  }

  async #read(): Promise<InterfaceDump> {
    const shell = this.#shell ?? new Shell(this.#name)
    this.#shell = shell
    const text = await shell.ask()
    if (text !== undefined) return parseInterfaceDump(this.#name, text)
    // Whatever went wrong, the plain way either mends it or says what it is.
    this.close()
    return readInterface(this.#name)
  }
}

const ANSWER_TIMEOUT_MS = 5_000

const SCRIPT = `while read -r _; do wg show "$1" dump; echo "end $?"; done`

const END = /^end (\d+)\n$/m

/** One shell, answering one question at a time. */
class Shell {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  #printed = ''
  #ended = false
  #answer: ((text: string | undefined) => void) | undefined

  constructor(name: string) {
    // In a process group of its own: Ctrl-C is for us alone, and what hangs in it is ended with it.
    this.#process = spawn('sh', ['-c', SCRIPT, 'sh', name], {
      env: toolEnvironment(),
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => this.#onPrinted(text))
    // That the shell is gone is known by its end.
    this.#process.stdin.on('error', () => undefined)
    this.#process.on('error', () => this.#onEnd())
    this.#process.on('close', () => this.#onEnd())
  }

  /** What `wg` printed; undefined where it failed, or did not answer in time, or the shell is gone. */
  async ask(): Promise<string | undefined> {
    if (this.#ended) return undefined
    let timeout: NodeJS.Timeout | undefined
    const answer = new Promise<string | undefined>((resolve) => {
      this.#answer = resolve
      timeout = setTimeout(resolve, ANSWER_TIMEOUT_MS, undefined)
    })
    this.#process.stdin.write('\n')
    return answer.finally(() => clearTimeout(timeout))
  }

  end(): void {
    const { pid } = this.#process
    try {
      if (pid !== undefined && !this.#ended) process.kill(-pid, 'SIGKILL')
    } catch {
      // ESRCH: it ended a moment ago.
    }
    this.#onEnd()
  }

  #onPrinted(text: string): void {
    this.#printed += text
    const end = END.exec(this.#printed)
    if (end === null) return
    this.#answer?.(end[1] === '0' ? this.#printed.slice(0, end.index) : undefined)
    this.#printed = ''
  }

  #onEnd(): void {
    this.#ended = true
    this.#answer?.(undefined)
  }
}
