/** Running a program to its end. */

import { spawn } from 'node:child_process'

export interface CommandOutput {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

export interface CommandOptions {
  /** Written to the standard input, which is empty otherwise. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Exit codes that are answers and no failures; default: only 0. */
  readonly exitCodes?: readonly number[]
}

/** Runs a program; rejects with an Error that quotes the command and what it said on stderr if it fails. */
export function run(
  command: string,
  args: readonly string[],
  { input = '', env = {}, exitCodes = [0] }: CommandOptions = {},
): Promise<CommandOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env } })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    // A program that fails before it has read its input breaks the pipe; its exit code and stderr say more.
    child.stdin.on('error', () => {})
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code !== null && exitCodes.includes(code)) {
        resolve({ stdout, stderr, exitCode: code })
        return
      }
      const line = [command, ...args].join(' ')
      reject(new Error(`${line}: ${signal ?? `exit code ${code}`}: ${stderr.trim() || stdout.trim()}`))
    })
    child.stdin.end(input)
  })
}
