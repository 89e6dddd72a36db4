/**
 * Says that addresses, routes or links of this machine changed, by watching `ip monitor` (ip-monitor(8)). What changed
 * is not read from it: one change prints many lines, and whoever is told looks for himself.
 *
 * The tool ends with us, however we end: a shell beside it waits for the end of its standard input, which only we hold
 * open, and then ends the process group of both. It needs no help from the kernel (PR_SET_PDEATHSIG would, and util-linux).
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { SHELL_NOT_FOUND, toolEnvironment } from './command.js'

/** How long after its end the tool is started again: twice as long each time, until it has run for a minute. */
const RESTART_MS = { first: 1_000, last: 60_000, steadyAfter: 60_000 } as const

/**
 * The tool does not say from when on it watches, and what changes before is not seen: whoever is told looks again this
 * long after it was started, in ms. On a busy machine that took it more than a second.
 */
const LOOKED_AGAIN_MS = [250, 1_000, 4_000] as const

const SCRIPT = `{ ip monitor address route link; status=$?; echo "$status" >&2; kill 0; } & read -r _; kill 0`

export interface NetworkChangeHandlers {
  /** Something changed, or may have changed unseen while the tool did not run. Comes in bursts. */
  readonly onChange: () => void
  /** The tool ended and is started again after a while; the message is one line for people. */
  readonly onTrouble: (message: string) => void
}

export class NetworkChanges {
  readonly #handlers: NetworkChangeHandlers
  readonly #lookedAgainMs: readonly number[]
  #watching: ChildProcessWithoutNullStreams | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #restartMs: number = RESTART_MS.first
  #lookAgain: readonly NodeJS.Timeout[] = []
  #stopped = false

  /** Starts to watch. */
  constructor(handlers: NetworkChangeHandlers, lookedAgainMs: readonly number[] = LOOKED_AGAIN_MS) {
    this.#handlers = handlers
    this.#lookedAgainMs = lookedAgainMs
    this.#start()
  }

  /** Resolves when the tool is gone. Nothing is reported after the call. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#restartTimer)
    for (const timer of this.#lookAgain) clearTimeout(timer)
    const watching = this.#watching
    if (watching === undefined) return
    await new Promise<void>((resolve) => {
      watching.once('close', () => resolve())
      watching.stdin.end()
    })
  }

  #start(): void {
    const startedAt = performance.now()
    const watching = spawn('sh', ['-c', SCRIPT], { env: toolEnvironment(), detached: true })
    this.#watching = watching
    for (const timer of this.#lookAgain) clearTimeout(timer)
    this.#lookAgain = this.#lookedAgainMs.map((ms) => setTimeout(() => this.#handlers.onChange(), ms))
    let complaint = ''
    watching.stdout.on('data', () => {
      if (!this.#stopped) this.#handlers.onChange()
    })
    watching.stderr.setEncoding('utf8')
    watching.stderr.on('data', (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT_LENGTH)
    })
    watching.stdin.on('error', () => undefined)
    watching.on('error', (error) => {
      complaint = error.message
    })
    watching.on('close', () => {
      this.#watching = undefined
      if (this.#stopped) return
      if (performance.now() - startedAt >= RESTART_MS.steadyAfter) this.#restartMs = RESTART_MS.first
      this.#handlers.onTrouble(explain(complaint))
      this.#restartTimer = setTimeout(() => {
        this.#start()
        this.#handlers.onChange()
      }, this.#restartMs)
      this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS.last)
    })
  }
}

const MAX_COMPLAINT_LENGTH = 1_000

function explain(complaint: string): string {
  const lines = complaint.split('\n').filter((line) => line !== '')
  if (lines.at(-1) === String(SHELL_NOT_FOUND))
    return 'changes of the network are not seen: the tool ip was not found, install iproute2'
  return `changes of the network are not seen for a while: "ip monitor" ended (${lines.join(', ') || 'no reason given'})`
}
