import { execFileSync } from 'node:child_process'

/** Runs a tool and returns what it prints, without the final newline. Throws if it fails. */
export function run(tool: string, args: readonly string[], input = ''): string {
  return execFileSync(tool, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }).trimEnd()
}
