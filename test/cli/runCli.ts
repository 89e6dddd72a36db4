/** Runs the compiled command line as a user does. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))

export interface Outcome {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
}

/** What the command line does with these arguments, to its end. */
export async function runCli(...args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, stdout, stderr }
}
