/** Runs a tool to its end. Arguments are visible to every user of the machine: secrets go through `input`. */

import { execFile } from 'node:child_process'

/** What a tool is given to answer; `wg` and `ip` need milliseconds. */
const COMMAND_TIMEOUT_MS = 5_000

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** How running a tool failed. `detail` is the first line it printed on standard error, or '' where there is none. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly reason: 'missing' | 'timed-out' | 'failed'
  readonly detail: string

  constructor(tool: string, reason: 'missing' | 'timed-out' | 'failed', detail: string) {
    const said = detail === '' ? '' : `: ${detail}`
    super(
      {
        missing: `the tool ${tool} was not found${said}`,
        'timed-out': `the tool ${tool} did not answer within ${COMMAND_TIMEOUT_MS / 1000} s`,
        failed: `the tool ${tool} failed${said}`,
      }[reason],
    )
    this.reason = reason
    this.detail = detail
  }
}

/**
 * Runs `tool` and resolves to its standard output; rejects with a {@link CommandError} if it is missing, ends with
 * another status than 0, or does not end within 5 s.
 *
 * `input` is what the tool finds when it opens /dev/stdin. Node's own pipes are sockets, which cannot be opened by
 * path (ENXIO), so a shell's pipe stands between.
 */
export function runCommand(tool: string, args: readonly string[], input?: string): Promise<string> {
  const [file, fileArgs] =
    input === undefined ? [tool, args] : ['sh', ['-c', 'cat | "$@"', 'sh', tool, ...args]]
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      fileArgs,
      {
        env: toolEnvironment(),
        timeout: COMMAND_TIMEOUT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: MAX_OUTPUT_BYTES,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const [detail = ''] = stderr.split('\n')
        const missing = error.code === 'ENOENT' || error.code === SHELL_NOT_FOUND
        reject(new CommandError(tool, missing ? 'missing' : error.killed ? 'timed-out' : 'failed', detail))
      },
    )
    // A tool that ends without reading its input is known by its status, not by our EPIPE.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

/** Our environment, but with messages in English: some are told apart by their text. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' }
}

/** The exit status by which a POSIX shell says that there is no such command. */
export const SHELL_NOT_FOUND = 127
